"""The fingerprints of a catalog, and the comparison of two of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.features.fingerprint_codes import FRAMES_PER_SECOND, BandLevels, Codes, Fingerprint

_COUNTS = np.array([bin(n).count("1") for n in range(1 << 16)], np.uint8)
_SEGMENT = round(4 * FRAMES_PER_SECOND)  # frames that are judged together
_SPECTRA_KEPT = 8_000  # recordings, of about 30 kB each
#: A segment with fewer marked bits is not judged.
_SEGMENT_BITS = 100


class Fingerprints:
    """All fingerprints, concatenated.

    hashes: content hashes [recordings]. codes, marks: uint32 [frames]; recording i has the frames
    edges[i] to edges[i + 1]. spectra: gives those of some hashes, where there are any; they are
    larger than all else and needed for few.
    """

    def __init__(
        self,
        hashes: list[str],
        codes: Codes,
        marks: Codes,
        edges: NDArray[np.int64],
        spectra: Callable[[Sequence[str]], Mapping[str, BandLevels]] = lambda hashes: {},
    ) -> None:
        self.hashes, self.codes, self.marks, self.edges = hashes, codes, marks, edges
        self.spectra = spectra

    @classmethod
    def of_table(cls, table: pa.Table) -> Fingerprints:
        """Those of a table with the columns content_hash, codes and marks, maybe spectra too."""
        codes, marks = (table[name].combine_chunks() for name in ("codes", "marks"))
        lengths = codes.value_lengths().to_numpy()
        edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        first, second = (np.asarray(column.flatten()) for column in (codes, marks))
        hashes = table["content_hash"].to_pylist()
        if "levels" not in table.column_names:
            return cls(hashes, first, second, edges)
        return cls(hashes, first, second, edges, lambda some: spectra_of([table], some))

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, place: int) -> Fingerprint:
        frames = slice(self.edges[place], self.edges[place + 1])
        return Fingerprint(self.codes[frames], self.marks[frames])

    @property
    def frames(self) -> NDArray[np.int64]:
        """Frames of each recording, [recordings]."""
        return np.diff(self.edges)


def spectra_of(tables: Iterable[pa.Table], hashes: Sequence[str]) -> dict[str, BandLevels]:
    """The spectra of some recordings, from tables with the columns content_hash, levels, peaks."""
    found: dict[str, BandLevels] = {}
    wanted = pa.array(sorted(hashes), pa.string())
    for table in tables:
        rows = table.filter(pc.is_in(table["content_hash"], value_set=wanted))
        columns = (rows[name].combine_chunks() for name in ("content_hash", "levels", "peaks"))
        for content_hash, levels, peaks in zip(*columns, strict=True):
            if levels.is_valid and peaks.is_valid:
                frames = np.asarray(levels.values).reshape(-1, 4)
                found[content_hash.as_py()] = BandLevels(frames, np.asarray(peaks.values))
    return found


class KeptSpectra:
    """Reads spectra from a catalog when they are first asked for, and keeps the last of them.

    tables: gives the tables with the columns that `spectra_of` reads, again at each call.
    """

    def __init__(self, tables: Callable[[], Iterable[pa.Table]]) -> None:
        self._tables = tables
        self._kept: dict[str, BandLevels] = {}

    def __call__(self, hashes: Sequence[str]) -> dict[str, BandLevels]:
        """The spectra of some recordings, as far as there are any."""
        missing = [content_hash for content_hash in hashes if content_hash not in self._kept]
        read = spectra_of(self._tables(), missing) if missing else {}
        known = {**self._kept, **read}
        found = {h: known[h] for h in hashes if h in known}
        self._kept.update(read)
        while len(self._kept) > _SPECTRA_KEPT:
            del self._kept[next(iter(self._kept))]
        return found


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
