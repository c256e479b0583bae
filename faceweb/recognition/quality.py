"""How much can be expected of a face: a score from 0 to 1, and what is wrong with it.

The score is the share of its similarity to other pictures of the same person that a face keeps,
against the same face in a good picture; each cause takes its share (docs/adr/0014 has the
measurements behind the curves). It needs nothing but the aligned crop, the box and the landmarks,
and no library that only the worker has.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from faceweb.recognition.embedders.catalogue import FACE_112

Float32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# A poorer face is stored and found, but does not define a person: it is no cover, founds no
# cluster, passes no name on, and does not speak for its person in a search. Around this score one
# face in four is not recognised any more; of good ones it is one in fifty.
DEFINING_QUALITY = 0.7

# Quality is judged on crops of this kind, whichever crops the embedder takes.
CROP = FACE_112
CROP_SIZE, TEMPLATE = CROP.size, CROP.template

_GREY = np.array([0.299, 0.587, 0.114], np.float32) / 4  # of sums of four pixels

# A cause is named where it leaves less than this share.
_NAMED_BELOW = 0.92


class Reason(StrEnum):
    """What makes a face poor. The value is stored on rows."""

    SMALL = "small"
    BLURRED = "blurred"
    DARK = "dark"
    TOO_BRIGHT = "too_bright"
    TURNED_AWAY = "turned_away"
    CUT_OFF = "cut_off"
    DOUBTFUL = "doubtful"  # the detector was not sure that it is a face


@dataclass(frozen=True)
class Quality:
    """`score` is 0 (useless) to 1 (as good as a portrait); `reasons` begin with the worst."""

    score: float
    reasons: tuple[Reason, ...]


# What is left of the similarity, along each measure: (measure, share left), straight between.
_SHARES: dict[Reason, tuple[tuple[float, float], ...]] = {
    # the smaller side of the box in pixels
    Reason.SMALL: ((10, 0.3), (20, 0.74), (23, 0.82), (29, 0.89), (36, 0.94), (46, 0.98), (60, 1)),
    # how much of the detail a blur would take away
    Reason.BLURRED: ((0.1, 0.2), (0.16, 0.5), (0.205, 0.64), (0.275, 0.76), (0.33, 0.84),
                     (0.37, 0.92), (0.45, 1)),
    # the brightness that all but the brightest twentieth of the face stay below: even the lights
    # are dark then, whatever the colour of the skin
    Reason.DARK: ((4, 0.2), (14, 0.65), (22, 0.81), (36, 0.91), (70, 1)),
    # the share of the face that is white
    Reason.TOO_BRIGHT: ((0.05, 1), (0.42, 0.83), (0.65, 0.68), (0.75, 0.57), (1, 0.2)),
    # see _turn
    Reason.TURNED_AWAY: ((0.35, 1), (0.45, 0.92), (0.55, 0.85), (1, 0.5)),
    # the share of the crop that is beyond the picture
    Reason.CUT_OFF: ((0, 1), (0.06, 0.88), (0.27, 0.58), (0.45, 0.42), (0.6, 0.25), (0.8, 0.1)),
    # the detector's score
    Reason.DOUBTFUL: ((0.6, 0.4), (0.8, 0.7), (0.9, 0.85), (0.98, 0.95), (0.995, 1)),
}  # fmt: skip
_CURVES = {reason: np.array(shares) for reason, shares in _SHARES.items()}


def defines_person(score: float | None) -> bool:
    """Whether a face of this quality may stand for its person; one not judged yet may."""
    return score is None or score >= DEFINING_QUALITY


def assess(
    crops: Pixels, boxes: Float32, landmarks: Float32, scores: Float32, sizes: Float32
) -> list[Quality]:
    """Judge faces, of one picture or of several.

    `crops` uint8 (n, CROP_SIZE, CROP_SIZE, 3) RGB, aligned to TEMPLATE. `boxes` (n, 4) and
    `landmarks` (n, 5, 2) in pixels of the picture that a crop was cut from, whose width and height
    are in `sizes` (n, 2). `scores` (n,) of the detector. n may be zero.
    """
    grey = _half_size(crops)
    face = grey.reshape(-1, _HALF**2)[:, _FACE]
    measures = {
        Reason.SMALL: (boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf),
        Reason.BLURRED: _detail(grey),
        Reason.DARK: np.percentile(face, 95, axis=1) if len(face) else np.zeros(0),
        Reason.TOO_BRIGHT: (face >= 249).mean(axis=1),
        Reason.TURNED_AWAY: _turn(landmarks),
        Reason.CUT_OFF: _beyond(landmarks, sizes),
        Reason.DOUBTFUL: scores,
    }
    left = {
        reason: np.interp(measures[reason], curve[:, 0], curve[:, 1])
        for reason, curve in _CURVES.items()
    }
    # A small face looks blurred at the crop's size too: what takes more counts, not both.
    sharp = np.minimum(left[Reason.SMALL], left[Reason.BLURRED])
    others = set(left) - {Reason.SMALL, Reason.BLURRED}
    total = sharp * np.prod([left[reason] for reason in others], axis=0)
    return [
        Quality(round(float(score), 3), _named({r: float(v[n]) for r, v in left.items()}))
        for n, score in enumerate(total)
    ]


def _named(left: dict[Reason, float]) -> tuple[Reason, ...]:
    """The causes worth naming, worst first."""
    named = sorted((share, reason) for reason, share in left.items() if share < _NAMED_BELOW)
    reasons = [reason for _, reason in named]
    if Reason.SMALL in reasons and left[Reason.BLURRED] >= left[Reason.SMALL] - 0.1:
        reasons = [reason for reason in reasons if reason != Reason.BLURRED]
    return tuple(reasons)


def _ellipse(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (..., 2) of the crop are on the face: from the brows to the chin."""
    inside: NDArray[np.bool_] = (((points - (56, 66)) / (38, 44)) ** 2).sum(axis=-1) <= 1
    return inside


def _places(step: int) -> NDArray[np.float64]:
    """The middles of squares of `step` pixels of the crop: (rows, columns, 2), x before y."""
    middles = np.arange(step / 2, CROP_SIZE, step) - 0.5
    return np.stack(np.meshgrid(middles, middles), axis=-1)


_HALF = CROP_SIZE // 2
# The face's pixels, counted along the rows of a picture at half the crop's size.
_FACE = np.flatnonzero(_ellipse(_places(2)))
_GRID = _places(8)[_ellipse((_places(8) - (56, 66)) * 0.88 + (56, 66))]

# How far a pixel's neighbours are in that count: right, below and on both diagonals.
_NEIGHBOURS = (1, _HALF, _HALF + 1, _HALF - 1)


def _half_size(crops: Pixels) -> Float32:
    """Crops (n, h, w, 3) as grey pictures of half the size, float32 (n, h / 2, w / 2)."""
    rows = crops[:, ::2].astype(np.uint16) + crops[:, 1::2]
    return np.asarray((rows[:, :, ::2] + rows[:, :, 1::2]) @ _GREY, np.float32)


def _detail(grey: Float32) -> Float32:
    """The share of the detail in grey pictures (n, h, w) that a blur takes away, 0 to 1; (n,).

    A sharp picture loses much by blurring, a blurred one little: Crete et al., "The blur effect:
    perception and estimation with a new no-reference perceptual blur metric", 2007. It is asked
    of pictures at half size, where noise and compression say less, in four directions; the least
    counts, so that the blur of a movement shows.
    """
    averaged = _averaged(_averaged(grey, 1), 2)
    sharp, blurred = (picture.reshape(-1, _HALF**2) for picture in (grey, averaged))
    sharp_face, blurred_face = sharp[:, _FACE], blurred[:, _FACE]
    shares = []
    for step in _NEIGHBOURS:
        before = np.abs(sharp[:, _FACE + step] - sharp_face)
        lost = before - np.abs(blurred[:, _FACE + step] - blurred_face)
        shares.append(lost.clip(0).sum(axis=1) / np.maximum(before.sum(axis=1), 1e-3))
    least: Float32 = np.min(shares, axis=0)
    return least


def _averaged(pictures: Float32, axis: int) -> Float32:
    """Means of five neighbours along an axis; round the edge, where no face is."""
    total = sum((np.roll(pictures, by, axis) for by in (-2, -1, 1, 2)), pictures)
    return np.asarray(total / 5, np.float32)


def _turn(landmarks: Float32) -> Float32:
    """How far faces (n, 5, 2) are turned to a side, up or down: 0 faces the camera, 1 is a profile.

    To a side the nose leaves the middle line, and the eyes come close to each other; looking
    down or up the nose comes near the mouth or the eyes.
    """
    eyes = landmarks[:, 1] - landmarks[:, 0]
    middle = landmarks[:, :2].mean(axis=1)
    down = landmarks[:, 3:].mean(axis=1) - middle
    nose = landmarks[:, 2] - middle
    apart = np.maximum(np.linalg.norm(eyes, axis=1), 1e-6)
    length = np.maximum(np.linalg.norm(down, axis=1), 1e-6)
    aside = np.abs(down[:, 0] * nose[:, 1] - down[:, 1] * nose[:, 0]) / length / apart
    narrow = np.interp(apart / length, (0.3, 0.55, 0.7, 0.75), (1.0, 0.62, 0.45, 0.35))
    along = (nose * down).sum(axis=1) / length**2
    tilted = np.interp(along, (0.0, 0.2, 0.33, 0.85, 1.0), (1.0, 0.6, 0.35, 0.35, 0.8))
    turned = np.maximum(np.maximum(aside, narrow), tilted)
    return np.asarray(turned, np.float32)


def _beyond(landmarks: Float32, sizes: Float32) -> Float32:
    """The share of each face's crop that lies beyond the picture's edges; (n,)."""
    # The crop's similarity transform, in complex numbers: least squares as in alignment.
    template = np.asarray(TEMPLATE, np.float64) @ (1, 1j)
    points = landmarks.astype(np.float64) @ (1, 1j)
    centre, target = points.mean(axis=1), template.mean()
    spread = points - centre[:, None]
    factor = (spread.conj() @ (template - target)) / np.maximum((np.abs(spread) ** 2).sum(1), 1e-9)
    factor = np.where(factor == 0, 1e-9, factor)
    places = ((_GRID @ (1, 1j))[None] - target) / factor[:, None] + centre[:, None]
    outside = (places.real < 0) | (places.imag < 0)
    outside |= (places.real > sizes[:, :1] - 1) | (places.imag > sizes[:, 1:] - 1)
    return np.asarray(outside.mean(axis=1), np.float32)
