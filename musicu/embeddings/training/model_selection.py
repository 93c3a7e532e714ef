"""Hyper-parameter selection of fine-tuning, by nested cross-validation over label groups.

Hyper-parameters are chosen by cross-validation inside the groups that a projection may be fitted
to, and the choice as a whole is judged on groups that had no part in it (Varma and Simon, BMC
Bioinformatics 2006). So a gain is one on artists or albums whose names were not used. Neighbours
are all recordings of the catalog: they have no names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, starmap

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.neighbours import smooth
from musicu.embeddings.training.gains import Gain, paired_gain, precisions
from musicu.embeddings.training.wccn import NEVER, wccn_projection

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = (NEVER, 300.0, 100.0)  # with a bolder 30 the choice, and so its gain, was less certain
WEIGHTS = (0.0, 0.5, 1.0)  # of a vector's neighbours
WEIGHT = 0.5  # where names cannot choose one; 1 gained more, and less surely
OUTER, INNER = 5, 3
MOST = 1500  # recordings that choices are made on: each one compares all with all


@dataclass(frozen=True, slots=True, eq=False)
class SelectionGroups:
    """Which recordings belong together, and by what: "artist" or "album".

    groups: int64 [recordings], -1 where unknown. queries: bool [recordings], which may be asked.
    """

    kind: str
    groups: Ints
    queries: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Hyper-parameters: the model to start from, by its row, the `wccn_projection`'s strength,
    and the weight of neighbours."""

    start: int = 0
    strength: float = NEVER
    weight: float = 0.0


def select_adaptation(
    now: Floats, starts: Sequence[Floats], labels: SelectionGroups, seed: int
) -> tuple[Adaptation, Gain]:
    """The best adaptation, and what selecting it so gains on label groups left aside.

    now: the recordings' vectors by the model as it is, float64 [recordings, dim]. starts: of each
    model to start from, its vectors before unit length and neighbour smoothing; the first is the
    model as it is. Where selection gains nothing for certain, the usual weight of neighbours alone
    may: nothing is chosen in it, so it needs less evidence.
    """
    some = _sample(labels, np.random.default_rng(seed))
    starts = [vectors[some] for vectors in starts]
    labels = SelectionGroups(labels.kind, labels.groups[some], labels.queries[some])
    parts = _parts(labels.groups, OUTER, np.random.default_rng([seed, 1]))
    before = precisions(now[some], labels.groups, labels.queries)
    after = np.full(len(some), np.nan)
    for part in range(OUTER):
        aside = parts == part
        chosen = _best(starts, labels, ~aside, seed)
        queries = labels.queries & aside
        after[aside] = _scores(starts, labels, chosen, ~aside, queries)[aside]
    of = f"recordings of one {labels.kind} find each other"
    gain = paired_gain(of, before, after, labels.groups)
    everything = np.ones(len(some), dtype=np.bool_)
    best = _best(starts, labels, everything, seed)
    if gain.real and best != Adaptation():
        return best, gain
    plain = Adaptation(weight=WEIGHT)
    after = _scores(starts, labels, plain, everything, labels.queries)
    second = paired_gain(of, before, after, labels.groups, tries=2)
    return (plain, second) if second.real else (Adaptation(), gain)


def _best(
    starts: Sequence[Floats], labels: SelectionGroups, learns: NDArray[np.bool_], seed: int
) -> Adaptation:
    """The best by cross-validation among the recordings that may be learned from; ties stay."""
    parts = _parts(labels.groups, INNER, np.random.default_rng([seed, 2]))
    best, highest = Adaptation(), -1.0
    for one in starmap(Adaptation, product(range(len(starts)), STRENGTHS, WEIGHTS)):
        found = []
        for part in range(INNER):
            aside = learns & (parts == part)
            queries = labels.queries & aside
            found.append(_scores(starts, labels, one, learns & ~aside, queries)[queries])
        scores = np.concatenate(found)
        score = float(np.nanmean(scores)) if np.isfinite(scores).any() else -1.0
        if score > highest:
            best, highest = one, score
    return best


def _scores(
    starts: Sequence[Floats],
    labels: SelectionGroups,
    chosen: Adaptation,
    learns: NDArray[np.bool_],
    queries: NDArray[np.bool_],
) -> Floats:
    """Precisions of the queries by an adaptation whose projection is fitted to `learns` alone."""
    vectors = starts[chosen.start]
    if chosen.strength != NEVER:
        groups = np.where(learns, labels.groups, -1)
        vectors = vectors @ wccn_projection(vectors, groups, chosen.strength)
    return precisions(smooth(vectors, vectors, chosen.weight), labels.groups, queries)


def _parts(groups: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Which of `count` parts each recording is in, int64 [recordings]; groups stay whole."""
    names, codes = np.unique(_alone(groups), return_inverse=True)
    parts: Ints = (rng.permutation(len(names)) % count)[codes]
    return parts


def _sample(labels: SelectionGroups, rng: np.random.Generator) -> Ints:
    """Rows of at most MOST recordings, group after group, int64."""
    names, codes = np.unique(_alone(labels.groups), return_inverse=True)
    order = np.argsort(rng.permutation(len(names))[codes], kind="stable")
    return np.sort(order[:MOST])


def _alone(groups: Ints) -> Ints:
    """Numbers of groups in which each recording without one is a group of its own."""
    return np.where(groups >= 0, groups, -1 - np.arange(len(groups)))
