"""What a track is like beside the rest of its catalog, in words that were measured.

A word is said of the fifth of the described tracks that has least, or most, of a descriptor:
"slow" is slow for this catalog. Whether a track is sung is a word of its own, said where that is
likely, unless it holds of most tracks. No word says more than its descriptor, so nothing is a
piano.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

#: descriptor: (the word for little of it, the word for much of it, the confidence's column)
SCALES: Mapping[str, tuple[str, str, str | None]] = {
    "tempo_bpm": ("slow", "fast", "tempo_confidence"),
    "energy": ("calm", "energetic", None),
    "brightness_hz": ("dark", "bright", None),
    "percussive_share": ("smooth", "percussive", None),
    "flatness": ("pure-toned", "noisy", None),
    "onset_rate": ("sparse", "busy", None),
    "danceability": ("free-flowing", "danceable", None),
    "loudness_range_lu": ("even", "dynamic", None),
    "vocal_probability": ("instrumental", "sung", None),
}
#: Words that a track's own value decides: up to the first limit, from the second.
LIMITS: Mapping[str, tuple[float, float]] = {"vocal_probability": (0.2, 0.8)}
#: A share of the catalog of which a word by limits says nothing any more.
COMMON = 0.5
#: From which confidence an estimated tempo or key is taken at its word.
MIN_CONFIDENCE = 0.5
#: The share of the catalog at either end that a word is said of.
END_SHARE = 0.2
#: Fewer described tracks than this are no catalog to compare with.
MIN_DESCRIBED = 10
#: The most words said to be shared by two tracks.
MAX_SHARED = 3


@dataclass(frozen=True, slots=True)
class Scale:
    """One descriptor's words and where they begin; middle and spread are robust."""

    column: str
    little: str
    much: str
    low: float
    high: float
    middle: float
    spread: float

    def apart(self, track: Mapping[str, Any]) -> float:
        """How many spreads a track lies from the middle."""
        return abs(float(track[self.column]) - self.middle) / self.spread


class Character:
    """The words of one catalog."""

    def __init__(self, tracks: pa.Table) -> None:
        """Learn from a table of tracks; without descriptors no word is ever said."""
        found = [scale_of(tracks, column) for column in SCALES if column in tracks.column_names]
        self.scales: tuple[Scale, ...] = tuple(scale for scale in found if scale is not None)

    def shared(self, a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, str]:
        """The words that hold of both tracks, by descriptor: the strongest three at most."""
        theirs, mine = self.words(a), self.words(b)
        common = [scale for scale in self.scales if self._agree(scale, mine, theirs)]
        common.sort(key=lambda scale: -min(scale.apart(a), scale.apart(b)))
        return {scale.column: mine[scale.column] for scale in common[:MAX_SHARED]}

    def _agree(self, scale: Scale, mine: dict[str, str], theirs: dict[str, str]) -> bool:
        return scale.column in mine and mine[scale.column] == theirs.get(scale.column)

    def words(self, track: Mapping[str, Any]) -> dict[str, str]:
        """The words that hold of a track, by descriptor."""
        said = {}
        for scale in self.scales:
            value = known(track, scale.column)
            if value is not None and not scale.low < value < scale.high:
                said[scale.column] = scale.little if value <= scale.low else scale.much
        return said

    def contrasts(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[float, Scale]]:
        """How far a group's median lies from the catalog's, in spreads; the farthest first."""
        found = []
        for scale in self.scales:
            values = [v for row in rows if (v := known(row, scale.column)) is not None]
            middle = float(np.median(values)) if len(values) * 2 > len(rows) else None
            decided = scale.column in LIMITS
            if middle is not None and not (decided and scale.low < middle < scale.high):
                found.append(((middle - scale.middle) / scale.spread, scale))
        return sorted(found, key=lambda pair: (-abs(pair[0]), pair[1].column))


def scale_of(tracks: pa.Table, column: str) -> Scale | None:
    """The ends of one descriptor over a catalog; None where it says nothing."""
    values = known_column(tracks, column)
    if len(values) < MIN_DESCRIBED:
        return None
    low, first, middle, third, high = np.quantile(
        values, [END_SHARE, 0.25, 0.5, 0.75, 1 - END_SHARE]
    )
    if column in LIMITS:
        low, high = _limits(values, *LIMITS[column])
    if not low < high:
        return None
    spread = max((third - first) / 1.349, 1e-9)  # the standard deviation, were it normal
    if column in LIMITS:  # of two heaps the quartiles may lie in one
        spread = max(spread, 0.1)
    little, much, _ = SCALES[column]
    return Scale(column, little, much, *map(float, (low, high, middle, spread)))


def _limits(values: NDArray[np.float64], low: float, high: float) -> tuple[float, float]:
    """The limits, infinite where their word holds of most values."""
    return (
        -np.inf if np.mean(values <= low) > COMMON else low,
        np.inf if np.mean(values >= high) > COMMON else high,
    )


def known_column(tracks: pa.Table, column: str) -> NDArray[np.float64]:
    """A descriptor's known values, float64 [known], those of low confidence left out."""
    values = tracks[column].cast(pa.float64())
    confidence = SCALES[column][2] if column in SCALES else None
    if confidence is not None and confidence in tracks.column_names:
        sure = pc.greater_equal(tracks[confidence], MIN_CONFIDENCE)
        values = values.filter(pc.fill_null(sure, False))
    numbers = values.drop_null().to_numpy()
    return np.asarray(numbers[np.isfinite(numbers)], np.float64)


def known(track: Mapping[str, Any], column: str) -> float | None:
    """A track's descriptor; None where it is unknown or its confidence is low."""
    value = track.get(column)
    confidence = SCALES[column][2] if column in SCALES else None
    sure = confidence is None or (track.get(confidence) or 0.0) >= MIN_CONFIDENCE
    return float(value) if value is not None and sure and np.isfinite(value) else None
