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

_FEWEST_BITS, _MOST_BITS = 12, 22
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2 ** 64 over the golden ratio (Knuth, TAOCP 3, 6.4)


def join_positions(asked: Ints, known: Ints) -> Ints:
    """Where each asked key stands among the known: int64 [asked], -1 where it does not.

    Where a key is known several times, one of its places.
    """
    found = np.full(asked.shape, -1, np.int64)
    few = known.size < asked.size // 8  # sorting those is cheaper than thinning them
    place = np.arange(len(known)) if few else np.flatnonzero(may_be_among(known, asked))
    place = place[np.argsort(known[place], kind="stable")]
    if len(place):
        rest = known[place]
        some = np.flatnonzero(may_be_among(asked.ravel(), rest))
        at = np.minimum(np.searchsorted(rest, asked.flat[some]), len(rest) - 1)
        equal = rest[at] == asked.flat[some]
        found.flat[some[equal]] = place[at[equal]]
    return found


def items_over_cap(keys: Ints, most: int) -> Ints:
    """Of keys that stand there more than `most` times the number, from 1: int64, of their shape.

    0 for the others, and for keys below 0, which are none.
    """
    rising = np.sort(keys, axis=None)
    repeated = rising[most:][rising[most:] == rising[:-most]]
    crowded = np.unique(repeated[repeated >= 0])
    return join_positions(keys, crowded) + 1


def may_be_among(keys: Ints, others: Ints) -> Mask:
    """Which keys may be among the others: all that are, and a few more. bool [keys]."""
    # Ten cells for each of the others, as long as the table stays in a cache.
    bits = min(max((10 * others.size).bit_length(), _FEWEST_BITS), _MOST_BITS)
    table = np.zeros(1 << bits, bool)
    table[_cells(others, bits)] = True
    chance: Mask = table[_cells(keys, bits)]
    return chance


def _cells(keys: Ints, bits: int) -> Ints:
    cells = np.ascontiguousarray(keys).view(np.uint64) * _GOLDEN
    cells >>= np.uint64(64 - bits)
    found: Ints = cells.view(np.int64)
    return found
