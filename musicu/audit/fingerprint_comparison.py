"""The fingerprints of a catalog, and the comparison of two of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.features.fingerprint_codes import FRAMES_PER_SECOND, Codes, Fingerprint

_COUNTS = np.array([bin(n).count("1") for n in range(1 << 16)], np.uint8)
_SEGMENT = round(4 * FRAMES_PER_SECOND)  # frames that are judged together
#: A segment with fewer marked bits is not judged.
_SEGMENT_BITS = 100


class Fingerprints:
    """All fingerprints, concatenated.

    hashes: content hashes [recordings]. codes, marks: uint32 [frames]; recording i has the frames
    edges[i] to edges[i + 1].
    """

    def __init__(self, hashes: list[str], codes: Codes, marks: Codes, edges: NDArray[np.int64]):
        self.hashes, self.codes, self.marks, self.edges = hashes, codes, marks, edges

    @classmethod
    def of_table(cls, table: pa.Table) -> Fingerprints:
        """From a table with the columns content_hash, codes and marks."""
        codes, marks = (table[name].combine_chunks() for name in ("codes", "marks"))
        lengths = codes.value_lengths().to_numpy()
        edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        first, second = (np.asarray(column.flatten()) for column in (codes, marks))
        return cls(table["content_hash"].to_pylist(), first, second, edges)

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, place: int) -> Fingerprint:
        frames = slice(self.edges[place], self.edges[place + 1])
        return Fingerprint(self.codes[frames], self.marks[frames])

    @property
    def frames(self) -> NDArray[np.int64]:
        """Frames of each recording, [recordings]."""
        return np.diff(self.edges)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two fingerprints aligned at one offset.

    offset: frames by which the second begins later in the music than the first (negative:
    earlier). overlap: frames that both have. error: the share of bits marked in both that differ,
    0 for copies and about 0.5 for unrelated recordings. bits: the number of bits compared. alike:
    the share of the 4 s segments whose own error is at most the limit.
    """

    offset: int
    overlap: int
    error: float
    bits: int
    alike: float


def compare(a: Fingerprint, b: Fingerprint, offset: int, limit: float) -> Comparison:
    """Compare frame n + offset of `a` with frame n of `b`; `limit` is for `Comparison.alike`."""
    first, second = max(0, offset), max(0, -offset)
    frames = min(len(a.codes) - first, len(b.codes) - second)
    if frames <= 0:
        return Comparison(offset, 0, 0.5, 0, 0.0)
    one, other = slice(first, first + frames), slice(second, second + frames)
    both = a.marks[one] & b.marks[other]
    differ = (a.codes[one] ^ b.codes[other]) & both
    starts = np.arange(0, frames, _SEGMENT)
    bits = np.add.reduceat(count_bits(both), starts)
    wrong = np.add.reduceat(count_bits(differ), starts)
    total = int(bits.sum())
    judged = bits >= _SEGMENT_BITS
    alike = float((wrong[judged] <= limit * bits[judged]).mean()) if judged.any() else 0.0
    return Comparison(offset, frames, float(wrong.sum()) / max(1, total), total, alike)


def best_comparison(
    a: Fingerprint, b: Fingerprint, offsets: NDArray[np.int64], limit: float
) -> Comparison:
    """The comparison with the lowest error over the offsets; ties go to the offset nearest 0."""
    order = sorted(offsets.tolist(), key=lambda offset: (abs(offset), offset))
    return min((compare(a, b, o, limit) for o in order), key=lambda found: found.error)


def count_bits(values: Codes) -> NDArray[np.int64]:
    """The number of set bits in each number."""
    counts: NDArray[np.int64] = _COUNTS[values & 0xFFFF] + _COUNTS[values >> 16].astype(np.int64)
    return counts
