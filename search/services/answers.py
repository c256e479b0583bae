"""A finished search as plain data, for programs."""

from typing import Any

from search.models import Candidate, ProbeFace, Search
from search.services.searches import faces_sentence, live_faces


def answer_as_data(*, search: Search, photo: str) -> dict[str, Any]:
    """One search as a dictionary that JSON can hold; `photo` is how the asker called it.

    Boxes are x1, y1, x2, y2 in pixels of the upright photo.
    """
    probes = list(ProbeFace.objects.filter(search=search).order_by("number"))
    return {
        "photo": photo,
        "error": search.problem or None,
        "gallery_size": search.gallery_size,
        "sentence": faces_sentence(search, len(probes)),
        "faces": [_face(probe) for probe in probes],
    }


def _face(probe: ProbeFace) -> dict[str, Any]:
    candidates = (
        Candidate.objects.filter(probe=probe, face__in=live_faces())
        .select_related("face__person", "face__photo")
        .order_by("rank")
    )
    return {
        "box": [round(v, 1) for v in (probe.x1, probe.y1, probe.x2, probe.y2)],
        "detection_score": round(probe.detection_score, 4),
        "verdict": probe.verdict,
        "candidates": [_candidate(one) for one in candidates],
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    person = one.face.person
    return {
        "rank": one.rank,
        "person": person.name if person else None,
        "person_id": person.pk if person else None,
        "face_id": one.face_id,
        "photo": one.face.photo.original_name,
        "photo_id": one.face.photo_id,
        "similarity": round(one.similarity, 4),
        "verdict": one.verdict,
    }
