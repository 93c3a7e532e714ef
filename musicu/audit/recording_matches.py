"""Which recordings hold the same sound, judged by their fingerprints alone.

Codes say what shares most of its sound; spectra say whether all that differs is what codecs,
levels, trims and noise make, or whether something was sung, played or muted besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from musicu.audit.changes import SpectralChange, find_change
from musicu.audit.comparison_pairs import near_vectors, sharing_codes
from musicu.audit.fingerprint_comparison import Comparison, Fingerprints, best_comparison
from musicu.features.fingerprint_codes import FRAMES_PER_SECOND, SPAN, BandLevels
from musicu.progress import tell, tracked

#: Up to these shares of changed blocks two recordings are one for certain. Chosen on half of the
#: material of benchmarks/duplicates.py, where other leads over one backing change at least .071 of
#: them, and 99 in 100 copies less than this.
SAME_CHANGE = SpectralChange(share=0.065, worst=0.6)
#: A pair within a group may differ by the first of these where the members of two groups differ on
#: average by the second: two copies that were each damaged, by clipping and a codec, are less alike
#: than either is to its original. Chosen on copies of seed 0.
LINKED_CHANGE = SpectralChange(share=0.09, worst=0.65)
LINKED_MEAN = SpectralChange(share=0.05, worst=0.55)
#: Up to here they may be one: all copies are, and the quietest of leads.
PROBABLE_CHANGE = SpectralChange(share=0.13, worst=0.85)
#: Copies of 44 recordings (Opus at 24 kbit/s, MP3 at 64, cut at the ends, 6 dB up or down) had
#: errors up to 0.115; different pieces had at least 0.209 where they are neighbours on an album,
#: and 0.46 elsewhere.
SAME_ERROR = 0.18
#: The same for a segment of 4 s.
SEGMENT_ERROR = 0.2
#: The share of 4 s segments that must be alike: a passage sung again differs.
SAME_ALIKE = 0.9
#: The most by which two copies may differ in length, at both ends together.
MOST_APART_SECONDS = 7.0
#: The fewest bits that are enough for a judgement.
SHORTEST_BITS = 400
#: Recordings with vectors nearer than this are compared even where they share no codes.
NEAR_COSINE = 0.8
#: The shortest excerpt.
EXCERPT_SECONDS = 15.0
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Match:
    """Two recordings, by content hash, that are the same or overlap.

    whole: all of it, but for a few seconds at the ends; False where one is a part of the other
    (an edit, an excerpt, a longer repeat). offset_seconds: by which the second begins later in
    the first (negative: earlier). seconds: of sound that both have. error: see `Comparison`.
    change: see `find_change`; None where that is not known.
    """

    first: str
    second: str
    whole: bool
    offset_seconds: float
    seconds: float
    error: float
    change: SpectralChange | None = None

    @property
    def certain(self) -> bool:
        """Whether nothing differs that a codec, a level or a trim would not make."""
        return self.whole and self.change is not None and self.change.within(SAME_CHANGE)

    @property
    def probable(self) -> bool:
        """Whether they may be one recording, and nothing proves it."""
        open_ = self.change is None or self.change.within(PROBABLE_CHANGE)
        return self.whole and open_ and not self.certain


def find_matches(prints: Fingerprints, vectors: NDArray[np.float32] | None = None) -> list[Match]:
    """Every pair of matching recordings, in row order.

    vectors: float32 [recordings, dim], of unit length, which give more pairs to compare; zeros
    where one is unknown.
    """
    found = []
    tell("looking for recordings that may be one", 0, len(prints.hashes), "recordings")
    for i, j, offsets in tracked(_pairs_to_compare(prints, vectors), "comparing", unit="pairs"):
        comparison = best_comparison(prints[i], prints[j], offsets, SEGMENT_ERROR)
        match = judge_pair(prints, i, j, comparison)
        if match is not None:
            found.append(match)
    return with_changes(prints, found)


def with_changes(prints: Fingerprints, matches: list[Match]) -> list[Match]:
    """The matches with what their spectra say, a few hundred at a time."""
    told: list[Match] = []
    for start in range(0, len(matches), _AT_ONCE):
        tell("comparing spectra", start, len(matches), "pairs")
        some = matches[start : start + _AT_ONCE]
        spectra = prints.spectra(sorted({h for m in some if m.whole for h in (m.first, m.second)}))
        told += [_with_change(match, spectra) for match in some]
    return told


def _with_change(match: Match, spectra: Mapping[str, BandLevels]) -> Match:
    first, second = spectra.get(match.first), spectra.get(match.second)
    if first is None or second is None or not match.whole:
        return match
    offset = round(match.offset_seconds * FRAMES_PER_SECOND)
    return replace(match, change=find_change(first, second, offset))


def _pairs_to_compare(
    prints: Fingerprints, vectors: NDArray[np.float32] | None
) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Pairs of rows, and the offsets at which to compare them."""
    offsets: dict[tuple[int, int], NDArray[np.int64]] = {
        (int(i), int(j)): np.arange(offset - 1, offset + 2)
        for i, j, offset in sharing_codes(prints)
    }
    if vectors is not None:
        reach = round(MOST_APART_SECONDS * FRAMES_PER_SECOND)
        seconds = prints.frames / FRAMES_PER_SECOND
        for pair in near_vectors(vectors, seconds, NEAR_COSINE, MOST_APART_SECONDS):
            offsets.setdefault(pair, np.arange(-reach, reach + 1))
    for (i, j), around in sorted(offsets.items()):
        yield i, j, around


def judge_pair(prints: Fingerprints, i: int, j: int, found: Comparison) -> Match | None:
    """The match that a comparison shows; None where the recordings differ."""
    if found.error > SAME_ERROR or found.bits < SHORTEST_BITS:
        return None
    lengths = prints.frames[[i, j]] + SPAN
    apart = (lengths.max() - found.overlap - SPAN) / FRAMES_PER_SECOND
    seconds = (found.overlap + SPAN) / FRAMES_PER_SECOND
    inside = (found.overlap + SPAN) / lengths.min()
    whole = apart <= min(MOST_APART_SECONDS, 0.5 * lengths.max() / FRAMES_PER_SECOND)
    part = seconds >= EXCERPT_SECONDS and inside >= 0.8
    if found.alike < SAME_ALIKE or not (whole or part):
        return None
    return Match(
        prints.hashes[i],
        prints.hashes[j],
        bool(whole),
        found.offset / FRAMES_PER_SECOND,
        float(seconds),
        found.error,
    )
