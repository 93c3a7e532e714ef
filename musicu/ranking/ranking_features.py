"""What a learned ranker reads of a listener, a track and the moment: a number for each feature.

Each feature compares like with like across listeners and catalogs: cosines, shares, percentiles.
What is not known is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.items.joins import MANY, join_positions
from musicu.ranking.ranker import Pool
from musicu.ranking.set_fit import MEAN
from musicu.ranking.taste import TasteRanker, liked_artist_share
from musicu.sequences.next_item_model import NextItemModel

#: Each feature, and what a reason says where it speaks for a track; "" for no reason.
FEATURES: Mapping[str, str] = {
    "taste_fit": "fits all that you like",
    "mean_likeness": "close to your taste as a whole",
    "nearest_likeness": "close to tracks that you like",
    "interest_likeness": "close to one of your interests",
    "interest_share": "close to what you play most",
    "artist_share": "by an artist whom you play",
    "own_plays": "a track that you come back to",
    "next_score": "often played after what you played",
    "popularity": "popular here",
    "popularity_at_age": "popular for its age",
    "age_years": "of an age that listeners take up",
    "sound_distance": "with the tempo, loudness and tone of what you like",
    "duration_minutes": "",
    "source_score": "high on its list of candidates",
    "source_place": "high on its list of candidates",
    "source_rate": "from a source whose tracks you are given with success",
    "shelf_rate": "on a shelf that listeners use",
    "hour": "",
    "weekend": "",
}
#: Columns of descriptors that `sound_distance` compares.
SOUND = ("tempo_bpm", "loudness_lufs", "loudness_range_lu", "brightness_hz", "flatness")
_AGES = 10  # groups of equal size in which popularity is compared
_CLOSEST = 256  # of how many candidates the nearest liked tracks are looked for


@dataclass(frozen=True, slots=True)
class Shown:
    """Where and when candidates are shown. at: with a time zone."""

    source: str = ""
    shelf: str = ""
    at: datetime | None = None


@dataclass(frozen=True, eq=False)
class FeatureMaker:
    """Makes features of pools of one catalog.

    next_model: for `next_score`. descriptors: a table of track_id and columns of SOUND. rates: by
    "source:NAME" and "shelf:NAME" what was earned there before.
    """

    items: ItemTable
    next_model: NextItemModel | None = None
    descriptors: pa.Table | None = None
    rates: Mapping[str, float] = field(default_factory=dict)

    def features(self, pool: Pool, shown: Shown = Shown()) -> Floats:
        """A row an entry, a column for each of FEATURES: float32 [entries, features]."""
        fit = TasteRanker(head=_CLOSEST).rank(pool)
        columns = {
            "taste_fit": fit.score,
            "mean_likeness": fit.parts["taste"] / np.float32(MEAN),
            "nearest_likeness": fit.parts["nearest"],
            "interest_likeness": fit.likeness,
            "interest_share": _interest_share(pool, fit.interest),
            "artist_share": liked_artist_share(pool.profiles, pool.listener, pool.row),
            "own_plays": np.log1p(_own_plays(pool)),
            "next_score": self._next(pool),
            "popularity": self._popularity[pool.row],
            "popularity_at_age": self._popularity_at_age[pool.row],
            "age_years": self._age(pool.row, shown.at),
            "sound_distance": self._sound_distance(pool),
            "duration_minutes": self._minutes[pool.row],
            "source_score": pool.score,
            "source_place": _place(pool),
            "source_rate": self._rate("source", shown.source),
            "shelf_rate": self._rate("shelf", shown.shelf),
            "hour": np.nan if shown.at is None else shown.at.hour,
            "weekend": np.nan if shown.at is None else shown.at.weekday() >= 5,
        }
        made = np.empty((len(pool), len(columns)), np.float32)
        for place, values in enumerate(columns[name] for name in FEATURES):
            made[:, place] = values
        return made

    def _rate(self, kind: str, name: str) -> float:
        """The rate of a source or shelf, the mean of all where it is unknown."""
        own = {key: rate for key, rate in self.rates.items() if key.startswith(f"{kind}:")}
        usual = sum(own.values()) / len(own) if own else np.nan
        return own.get(f"{kind}:{name}", usual)

    def _next(self, pool: Pool) -> NDArray[np.float64]:
        """How likely a track is the next, times the number of tracks, as a logarithm."""
        found = np.full(len(pool), np.nan)
        if self.next_model is None:
            return found
        place = np.full(len(self.items), -1)
        known = self.items.rows_of(self.next_model.items)
        place[known[known >= 0]] = np.flatnonzero(known >= 0)
        heard = pool.profiles.history
        liked = np.flatnonzero(heard.weight > 0)
        order = liked[np.lexsort((heard.weight[liked], heard.listener[liked]))]
        ends = np.searchsorted(heard.listener[order], np.arange(len(pool.profiles) + 1))
        entries = np.searchsorted(pool.listener, np.arange(len(pool.profiles) + 1))
        ids = self.items.ids[heard.row[order]].tolist()
        spans = zip(pairwise(ends.tolist()), pairwise(entries.tolist()), strict=True)
        for (first, last), (low, high) in spans:
            if high > low:
                scores = self.next_model.scores([ids[first:last]])[0]
                rows = place[pool.row[low:high]]
                likely = np.where(rows >= 0, np.maximum(scores[rows], 0), 0)
                found[low:high] = np.log1p(likely * len(scores))
        return found

    @cached_property
    def _popularity(self) -> NDArray[np.float64]:
        return percentiles(self.items.popularity)

    @cached_property
    def _popularity_at_age(self) -> NDArray[np.float64]:
        """The percentile among tracks of about the same age; among all where it is unknown."""
        popularity, released = self.items.popularity, self.items.released
        found = percentiles(popularity)
        known = np.flatnonzero(released > np.iinfo(np.int32).min)
        for part in np.array_split(known[np.argsort(released[known], kind="stable")], _AGES):
            found[part] = percentiles(popularity[part])
        return found

    def _age(self, rows: Ints, at: datetime | None) -> NDArray[np.float64]:
        released = self.items.released[rows].astype(np.float64)
        if at is None:
            return np.full(len(rows), np.nan)
        years = (at.timestamp() / 86_400 - released) / 365.25
        return np.where(released > np.iinfo(np.int32).min, np.log1p(np.maximum(years, 0)), np.nan)

    @cached_property
    def _minutes(self) -> NDArray[np.float64]:
        names = self.items.tracks.column_names
        if "duration_seconds" not in names:
            return np.full(len(self.items), np.nan)
        seconds = self.items.tracks["duration_seconds"].cast(pa.float64())
        return np.asarray(pc.fill_null(seconds, np.nan).to_numpy() / 60)

    @cached_property
    def _sound(self) -> NDArray[np.float64] | None:
        """Descriptors in deviations from their mean: float64 [items, columns], NaN unknown."""
        table = self.descriptors
        columns = [n for n in SOUND if table is not None and n in table.column_names]
        if table is None or not columns:
            return None
        rows = self.items.rows_of(table["track_id"].to_pylist())
        values = np.full((len(self.items), len(columns)), np.nan)
        for n, name in enumerate(columns):
            numbers = pc.fill_null(table[name].cast(pa.float64()), np.nan).to_numpy()
            values[rows[rows >= 0], n] = numbers[rows >= 0]
        known = np.isfinite(values)
        counts = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, values, 0).sum(axis=0) / counts
        spread = np.sqrt(np.where(known, np.square(values - mean), 0).sum(axis=0) / counts)
        return np.asarray((values - mean) / np.where(spread > 0, spread, np.inf))

    def _sound_distance(self, pool: Pool) -> NDArray[np.float64]:
        """How far a track is from the mean of the liked ones, in deviations, over SOUND."""
        sound = self._sound
        if sound is None:
            return np.full(len(pool), np.nan)
        heard, count = pool.profiles.history, len(pool.profiles)
        whole = np.asarray(np.isfinite(sound).all(axis=1))
        liked = np.flatnonzero((heard.weight > 0) & whole[heard.row])
        middle = np.full((count, sound.shape[1]), np.nan)
        total = np.bincount(heard.listener[liked], heard.weight[liked], count)
        for n in range(sound.shape[1]):
            weighted = heard.weight[liked] * sound[heard.row[liked], n]
            sums = np.bincount(heard.listener[liked], weighted, count)
            middle[:, n] = np.divide(sums, total, out=np.full(count, np.nan), where=total > 0)
        apart = np.square(sound[pool.row] - middle[pool.listener])
        return np.asarray(np.sqrt(apart.mean(axis=1)))


def percentiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the known values that are less, half of the equal ones: NaN where unknown."""
    found = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    each, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    if len(each):
        below = np.cumsum(counts) - counts
        found[known] = ((below + counts / 2) / len(known))[place]
    return found


def _interest_share(pool: Pool, interest: NDArray[np.int32]) -> NDArray[np.float64]:
    interests = pool.profiles.interests
    first = np.searchsorted(interests.listener, np.arange(len(pool.profiles)))
    at = first[pool.listener] + interest
    shares = np.append(interests.share, np.nan)
    return np.asarray(shares[np.where(interest >= 0, at, len(interests.share))])


def _own_plays(pool: Pool) -> NDArray[np.float64]:
    heard = pool.profiles.history
    keys = heard.listener * MANY + heard.row
    place = join_positions(pool.listener * MANY + pool.row, keys)
    return np.asarray(np.append(heard.plays, 0)[place])


def _place(pool: Pool) -> NDArray[np.float64]:
    """The place by the source's score among its listener's entries, as log(1 + place from 0)."""
    order = np.lexsort((-pool.score, pool.listener))
    ends = np.searchsorted(pool.listener, np.arange(len(pool.profiles) + 1))
    found = np.empty(len(pool))
    found[order] = np.arange(len(pool)) - np.repeat(ends[:-1], np.diff(ends))
    found[~np.isfinite(pool.score)] = np.nan
    return np.log1p(found)
