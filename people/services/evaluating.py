"""How well faces are told apart here: the archive's own named faces, each looked up among the
others (leave one out). Worked out by the worker, from stored vectors, without a model.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from faceweb.recognition import calibration, comparisons, evaluation
from faceweb.recognition.calibration import CalibrationError
from faceweb.recognition.comparisons import Comparisons, Float32, Int64, wilson
from faceweb.recognition.embedders import EmbedderSpec, get_spec
from people.jobs import LEASE, Status
from people.models import Evaluation, Face, FaceEmbedding, Person
from people.problems import Refused
from people.services import scoring

log = logging.getLogger("faceweb.accuracy")

# One person with thousands of faces would drown the others, and a million faces the worker.
MOST_FACES_EACH, MOST_FACES = 20, 10_000
GROUPS = 5
RATES = (1e-2, 1e-3, 1e-4, 1e-5)
# A rate is measured where it stands for so many false matches at least.
LEAST_COUNTED = 10
# Different people may be one where so few strangers are expected to be that alike, in all.
LOOK_ALIKE_STRANGERS, MOST_LOOK_ALIKES = 0.5, 12
# The plot's bars: similarities from -1 to 1.
BARS = 100

# How a face was named where its similarity to others had a part in it.
_BY_SIMILARITY = (
    Face.AssignedBy.SUGGESTION,
    Face.AssignedBy.CLUSTER,
    Face.AssignedBy.AUTOMATIC,
)
_SECONDS_BETWEEN_NOTES = 0.5
_IDS_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class Gallery:
    """The named faces that are compared: their ids, unit vectors (n, d) and people (n,)."""

    faces: Int64
    vectors: Float32
    people: Int64
    named: int
    by_similarity: int


@dataclass(frozen=True)
class LookAlike:
    """A face that is more like another person than strangers are."""

    face: Face
    person: Person
    other: Person
    similarity: float


class _Lost(Exception):
    """The row is in other hands, or gone."""


def request_evaluation(*, user: Any = None) -> Evaluation:
    """A queued check, or the one that is under way already. Raises Refused."""
    pending: Evaluation | None = Evaluation.objects.pending().first()
    if pending is not None:
        return pending
    several = _named().values("person").annotate(n=Count("pk")).filter(n__gt=1).order_by()
    if several[:2].count() < 2:
        raise Refused("too_few_named")
    spec = get_spec(settings.FACEWEB_EMBEDDER)
    return Evaluation.objects.create(embedder=spec.slug, version=spec.version, created_by=user)


def run_evaluation(*, evaluation_id: int, worker: str) -> None:
    """Work out a queued check; one that is in other hands or done is passed over."""
    job = Evaluation.objects.claim([evaluation_id], worker=worker).first()
    if job is None:
        return
    start = time.perf_counter()
    try:
        results = measure(spec=get_spec(job.embedder), progress=_notes(job))
    except _Lost:
        log.info("accuracy check %d was taken away", job.pk)
        return
    except Exception as error:
        log.exception("accuracy check %d failed", job.pk)
        Evaluation.objects.filter(pk=job.pk, claim=job.claim).fail(
            "unexpected", f"{type(error).__name__}: {error}"
        )
        return
    Evaluation.objects.filter(pk=job.pk, claim=job.claim).update(
        status=Status.DONE, claim=None, claimed_by="", lease_expires_at=None,
        results=results, seconds=time.perf_counter() - start, finished_at=timezone.now(),
    )  # fmt: skip
    log.info("accuracy check %d done: %d faces", job.pk, results["faces"])


def measure(*, spec: EmbedderSpec, progress: Callable[[float], None]) -> dict[str, Any]:
    """Everything the page shows, as plain values for JSON."""
    gallery = load_gallery(spec)
    counted = comparisons.of_all_pairs(
        gallery.vectors, gallery.people, progress=lambda share: progress(share / 2)
    )
    found = evaluation.leave_one_out(
        gallery.vectors, gallery.people, progress=lambda share: progress(0.5 + share / 2)
    )
    both = bool(counted.same_total and counted.different_total)
    per_person = np.unique(gallery.people, return_counts=True)[1]
    return {
        "faces": len(gallery.faces),
        "named": gallery.named,
        "by_similarity": gallery.by_similarity,
        "people": len(per_person),
        "people_with_several": int((per_person > 1).sum()),
        "same": counted.same_total,
        "different": counted.different_total,
        "eer": evaluation.equal_error_rate(counted) if both else None,
        "auc": evaluation.area_under_curve(counted) if both else None,
        "rates": [_at_rate(counted, rate) for rate in RATES],
        "identification": asdict(evaluation.identification(found)),
        "in_use": _in_use(spec, counted),
        "look_alikes": _look_alikes(spec, gallery, found, counted.different_total),
        "bars": {
            "same": _bars(counted.same),
            "different": _bars(counted.different),
        },
        **_proposed(spec, gallery, counted),
    }


def look_alikes_of(results: dict[str, Any]) -> list[LookAlike]:
    """The look-alikes of a check that are still two people, with the faces that are alike."""
    found = results["look_alikes"]
    wanted = {one[side] for one in found for side in ("person", "other")}
    people = Person.objects.select_related("cover").in_bulk(wanted)
    faces = Face.objects.active().in_bulk([one["face"] for one in found])
    return [
        LookAlike(face, people[one["person"]], people[one["other"]], one["similarity"])
        for one in found
        if (face := faces.get(one["face"])) is not None
        and face.person_id == one["person"]
        and {one["person"], one["other"]} <= set(people)
    ]


def load_gallery(spec: EmbedderSpec) -> Gallery:
    """Named faces that search may show; of large galleries, and of people with many faces, an
    even part, the same one each time."""
    rows = FaceEmbedding.objects.filter(
        embedder=spec.slug, version=spec.version, face__in=_named()
    ).values_list("pk", "face_id", "face__person_id", "face__assigned_by")
    listed = list(rows.order_by("pk"))
    chosen = _even_part([person for _, _, person, _ in listed])
    kept = [listed[place] for place in chosen]
    vectors = _vectors([pk for pk, *_ in kept])
    kept = [row for row in kept if row[0] in vectors]  # others were deleted a moment ago
    stacked = [vectors[pk] for pk, *_ in kept]
    return Gallery(
        faces=np.array([face for _, face, _, _ in kept], np.int64),
        vectors=np.stack(stacked) if stacked else np.zeros((0, spec.dimension), np.float32),
        people=np.array([person for _, _, person, _ in kept], np.int64),
        named=len(listed),
        by_similarity=sum(how in _BY_SIMILARITY for *_, how in kept),
    )


def _named() -> Any:
    return Face.objects.searchable().exclude(person=None)


def _even_part(people: list[int]) -> list[int]:
    """The places of the faces to compare: few of each person, and whole people only."""
    places: dict[int, list[int]] = {}
    for place in np.random.default_rng(0).permutation(len(people)):
        places.setdefault(people[place], []).append(int(place))
    chosen: list[int] = []
    for of_one in places.values():
        if len(chosen) >= MOST_FACES:
            break
        chosen += of_one[:MOST_FACES_EACH]
    return sorted(chosen)


def _vectors(ids: list[int]) -> dict[int, Float32]:
    found: dict[int, Float32] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        rows = FaceEmbedding.objects.filter(pk__in=ids[start : start + _IDS_AT_ONCE])
        for pk, vector in rows.values_list("pk", "vector"):
            found[pk] = np.frombuffer(bytes(vector), np.float32)
    return found


def _notes(job: Evaluation) -> Callable[[float], None]:
    """Writes down how far it is, and holds the lease. Raises _Lost if the row is not ours now."""
    last = 0.0

    def note(share: float) -> None:
        nonlocal last
        if time.monotonic() - last < _SECONDS_BETWEEN_NOTES:
            return
        last = time.monotonic()
        mine = Evaluation.objects.filter(pk=job.pk, claim=job.claim, status=Status.PROCESSING)
        if not mine.update(
            results={"progress": round(share, 3)}, lease_expires_at=timezone.now() + LEASE
        ):
            raise _Lost

    return note


def _at_rate(counted: Comparisons, rate: float) -> dict[str, Any]:
    if not counted.same_total or counted.different_total * rate < LEAST_COUNTED:
        return {"fmr": rate, "tmr": None}
    similarity = counted.similarity_at(rate)
    reached = counted.same_total - counted.false_non_matches(similarity)
    low, high = wilson(reached, counted.same_total)
    return {
        "fmr": rate,
        "similarity": round(similarity, 4),
        "tmr": reached / counted.same_total,
        "tmr_low": low,
        "tmr_high": high,
    }


def _in_use(spec: EmbedderSpec, counted: Comparisons) -> dict[str, Any] | None:
    """How the calibration and the thresholds in use do on these comparisons."""
    scale = scoring.scale(spec.slug)
    if scale.calibration is None:
        return None
    check = calibration.checked(scale.calibration, source="", comparisons=counted)
    size = scoring.gallery_size(spec)
    thresholds = scale.thresholds(size)
    return {
        "source": scale.calibration.source,
        "made_on": scale.calibration.made_on,
        "ece": check.ece,
        "brier": check.brier,
        "gallery_size": size,
        "verdicts": [
            {
                "verdict": verdict,
                "similarity": similarity,
                "same": counted.same_total - counted.false_non_matches(similarity),
                "different": counted.false_matches(similarity),
                "expected": counted.different_total * scale.calibration.fmr(similarity),
            }
            for verdict, similarity in asdict(thresholds).items()
        ],
    }


def _look_alikes(
    spec: EmbedderSpec, gallery: Gallery, found: evaluation.LeaveOneOut, different: int
) -> list[dict[str, Any]]:
    """Pairs of people who may be one, or faces that may have the wrong name; most alike first.

    `different`: how many comparisons of different people there were.
    """
    scale = scoring.scale(spec.slug)
    if scale.calibration is None or not different:
        return []
    least = scale.calibration.similarity_at(min(LOOK_ALIKE_STRANGERS / different, 1.0))
    pairs: dict[tuple[int, int], dict[str, Any]] = {}
    for place in np.argsort(-found.best_other):
        similarity = float(found.best_other[place])
        if similarity < least or len(pairs) == MOST_LOOK_ALIKES:
            break
        person, other = int(gallery.people[place]), int(found.other[place])
        pairs.setdefault(
            (min(person, other), max(person, other)),
            {
                "face": int(gallery.faces[place]),
                "person": person,
                "other": other,
                "similarity": round(similarity, 4),
            },
        )
    return list(pairs.values())


def _proposed(spec: EmbedderSpec, gallery: Gallery, counted: Comparisons) -> dict[str, Any]:
    """A calibration of these comparisons, or why there can be none."""
    if spec.purpose == "general":
        return {"proposed": None, "proposed_problem": "its embedder is for pictures in general"}
    # Numbered from 0 on, so that the groups have about as many people each.
    numbered = np.unique(gallery.people, return_inverse=True)[1].astype(np.int64)
    try:
        made = calibration.fit(
            embedder=spec.slug,
            version=spec.version,
            source=f"{len(gallery.faces):,} named faces of this archive",
            made_on=timezone.localdate().isoformat(),
            groups=comparisons.of_groups(gallery.vectors, numbered, GROUPS),
            comparisons=counted,
        )
    except CalibrationError as error:
        return {"proposed": None, "proposed_problem": str(error)}
    return {"proposed": made.to_data(), "proposed_problem": ""}


def _bars(counts: Int64) -> list[int]:
    return [int(n) for n in counts.reshape(BARS, -1).sum(axis=1)]
