"""Which recordings are worth comparing: those that share codes at one offset, or sound alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from musicu.audit.fingerprint_comparison import Fingerprints, count_bits
from musicu.features.fingerprint_codes import Codes

#: A key that stands in more places than this says too little; most stand in one.
_MOST_PLACES = 24
#: A key is a code without one of these groups of bits, which may then differ.
_LEFT_OUT = tuple(np.uint32(0xFF << shift) for shift in range(0, 32, 8))
#: Frames with fewer marked bits than this are not looked up.
_FEWEST_MARKS = 8
#: From so many frames on only a quarter of the keys is looked up, the same in every recording.
_MANY_FRAMES = 40_000_000
_ROWS = 512  # vectors compared at once

Pairs = NDArray[np.int64]


def sharing_codes(prints: Fingerprints, votes: int = 2) -> Pairs:
    """Pairs of recordings that have `votes` codes in common at one offset: int64 [pairs, 3].

    The columns are the places i < j of the recordings, and the offset in frames at which most
    codes fall together (see `Comparison.offset`). Codes are in common where at least 24 of their
    bits are, the rest being one of four bytes.
    """
    rows = np.flatnonzero(count_bits(prints.marks) >= _FEWEST_MARKS)
    parts = [_meetings(prints, rows, prints.codes[rows] & ~left_out) for left_out in _LEFT_OUT]
    return _winners(np.unique(np.concatenate(parts), axis=0), votes)


def _meetings(prints: Fingerprints, rows: NDArray[np.int64], keys: Codes) -> Pairs:
    """Frames of two recordings with one key: int64 [meetings, 4], of i < j, offset and frame."""
    if len(prints.codes) > _MANY_FRAMES:
        chosen = (keys * np.uint32(2_654_435_761)) >> 30 == 0
        rows, keys = rows[chosen], keys[chosen]
    order = np.argsort(keys, kind="stable")  # then by row: the first of a pair comes first
    rows, keys = rows[order], keys[order]
    rare = _rare(keys)
    rows, keys = rows[rare], keys[rare]
    owner = np.searchsorted(prints.edges, rows, side="right") - 1
    frame = rows - prints.edges[owner]
    parts = [np.empty((0, 4), np.int64)]
    for lag in range(1, min(_MOST_PLACES, len(rows))):
        met = np.flatnonzero((keys[:-lag] == keys[lag:]) & (owner[:-lag] != owner[lag:]))
        offset = frame[met] - frame[met + lag]
        parts.append(np.stack([owner[met], owner[met + lag], offset, frame[met]], axis=1))
    return np.concatenate(parts)


def _rare(keys: Codes) -> NDArray[np.bool_]:
    """Whether a key, in sorted order, stands in 2 to `_MOST_PLACES` places."""
    if not len(keys):
        return np.zeros(0, bool)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(keys)]]))
    return np.repeat((lengths > 1) & (lengths <= _MOST_PLACES), lengths)


def _winners(meetings: Pairs, votes: int) -> Pairs:
    """For each pair the offset with most votes, where it has enough; the one before counts too."""
    if not len(meetings):
        return meetings[:, :3]
    unique, counts = np.unique(meetings[:, :3], axis=0, return_counts=True)
    beside = (unique[:-1, :2] == unique[1:, :2]).all(axis=1) & (np.diff(unique[:, 2]) == 1)
    counts[1:] += np.where(beside, counts[:-1], 0)
    order = np.lexsort((np.abs(unique[:, 2]), -counts, unique[:, 1], unique[:, 0]))
    unique, counts = unique[order], counts[order]
    first = np.concatenate([[True], (unique[1:, :2] != unique[:-1, :2]).any(axis=1)])
    return np.asarray(unique[first & (counts >= votes)])


def sounding_alike(
    vectors: NDArray[np.float32], seconds: NDArray[np.float64], cosine: float, apart: float
) -> Iterator[tuple[int, int]]:
    """Pairs of rows with at least this cosine whose lengths differ by at most `apart` seconds.

    vectors: float32 [recordings, dim], of unit length, rows of zeros where one is unknown.
    """
    order = np.argsort(seconds, kind="stable")
    values, lengths = vectors[order], seconds[order]
    ends = np.searchsorted(lengths, lengths + apart, side="right")
    for start in range(0, len(order), _ROWS):
        stop = min(start + _ROWS, len(order))
        near = values[start:stop] @ values[start : ends[stop - 1]].T
        for row, column in np.argwhere(near >= cosine).tolist():
            if row < column < ends[start + row] - start:
                i, j = int(order[start + row]), int(order[start + column])
                yield min(i, j), max(i, j)
