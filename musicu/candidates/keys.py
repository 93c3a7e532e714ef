"""Finding a few common keys in many, without sorting the many.

A key is an int64 from 0: a listener and a track, or a listener and an artist, as one number. Both
sides are thinned first by a table of bits at a hash of each key (Bloom, 1970, with one hash), so
that only what has a chance is sorted and compared.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

#: Times a listener's number, plus a row's or an artist's; there are never as many of those.
MANY = 1 << 32

_BITS = 22
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 over the golden ratio (Knuth, TAOCP 3, 6.4)


def places_of(asked: Ints, known: Ints) -> Ints:
    """Where each asked key stands among the known: int64 [asked], -1 where it does not.

    Where a key is known several times, one of its places.
    """
    found = np.full(asked.shape, -1, np.int64)
    place = np.flatnonzero(maybe_among(known, asked))
    place = place[np.argsort(known[place], kind="stable")]
    if len(place):
        rest = known[place]
        some = np.flatnonzero(maybe_among(asked.ravel(), rest))
        at = np.minimum(np.searchsorted(rest, asked.flat[some]), len(rest) - 1)
        equal = rest[at] == asked.flat[some]
        found.flat[some[equal]] = place[at[equal]]
    return found


def maybe_among(keys: Ints, others: Ints) -> Mask:
    """Which keys may be among the others: all that are, and a few more. bool [keys]."""
    table = np.zeros(1 << _BITS, bool)
    table[_cells(others)] = True
    chance: Mask = table[_cells(keys)]
    return chance


def _cells(keys: Ints) -> NDArray[np.uint64]:
    cells: NDArray[np.uint64] = (keys.astype(np.uint64) * _GOLDEN) >> np.uint64(64 - _BITS)
    return cells
