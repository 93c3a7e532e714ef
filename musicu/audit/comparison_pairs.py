"""Pairs of recordings to compare: those that share codes at one offset, or have near vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from musicu.audit.fingerprint_comparison import Fingerprints, count_bits
from musicu.features.fingerprint_codes import Codes

#: Keys with more occurrences than this are too common; most occur once.
_MOST_OCCURRENCES = 24
#: A key is a code with one of these groups of bits removed, which may then differ.
_LEFT_OUT = tuple(np.uint32(0xFF << shift) for shift in range(0, 32, 8))
#: Frames with fewer marked bits than this are not looked up.
_FEWEST_MARKS = 8
#: Codes that two recordings share at one offset, to be compared.
_FEWEST_VOTES = 2
#: Above this many frames, only a quarter of the keys is looked up, the same in every recording.
_MANY_FRAMES = 40_000_000
_ROWS = 512  # vectors compared at once

Pairs = NDArray[np.int64]


def sharing_codes(prints: Fingerprints) -> Pairs:
    """Pairs of recordings that share two codes or more at one offset: int64 [pairs, 3].

    The columns are the rows i < j of the recordings, and the offset in frames with the most shared
    codes (see `Comparison.offset`). Two codes are shared where three of their four bytes agree.
    """
    rows = np.flatnonzero(count_bits(prints.marks) >= _FEWEST_MARKS)
    parts = [_shared_keys(prints, rows, prints.codes[rows] & ~left_out) for left_out in _LEFT_OUT]
    return _winners(_distinct(np.concatenate(parts)))


def _shared_keys(prints: Fingerprints, rows: NDArray[np.int64], keys: Codes) -> Pairs:
    """Pairs of frames with one key: int64 [shared, 4], of i < j, offset and frame."""
    if len(prints.codes) > _MANY_FRAMES:
        chosen = (keys * np.uint32(2_654_435_761)) >> 30 == 0
        rows, keys = rows[chosen], keys[chosen]
    # By key, then by row, so that the first of a pair comes first: a fifth of a stable argsort.
    both = np.sort((keys.astype(np.uint64) << np.uint64(32)) | rows.astype(np.uint64))
    rows, keys = both.astype(np.uint32).astype(np.int64), (both >> np.uint64(32)).astype(np.uint32)
    rare = _rare(keys)
    rows, keys = rows[rare], keys[rare]
    owner = np.searchsorted(prints.edges, rows, side="right") - 1
    frame = rows - prints.edges[owner]
    parts = [np.empty((0, 4), np.int64)]
    equal = np.arange(len(rows))
    for lag in range(1, _MOST_OCCURRENCES):
        equal = equal[: np.searchsorted(equal, len(rows) - lag)]
        equal = equal[keys[equal] == keys[equal + lag]]
        met = equal[owner[equal] != owner[equal + lag]]
        offset = frame[met] - frame[met + lag]
        parts.append(np.stack([owner[met], owner[met + lag], offset, frame[met]], axis=1))
    return np.concatenate(parts)


def _rare(keys: Codes) -> NDArray[np.bool_]:
    """Whether each of the sorted keys occurs 2 to `_MOST_OCCURRENCES` times."""
    if not len(keys):
        return np.zeros(0, bool)
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(keys)]]))
    return np.repeat((lengths > 1) & (lengths <= _MOST_OCCURRENCES), lengths)


def _distinct(shared: Pairs) -> Pairs:
    """The rows of pairs with two or more of them, each row once, in rising order."""
    if not len(shared):
        return shared
    recordings, frames = (
        shared[:, :2].max() + 1,
        shared[:, 3].max() + np.abs(shared[:, 2]).max() + 1,
    )
    pair = shared[:, 0] * recordings + shared[:, 1]
    place = (shared[:, 2] + frames) * frames + shared[:, 3]
    often = _repeated(pair)
    order = often[np.lexsort((place[often], pair[often]))]
    pair, place = pair[order], place[order]
    first = np.append(True, (pair[1:] != pair[:-1]) | (place[1:] != place[:-1]))
    found: Pairs = shared[order[first]]
    return found


def _repeated(values: Pairs) -> Pairs:
    """Where values stand that stand there more than once: chance makes most pairs meet once."""
    order = np.argsort(values)
    again = values[order[1:]] == values[order[:-1]]
    found: Pairs = order[np.append(False, again) | np.append(again, False)]
    return found


def _winners(shared: Pairs) -> Pairs:
    """The offset with the most votes of each pair, adding those of the previous offset.

    shared: rising, each row once.
    """
    if not len(shared):
        return shared[:, :3]
    starts = np.append(True, (shared[1:, :3] != shared[:-1, :3]).any(axis=1))
    unique = shared[starts, :3]
    counts = np.diff(np.append(np.flatnonzero(starts), len(shared)))
    beside = (unique[:-1, :2] == unique[1:, :2]).all(axis=1) & (np.diff(unique[:, 2]) == 1)
    counts[1:] += np.where(beside, counts[:-1], 0)
    enough = counts >= _FEWEST_VOTES
    unique, counts = unique[enough], counts[enough]
    order = np.lexsort((np.abs(unique[:, 2]), -counts, unique[:, 1], unique[:, 0]))
    unique = unique[order]
    first = np.append(True, (unique[1:, :2] != unique[:-1, :2]).any(axis=1))[: len(unique)]
    return np.asarray(unique[first])


def near_vectors(
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
