"""Which change of a model to make on a catalog, chosen and judged by recordings left aside.

The strengths are chosen by cross-validation inside the recordings that a map may learn from, and
the choice as a whole is judged on groups that had no part in it (nested cross-validation; Varma
and Simon, BMC Bioinformatics 2006). So what is said to be gained is gained on artists, albums or
folders whose names the map was not told. Neighbours are all recordings of the catalog: they have
no names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, starmap

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.neighbours import draw_near
from musicu.embeddings.training.adapting import NEVER, kin_map
from musicu.embeddings.training.gains import Gain, paired_gain, precisions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KIN = (NEVER, 300.0, 100.0)  # with a bolder 30 the choice, and so its gain, was less certain
WEIGHTS = (0.0, 0.5, 1.0)  # of a vector's neighbours
WEIGHT = 0.5  # where names cannot choose one; 1 gained more, and less surely
OUTER, INNER = 5, 3
MOST = 1500  # recordings that choices are made on: every try compares all with all


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """What belongs together, and of which kind it is: "artist" or "album".

    kin: int64 [recordings], -1 where unknown. queries: bool [recordings], what may be asked.
    """

    of: str
    kin: Ints
    queries: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Way:
    """A change: the row of the grounds to start from, how strongly its map stays, and what
    neighbours weigh."""

    ground: int = 0
    kin: float = NEVER
    weight: float = 0.0


def choose_way(
    now: Floats, grounds: Sequence[Floats], labels: Labels, seed: int
) -> tuple[Way, Gain]:
    """The best way to go on, and what choosing so gains on groups left aside.

    now: the recordings' vectors by the model as it is, float64 [recordings, dim]. grounds: of each
    model to start from, their vectors before they are brought to unit length and drawn towards
    neighbours; the first is the model as it is. Where choosing gains nothing for certain, the
    usual weight of neighbours alone may: nothing is chosen in it, so it needs less evidence.
    """
    some = _some(labels, np.random.default_rng(seed))
    grounds = [vectors[some] for vectors in grounds]
    labels = Labels(labels.of, labels.kin[some], labels.queries[some])
    parts = _parts(labels.kin, OUTER, np.random.default_rng([seed, 1]))
    before = precisions(now[some], labels.kin, labels.queries)
    after = np.full(len(some), np.nan)
    for part in range(OUTER):
        aside = parts == part
        way = _best_way(grounds, labels, ~aside, seed)
        queries = labels.queries & aside
        after[aside] = _scored(grounds, labels, way, ~aside, queries)[aside]
    of = f"recordings of one {labels.of} find each other"
    gain = paired_gain(of, before, after, labels.kin)
    everything = np.ones(len(some), dtype=np.bool_)
    best = _best_way(grounds, labels, everything, seed)
    if gain.real and best != Way():
        return best, gain
    plain = Way(weight=WEIGHT)
    after = _scored(grounds, labels, plain, everything, labels.queries)
    second = paired_gain(of, before, after, labels.kin, tries=2)
    return (plain, second) if second.real else (Way(), gain)


def _best_way(
    grounds: Sequence[Floats], labels: Labels, learns: NDArray[np.bool_], seed: int
) -> Way:
    """The best by cross-validation among the recordings that may be learned from; ties stay."""
    parts = _parts(labels.kin, INNER, np.random.default_rng([seed, 2]))
    best, highest = Way(), -1.0
    for way in starmap(Way, product(range(len(grounds)), KIN, WEIGHTS)):
        found = []
        for part in range(INNER):
            aside = learns & (parts == part)
            queries = labels.queries & aside
            found.append(_scored(grounds, labels, way, learns & ~aside, queries)[queries])
        scores = np.concatenate(found)
        score = float(np.nanmean(scores)) if np.isfinite(scores).any() else -1.0
        if score > highest:
            best, highest = way, score
    return best


def _scored(
    grounds: Sequence[Floats],
    labels: Labels,
    way: Way,
    learns: NDArray[np.bool_],
    queries: NDArray[np.bool_],
) -> Floats:
    """Precisions of the queries by a way that was told only what `learns`."""
    vectors = grounds[way.ground]
    if way.kin != NEVER:
        vectors = vectors @ kin_map(vectors, np.where(learns, labels.kin, -1), way.kin)
    return precisions(draw_near(vectors, vectors, way.weight), labels.kin, queries)


def _parts(kin: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Which of `count` parts each recording is in, int64 [recordings]; groups stay whole."""
    names, codes = np.unique(_groups(kin), return_inverse=True)
    parts: Ints = (rng.permutation(len(names)) % count)[codes]
    return parts


def _some(labels: Labels, rng: np.random.Generator) -> Ints:
    """Rows of at most MOST recordings, group after group, int64."""
    names, codes = np.unique(_groups(labels.kin), return_inverse=True)
    order = np.argsort(rng.permutation(len(names))[codes], kind="stable")
    return np.sort(order[:MOST])


def _groups(kin: Ints) -> Ints:
    """Numbers of groups in which what belongs to nothing is alone."""
    return np.where(kin >= 0, kin, -1 - np.arange(len(kin)))
