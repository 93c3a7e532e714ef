"""Regions of a catalog: tracks whose vectors point in like directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

#: Centres are learned from at most this many tracks; all are then assigned.
MAX_LEARNED = 20_000
_ROUNDS = 60
_BLOCK_ROWS = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """A region by its middle.

    middle: the row nearest to its centre. size: how many rows it has. nearest: int64, the rows
    of it that are nearest to the middle, best first, the middle among them. central: int64, those
    nearest to the centre.
    """

    middle: int
    size: int
    nearest: Labels
    central: Labels


def neighbourhoods(
    values: Floats, count: int, pool: int, central_pool: int, seed: int = 0
) -> list[Neighbourhood]:
    """The regions as `regions` finds them, each with at most so many of its rows."""
    labels, centres = regions(values, count, seed)
    central = _own_cosines(values, centres, labels)
    groups = [np.flatnonzero(labels == number) for number in range(len(centres))]
    middles = [int(rows[np.argmax(central[rows])]) for rows in groups]
    near = _own_cosines(values, values[middles], labels)
    return [
        Neighbourhood(
            middle, len(rows), _highest(near, rows, pool), _highest(central, rows, central_pool)
        )
        for middle, rows in zip(middles, groups, strict=True)
    ]


def _highest(scores: Floats, rows: Labels, most: int) -> Labels:
    """Some rows in falling score, at most so many."""
    return rows[np.argsort(-scores[rows], kind="stable")[:most]]


def region_count(tracks: int) -> int:
    """How many regions a catalog of so many tracks is best seen in: 3 to 24."""
    return int(np.clip(round((tracks / 6) ** 0.5), 3, 24))


def regions(values: Floats, count: int, seed: int = 0) -> tuple[Labels, Floats]:
    """Labels int64 [tracks], the largest region first, and centres float32 [count, dim].

    values: float32 [tracks, dim], unit length. Spherical k-means (Dhillon & Modha 2001) from
    k-means++ centres (Arthur & Vassilvitskii 2007); the same input gives the same regions. There
    are fewer than `count` where the tracks are fewer or too alike.
    """
    rng = np.random.default_rng(seed)
    centres = region_centres(values[sample_rows(len(values), rng)], count, rng)
    return by_size(nearest_centre(values, centres), centres)


def sample_rows(tracks: int, rng: np.random.Generator) -> Labels:
    """The rows that centres are learned from, rising: all of them, or MAX_LEARNED."""
    if tracks <= MAX_LEARNED:
        return np.arange(tracks)
    return np.sort(rng.choice(tracks, MAX_LEARNED, replace=False))


def region_centres(learned: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Centres float32 [at most count, dim] of some unit vectors."""
    centres = _first_centres(learned, count, rng)
    labels = nearest_centre(learned, centres)
    for _ in range(_ROUNDS):
        centres = _centres(learned, labels, centres)
        moved = nearest_centre(learned, centres)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return centres


def _first_centres(values: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Each next one by chance, by its squared distance to the nearest so far."""
    if not len(values):
        return values[:0]
    chosen = [int(rng.integers(len(values)))]
    far = np.full(len(values), np.inf)
    for _ in range(count - 1):
        far = np.minimum(far, np.maximum(0, 2 - 2 * (values @ values[chosen[-1]]).astype(float)))
        far[far < 1e-6] = 0  # copies of a centre
        if not far.sum():
            break
        chosen.append(int(rng.choice(len(values), p=far / far.sum())))
    return values[chosen]


def nearest_centre(values: Floats, centres: Floats) -> Labels:
    """The centre nearest to each unit vector, int64 [vectors]."""
    labels = np.empty(len(values), np.int64)
    for start in range(0, len(values), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        labels[part] = np.argmax(values[part] @ centres.T, axis=1)
    return labels


def _own_cosines(values: Floats, centres: Floats, labels: Labels) -> Floats:
    """The cosine of each unit vector with the centre that its label names: float32 [vectors]."""
    found = np.empty(len(values), np.float32)
    for start in range(0, len(values), _BLOCK_ROWS):
        part = slice(start, start + _BLOCK_ROWS)
        products = values[part] @ centres.T
        found[part] = products[np.arange(len(products)), labels[part]]
    return found


def _centres(values: Floats, labels: Labels, before: Floats) -> Floats:
    """The mean direction of each region; an empty one stays where it was."""
    sums = np.zeros(before.shape, np.float64)
    for label in np.unique(labels):
        sums[label] = values[labels == label].sum(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    means = np.divide(sums, lengths, out=before.astype(np.float64), where=lengths > 1e-9)
    return np.asarray(means, np.float32)


def by_size(labels: Labels, centres: Floats) -> tuple[Labels, Floats]:
    """The largest region is 0; empty ones go."""
    sizes = np.bincount(labels, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())]
    place = np.zeros(len(centres), np.int64)
    place[order] = np.arange(len(order))
    return place[labels], centres[order]
