"""Answering a search: the probe photo's faces, and for each the most similar known people.

Worker only. Who is similar is worked out in ranking.py.
"""

import json
import logging
import time
import uuid
from typing import BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from faceweb import runtime
from faceweb.recognition.errors import ImageError
from faceweb.recognition.images import DecodedImage, decode
from faceweb.recognition.pipeline import FoundFace
from faceweb.recognition.previews import encode_jpeg
from people.files import CROP_SIDE, PREVIEW_SIDE
from people.jobs import Status
from people.models import FileRemoval
from search import files
from search.models import Candidate, ProbeFace, Search, Verdict
from search.services.ranking import Answer, identify
from search.services.searches import NO_VERDICT

log = logging.getLogger("faceweb.search")

# Pictures of a person's faces that are shown as speaking for an answer.
_SHOWN_SUPPORT = 8


def run_search(*, search_id: uuid.UUID, worker: str) -> None:
    """Answer a queued search; one that is in other hands or answered is passed over."""
    search = Search.objects.claim([search_id], worker=worker).first()
    if search is None:
        return
    start = time.perf_counter()
    try:
        with default_storage.open(search.file.name or "") as file:
            image = decode(cast(BinaryIO, file), max_pixels=settings.FACEWEB_MAX_PIXELS)
        faces = runtime.pipeline().analyse([image], mirrored=True)[0]
        gallery_size = runtime.index().count(runtime.pipeline().spec.collection)
        vectors = np.stack([face.embedding for face in faces]) if faces else None
        answers = identify(
            vectors=vectors, top=search.top, index=runtime.index(),
            spec=runtime.pipeline().spec, size=gallery_size,
        )  # fmt: skip
    except ImageError as error:
        _fail(search, error.problem.value, error.detail)
        return
    except FileNotFoundError as error:
        _fail(search, "file_missing", str(error))
        return
    except Exception as error:
        log.exception("search %s failed", search.pk)
        _fail(search, "unexpected", f"{type(error).__name__}: {error}")
        return
    _store_files(search, image, faces, answers)
    search.gallery_size, search.seconds = gallery_size, time.perf_counter() - start
    _commit(search, image, faces, answers)
    log.info(
        "search %s %r done: %d faces, %.0f ms",
        search.pk, search.original_name, len(faces), (time.perf_counter() - start) * 1000,
    )  # fmt: skip


def _fail(search: Search, code: str, detail: str) -> None:
    Search.objects.filter(pk=search.pk, claim=search.claim).fail(code, detail)
    log.warning("search %s %r failed: %s %s", search.pk, search.original_name, code, detail)


def _store_files(
    search: Search, image: DecodedImage, faces: list[FoundFace], answers: list[Answer]
) -> None:
    """Write the pictures, and which stored faces speak for each candidate."""
    contents = {files.picture(search.pk): encode_jpeg(image.pixels, longest_side=PREVIEW_SIDE)}
    for number, face in enumerate(faces, start=1):
        contents[files.crop(search.pk, number)] = encode_jpeg(face.crop, longest_side=CROP_SIDE)
    support = {
        number: {
            rank: {"faces": one.support[:_SHOWN_SUPPORT], "compared": one.compared}
            for rank, one in enumerate(answer.found, start=1)
        }
        for number, answer in enumerate(answers, start=1)
    }
    contents[files.support(search.pk)] = json.dumps(support).encode()
    for name, content in contents.items():
        default_storage.save(name, ContentFile(content))


def _commit(
    search: Search, image: DecodedImage, faces: list[FoundFace], answers: list[Answer]
) -> None:
    with transaction.atomic():
        mine = Search.objects.select_for_update().filter(pk=search.pk, claim=search.claim)
        if not mine.exists():
            # Deleted while it was answered: what was written for it must go too.
            numbers = range(1, len(faces) + 1)
            FileRemoval.objects.bulk_create(
                FileRemoval(name=name) for name in files.made_for(search.pk, numbers)
            )
            return
        ProbeFace.objects.filter(search=search).delete()
        for number, (face, answer) in enumerate(zip(faces, answers, strict=True), start=1):
            probe = _probe(search, number, face, answer)
            Candidate.objects.bulk_create(
                Candidate(
                    probe=probe, rank=rank, person_id=one.person_id, face_id=one.face_id,
                    similarity=one.similarity, confidence=one.confidence,
                    strangers=one.strangers, support=len(one.support),
                    verdict=one.verdict or NO_VERDICT,
                )
                for rank, one in enumerate(answer.found, start=1)
            )  # fmt: skip
        mine.update(
            status=Status.DONE, claim=None, claimed_by="", lease_expires_at=None,
            width=image.width, height=image.height, seconds=search.seconds,
            gallery_size=search.gallery_size, finished_at=timezone.now(),
            embedder=runtime.pipeline().spec.slug,
        )  # fmt: skip


def _probe(search: Search, number: int, face: FoundFace, answer: Answer) -> ProbeFace:
    x1, y1, x2, y2 = (float(v) for v in face.box)
    verdict = answer.found[0].verdict if answer.found else Verdict.UNKNOWN
    return ProbeFace.objects.create(
        search=search,
        number=number,
        x1=x1, y1=y1, x2=x2, y2=y2,
        landmarks=[[round(float(x), 2), round(float(y), 2)] for x, y in face.landmarks],
        detection_score=face.score,
        quality=face.quality,
        quality_reasons=list(face.quality_reasons),
        margin=answer.margin,
        verdict=verdict or NO_VERDICT,
    )  # fmt: skip
