"""Texts of a column as 64-bit numbers, all at once: their hashes, and their ends.

A hash is a polynomial of the text's bytes modulo 2 ** 64, then mixed (SplitMix64's finaliser).
Who looks something up by hash compares the texts as well.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_BASE = 0x9E3779B97F4A7C15  # odd, and so a unit modulo 2 ** 64
_END = 4  # bytes


def text_hashes(texts: pa.Array) -> Hashes:
    """A number for each text, uint64 [texts]; 0 for null and ""."""
    starts, data = _bytes_of(texts)
    lengths = np.diff(starts)
    sums = np.zeros(len(lengths), np.uint64)
    some = np.flatnonzero(lengths)
    if len(some):
        place = np.arange(len(data)) - np.repeat(starts[:-1], lengths)
        terms = (data.astype(np.uint64) + np.uint64(1)) * _powers(int(lengths.max()))[place]
        sums[some] = mixed(np.add.reduceat(terms, starts[:-1][some]))
    return sums


def text_ends(texts: pa.Array) -> tuple[Hashes, Hashes]:
    """The first and the last four bytes of each text as numbers, uint64 [texts] each."""
    starts, data = _bytes_of(texts)
    lengths = np.diff(starts)
    padded = np.append(data, np.zeros(_END, np.uint8))
    kept = np.arange(_END) < lengths[:, None]
    ends = []
    for first in (starts[:-1], np.maximum(starts[1:] - _END, starts[:-1])):
        cells = np.where(kept, padded[first[:, None] + np.arange(_END)], 0).astype(np.uint8)
        ends.append(np.ascontiguousarray(cells).view(np.uint32).ravel().astype(np.uint64))
    head, tail = ends
    return head, tail


def mixed(numbers: Hashes) -> Hashes:
    """Numbers whose bits all depend on all bits of the given ones; 0 stays 0."""
    found: Hashes = numbers.copy()
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found ^= found >> np.uint64(shift)
        found *= np.uint64(factor)
    found ^= found >> np.uint64(31)
    return found


class HashRows:
    """Rows by hash, sorted: what is asked first meets a table of bits that holds most strangers.

    A hash that more than `most` rows share leads to none of them, as it tells nothing.
    """

    def __init__(self, hashes: Hashes, rows: Ints, most: int | None = None) -> None:
        known = hashes != 0
        order = np.argsort(hashes[known], kind="stable")
        self._hashes, self._rows = hashes[known][order], rows[known][order]
        if most is not None and len(self._hashes):
            _, place, counts = np.unique(self._hashes, return_inverse=True, return_counts=True)
            few = counts[place] <= most
            self._hashes, self._rows = self._hashes[few], self._rows[few]
        bits = min(max((16 * len(self._hashes)).bit_length(), 10), 27)
        self._shift = np.uint64(64 - bits)
        self._seen = np.zeros(1 << bits, bool)
        self._seen[self._hashes >> self._shift] = True

    def find(self, asked: Hashes) -> tuple[Ints, Ints]:
        """All (place among the asked, row) pairs of equal hashes, int64 each."""
        some = np.flatnonzero(self._seen[asked >> self._shift] & (asked != 0))
        first = np.searchsorted(self._hashes, asked[some], "left")
        stop = np.searchsorted(self._hashes, asked[some], "right")
        counts = stop - first
        places = np.repeat(some, counts)
        at = np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)
        return places, self._rows[np.repeat(first, counts) + at]


def _bytes_of(texts: pa.Array) -> tuple[Ints, NDArray[np.uint8]]:
    """Where each text begins and ends, int64 [texts + 1], and all their bytes."""
    if texts.null_count:
        texts = texts.fill_null("")
    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    if offsets is None or not len(texts):
        return np.zeros(len(texts) + 1, np.int64), np.zeros(0, np.uint8)
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    held = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return starts - starts[0], held[starts[0] : starts[-1]]


def _powers(count: int) -> Hashes:
    powers = np.full(count, _BASE, np.uint64)
    powers[0] = 1
    found: Hashes = np.multiply.accumulate(powers)
    return found
