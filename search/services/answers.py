"""A finished search as it may be shown now: for pages, and as plain data for programs."""

import json
from dataclasses import dataclass
from typing import Any

from django.core.files.storage import default_storage

from faceweb.recognition import embedders
from faceweb.recognition.calibration import Calibration
from people.models import Face, Person
from people.quality import probe_warning
from people.services import scoring
from search import files
from search.models import Candidate, ProbeFace, Search
from search.services import words
from search.services.searches import NO_VERDICT, faces_sentence, live_faces


@dataclass(frozen=True)
class ShownCandidate:
    """A candidate whose face may be shown. `person` is whose it is now.

    `supporters` are other pictures of that person that agree; `compared` is how many pictures
    were looked at, None if it is not known.
    """

    row: Candidate
    face: Face
    person: Person | None
    supporters: list[Face]
    compared: int | None
    sure: str
    sureness: str
    strangers: str
    chance: str
    agreement: str


@dataclass(frozen=True)
class ShownFace:
    """A probe face with what may be shown of its answer. `verdict` is empty if there is none.

    `whole`: nothing of the answer has been hidden or erased since.
    """

    probe: ProbeFace
    candidates: list[ShownCandidate]
    verdict: str
    whole: bool
    lead: str
    warning: str

    @property
    def others(self) -> list[ShownCandidate]:
        return self.candidates[1:]

    @property
    def first(self) -> ShownCandidate | None:
        return self.candidates[0] if self.candidates else None


def shown_faces(search: Search) -> list[ShownFace]:
    """The faces of a search with their candidates, joined to what is there now.

    Who was erased or hidden since does not appear. Four queries, however many faces there are.
    """
    probes = list(ProbeFace.objects.filter(search=search).order_by("number"))
    rows = list(Candidate.objects.filter(probe__in=probes).order_by("rank"))
    notes = _support(search) if rows else {}
    wanted = {row.face_id for row in rows}.union(
        *(of_one["faces"] for ranks in notes.values() for of_one in ranks.values())
    )
    live = live_faces().select_related("person", "photo").in_bulk(wanted)
    return [
        _shown(probe, [row for row in rows if row.probe_id == probe.pk], live, search,
               notes.get(str(probe.number), {}))
        for probe in probes
    ]  # fmt: skip


def calibration_of(search: Search) -> Calibration | None:
    """What the scores of a search are measured by, if anything is."""
    try:
        return scoring.scale(search.embedder).calibration
    except KeyError:  # an embedder that this faceweb does not know any more
        return None


def no_verdict(search: Search) -> str:
    """Why the answers of a search have no verdict, where there is no calibration."""
    try:
        purpose = embedders.get_spec(search.embedder).purpose
    except KeyError:
        purpose = "unknown"
    if purpose == "unknown":
        return (
            f"There is no verdict: the embedder that answered ({search.embedder}) is not known any "
            "more, and with it what its similarities are worth."
        )
    if purpose == "general":
        return (
            f"There is no verdict: this embedder ({search.embedder}) is for pictures in general. "
            "Pose, light and background count as much as the face, so its similarities do not say "
            "who somebody is."
        )
    return (
        f"There is no verdict: nothing tells yet what similarities by this embedder "
        f"({search.embedder}) are worth."
    )


def answer_as_data(*, search: Search, photo: str) -> dict[str, Any]:
    """One search as a dictionary that JSON can hold; `photo` is how the asker called it.

    Boxes are x1, y1, x2, y2 in pixels of the upright photo. A verdict is None where there is no
    calibration; `no_verdict` says why.
    """
    faces = shown_faces(search)
    known = calibration_of(search)
    return {
        "photo": photo,
        "error": search.problem or None,
        "gallery_size": search.gallery_size,
        "embedder": search.embedder,
        "calibration": {"source": known.source, "made_on": known.made_on} if known else None,
        "no_verdict": None if known else no_verdict(search),
        "sentence": faces_sentence(search, len(faces)),
        "seconds": _seconds(search),
        "faces": [_face(face) for face in faces],
    }


def _seconds(search: Search) -> float | None:
    """From the question to the answer, waiting included."""
    if search.finished_at is None:
        return None
    return round((search.finished_at - search.created_at).total_seconds(), 3)


def _support(search: Search) -> dict[str, dict[str, dict[str, Any]]]:
    """Which faces spoke for each candidate: by probe number and rank; empty if not known."""
    try:
        with default_storage.open(files.support(search.pk)) as file:
            found: dict[str, dict[str, dict[str, Any]]] = json.load(file)
    except FileNotFoundError:
        return {}
    return found


def _shown(
    probe: ProbeFace,
    rows: list[Candidate],
    live: dict[int, Face],
    search: Search,
    notes: dict[str, dict[str, Any]],
) -> ShownFace:
    candidates: list[ShownCandidate] = []
    seen: set[int] = set()
    for row in rows:
        face = live.get(row.face_id)
        if face is None or face.person_id in seen:
            continue  # erased, hidden, or one person with another candidate since
        if face.person_id is not None:
            seen.add(face.person_id)
        candidates.append(_candidate(row, face, live, search, notes.get(str(row.rank), {})))
    first = candidates[0] if candidates else None
    whole = len(candidates) == len(rows)
    verdict = first.row.verdict if first else probe.verdict if not rows else "unknown"
    meant = first is not None and whole and verdict in ("match", "possible")
    return ShownFace(
        probe=probe,
        candidates=candidates,
        verdict=verdict,
        whole=whole,
        lead=words.lead(probe.margin, named=first.person is not None) if meant and first else "",
        warning=probe_warning(probe.quality, probe.quality_reasons, probe.width),
    )


def _candidate(
    row: Candidate, face: Face, live: dict[int, Face], search: Search, note: dict[str, Any]
) -> ShownCandidate:
    same = face.person_id is not None and face.person_id == row.person_id
    others = [live[pk] for pk in note.get("faces", ()) if pk in live and pk != face.pk]
    compared = note.get("compared")
    return ShownCandidate(
        row=row,
        face=face,
        person=face.person,
        supporters=[one for one in others if same and one.person_id == face.person_id],
        compared=compared,
        sure=words.sure(row.confidence),
        sureness=words.sureness(row.confidence),
        strangers=words.amount(row.strangers),
        chance=words.chance(row.strangers, search.gallery_size),
        agreement=words.agreement(row.support, compared) if same and row.verdict else "",
    )


def _face(shown: ShownFace) -> dict[str, Any]:
    probe = shown.probe
    return {
        "box": [round(v, 1) for v in (probe.x1, probe.y1, probe.x2, probe.y2)],
        "detection_score": round(probe.detection_score, 4),
        "quality": probe.quality,
        "quality_reasons": probe.quality_reasons,
        "warning": shown.warning or None,
        "verdict": None if shown.verdict == NO_VERDICT else shown.verdict,
        "margin": _rounded(probe.margin) if shown.whole else None,
        "candidates": [_candidate_data(one) for one in shown.candidates],
    }


def _candidate_data(one: ShownCandidate) -> dict[str, Any]:
    return {
        "rank": one.row.rank,
        "person": one.person.name if one.person else None,
        "person_id": one.person.pk if one.person else None,
        "face_id": one.face.pk,
        "photo": one.face.photo.original_name,
        "photo_id": one.face.photo_id,
        "similarity": round(one.row.similarity, 4),
        "confidence": _rounded(one.row.confidence),
        "strangers": None if one.row.strangers is None else float(f"{one.row.strangers:.3g}"),
        "support": one.row.support,
        "verdict": None if one.row.verdict == NO_VERDICT else one.row.verdict,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
