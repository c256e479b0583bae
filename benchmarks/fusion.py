"""How best to rank people who have several faces: identification by several rules, side by side.

FOLDER holds one folder for each person, as LFW does. The most prominent face of each photo has
the folder's name; other faces are nobody's, and stand alone. Every face of a person with several
photos is looked up among all the others; people with one photo are the strangers of the open set.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faceweb.recognition import fusion, pipeline
from faceweb.recognition.images import decode

BATCH = 8
WRONG, TRIALS = 0.05, 3
CROWDS, CROWD = 300, 60

Rule = Callable[[np.ndarray, np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th photo only")
    parser.add_argument("--keep", type=Path, help="keep the embeddings there, for the next time")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    vectors, people, named = _gallery(options.folder, options.every, options.keep)
    print(f"{len(vectors)} faces, {named.sum()} named, of {len(set(people[named]))} people")
    print(f"{'rule':28}{'rank 1':>8}{'2+ faces':>10}{'FNIR':>8}{'2+ faces':>10}"
          f"{'wrong':>8}{'3+ faces':>10}{'crowds':>8}")  # fmt: skip
    figures = {}
    for name, rule in RULES.items():
        found = figures[name] = _measured(rule, vectors, people, named)
        print(f"{name:28}" + "".join(
            f"{value:{width}.4f}" for value, width in zip(
                found.values(), (8, 10, 8, 10, 8, 10, 8), strict=True)), flush=True)  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def _gallery(folder: Path, every: int, keep: Path | None) -> tuple[np.ndarray, ...]:
    """Unit vectors (n, d), whose each is as a number (n,), and whether that is a name (n,)."""
    if keep and keep.exists():
        stored = np.load(keep)
        return stored["vectors"], stored["people"], stored["named"]
    loaded = pipeline.load(embedder="sface", detector="mtcnn")
    paths = sorted(folder.glob("*/*.jp*g"))[::every]
    vectors, owners = [], []
    for at in range(0, len(paths), BATCH):
        part = paths[at : at + BATCH]
        analysed = loaded.analyse([decode(path.read_bytes()) for path in part])
        for path, faces in zip(part, analysed, strict=True):
            for number, face in enumerate(faces):
                vectors.append(face.embedding)
                owners.append(path.parent.name if number == 0 else f"{path.name} #{number}")
    named = np.array(["#" not in owner for owner in owners])
    people = np.unique(owners, return_inverse=True)[1]
    if keep:
        np.savez(keep, vectors=np.stack(vectors), people=people, named=named)
    return np.stack(vectors), people, named


def _best(similarities: np.ndarray, groups: np.ndarray) -> np.ndarray:
    best = np.full(groups.max() + 1, -np.inf)
    np.maximum.at(best, groups, similarities)
    return best


def _mean_of_best(most: int) -> Rule:
    def rule(similarities: np.ndarray, groups: np.ndarray) -> np.ndarray:
        order = np.lexsort((-similarities, groups))
        groups, similarities = groups[order], similarities[order]
        starts = np.searchsorted(groups, np.arange(groups.max() + 1))
        kept = np.arange(len(groups)) - starts[groups] < most
        counts = np.bincount(groups[kept])
        return np.bincount(groups[kept], similarities[kept]) / counts

    return rule


def _log_sum(similarities: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.log(np.bincount(groups, np.exp(15 * similarities))) / 15


def _fused(sharpness: float, together: float) -> Rule:
    def rule(similarities: np.ndarray, groups: np.ndarray) -> np.ndarray:
        chosen = fusion._SHARPNESS, fusion._TOGETHER
        fusion._SHARPNESS, fusion._TOGETHER = sharpness, together
        try:
            return fusion.fused_groups(similarities, groups)
        finally:
            fusion._SHARPNESS, fusion._TOGETHER = chosen

    return rule


RULES: dict[str, Rule] = {
    "best face": _best,
    "mean of all": _mean_of_best(10**6),
    "mean of the best 3": _mean_of_best(3),
    "log of summed exponentials": _log_sum,
    "template (no weights)": _fused(0, 0.6),
    **{f"fused, together {t}": _fused(6, t) for t in (0.4, 0.5, 0.6, 0.7, 0.8)},
    "fused, sharper": _fused(12, 0.6),
}


def _measured(
    rule: Rule, vectors: np.ndarray, people: np.ndarray, named: np.ndarray
) -> dict[str, float]:
    sizes = np.bincount(people)[people]
    mated, strangers = np.flatnonzero(named & (sizes > 1)), np.flatnonzero(named & (sizes == 1))
    several = sizes[mated] > 2  # the gallery has two others at least
    own, other = _looked_up(rule, vectors, people, people, mated)
    limit = np.sort(_looked_up(rule, vectors, people, people, strangers)[1])
    limit = limit[-max(len(strangers) // 100, 1)]
    right, accepted = own > other, (own > other) & (own > limit)
    wrong = [_with_wrong_names(rule, vectors, people, named, mated, n) for n in range(TRIALS)]
    crowded, crowds = _crowded(vectors, people, strangers)
    own, other = _looked_up(rule, crowded, crowds, crowds, mated)
    return {
        "rank_1": float(right.mean()),
        "rank_1_several": float(right[several].mean()),
        "fnir_at_fpir_1_percent": float(1 - accepted.mean()),
        "fnir_several": float(1 - accepted[several].mean()),
        "rank_1_wrong_names": float(np.mean([all_ for all_, _ in wrong])),
        "rank_1_wrong_names_several": float(np.mean([some for _, some in wrong])),
        "rank_1_crowds": float((own > other).mean()),
    }


def _looked_up(
    rule: Rule, vectors: np.ndarray, people: np.ndarray, truth: np.ndarray, probes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The score of the right person, -inf if there is no other face, and of the best other one."""
    own, other = np.full(len(probes), -np.inf), np.full(len(probes), -np.inf)
    everyone = np.arange(len(vectors))
    for at, probe in enumerate(probes):
        rest = everyone != probe
        numbers, groups = np.unique(people[rest], return_inverse=True)
        scores = rule((vectors[rest] @ vectors[probe]).astype(np.float64), groups)
        is_own = numbers == truth[probe]
        own[at] = scores[is_own].max(initial=-np.inf)
        other[at] = scores[~is_own].max()
    return own, other


def _with_wrong_names(
    rule: Rule,
    vectors: np.ndarray,
    people: np.ndarray,
    named: np.ndarray,
    probes: np.ndarray,
    seed: int,
) -> tuple[float, float]:
    """Rank 1 where some of the names were dealt out anew: of all, and of those with 3 faces.
    Only people count of whom a rightly named face is left."""  # fmt: skip
    rng = np.random.default_rng(seed)
    moved = rng.choice(np.flatnonzero(named), int(WRONG * named.sum()), replace=False)
    dealt = people.copy()
    dealt[moved] = people[rng.permutation(moved)]
    left = np.array([((dealt == people[p]) & (people == people[p])).sum() for p in probes])
    left -= dealt[probes] == people[probes]
    faces = np.array([(dealt == people[p]).sum() for p in probes])
    faces -= dealt[probes] == people[probes]
    own, other = _looked_up(rule, vectors, dealt, people, probes)
    right = own > other
    return float(right[left > 0].mean()), float(right[(left > 0) & (faces > 2)].mean())


def _crowded(
    vectors: np.ndarray, people: np.ndarray, strangers: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The gallery with many further pictures of some strangers, made up: such pictures differ as
    pictures of one person do, and are about 0.65 alike."""
    rng = np.random.default_rng(1)
    groups = [np.flatnonzero(people == p) for p in np.flatnonzero(np.bincount(people) > 3)]
    apart = np.concatenate([vectors[g] - vectors[g].mean(axis=0) for g in groups])
    root = np.linalg.cholesky(np.cov(apart.T) + 1e-6 * np.eye(vectors.shape[1]))
    chosen = rng.permutation(strangers)[:CROWDS]
    centres = np.repeat(vectors[chosen] * 0.8, CROWD, axis=0)
    made = centres + 1.15 * rng.normal(size=centres.shape) @ root.T
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    together = np.concatenate([vectors, made.astype(np.float32)])
    return together, np.concatenate([people, np.repeat(people[chosen], CROWD)])


if __name__ == "__main__":
    main()
