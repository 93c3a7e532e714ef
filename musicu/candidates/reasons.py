"""Why a track is a candidate, in a sentence that is true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.candidates.request import Heard, Listener, Source
from musicu.candidates.sources.more_like import MoreLike
from musicu.candidates.stock import Floats, Ints, Stock
from musicu.candidates.words import times
from musicu.catalog.words import one_line
from musicu.retrieval.names import label

_MANY = 1 << 32  # more than there are artists


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates of some listeners, before they have words: an entry each.

    listener, source: positions among the listeners and sources. interest: -1 for none.
    explored: whether it stands there because its artist has little exposure.
    """

    listener: Ints
    source: Ints
    interest: Ints
    explored: NDArray[np.bool_]
    row: Ints
    score: Floats

    def take(self, places: Ints) -> Found:
        """Some of the candidates."""
        return Found(*(getattr(self, field.name)[places] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """The candidates of several, one after the other; there must be one."""
        columns = [[getattr(part, field.name) for part in parts] for field in fields(cls)]
        return cls(*map(np.concatenate, columns))


def reasons(
    stock: Stock,
    listeners: Sequence[Listener],
    heard: Heard,
    sources: Sequence[Source],
    found: Found,
    exposure_below: int,
) -> pa.Array:
    """A sentence for each candidate: where it comes from, by whom it is, what it is near to.

    Near is what is likelier than 19 of 20 random pairs of tracks; what is less near only lies
    towards a track.
    """
    writer = _Writer(stock, listeners, heard, sources, exposure_below)
    lead = pa.array([_lead(source, stock) for source in sources], pa.string())
    return pc.binary_join_element_wise(
        lead.take(pa.array(found.source)), writer.by(found), writer.tails(found), ""
    )


def _lead(source: Source, stock: Stock) -> str:
    """How the reasons of a source begin; a seed is called by its name."""
    if not isinstance(source, MoreLike):
        return source.lead
    row = int(stock.rows_of(pa.array([source.seed]))[0])
    names = ["track_id", "title", "artists", "path"]
    return f"{source.lead} {label(stock.tracks.select(names).slice(row, 1).to_pylist()[0])}"


class _Writer:
    """The parts of sentences, each written once."""

    def __init__(
        self,
        stock: Stock,
        listeners: Sequence[Listener],
        heard: Heard,
        sources: Sequence[Source],
        exposure_below: int,
    ) -> None:
        self.stock, self.listeners, self.sources = stock, listeners, sources
        self.few = f", by an artist with fewer than {exposure_below:,} listens here"
        self.labels = self._medoids()
        played = heard.plays > 0
        artists = stock.credits.padded(heard.row[played])
        keys = (heard.listener[played, None] * _MANY + artists)[artists >= 0]
        loads = np.broadcast_to(heard.plays[played, None], artists.shape)[artists >= 0]
        self.played, place = np.unique(keys, return_inverse=True)
        self.plays = np.bincount(place, loads, len(self.played))

    def by(self, found: Found) -> pa.Array:
        """Whom the listener plays of the artists of each candidate: the first of them, if any."""
        artists = self.stock.credits.padded(found.row)
        keys = found.listener[:, None] * _MANY + artists
        place = np.minimum(np.searchsorted(self.played, keys), max(0, len(self.played) - 1))
        known = artists >= 0
        known &= self.played[place] == keys if len(self.played) else False
        first = known.argmax(axis=1)
        any_known = known.any(axis=1)
        chosen = place[np.arange(len(first)), first]
        used, where = np.unique(chosen[any_known], return_inverse=True)
        texts = [self._played(int(key)) for key in used]
        index = np.full(len(first), len(texts))
        index[any_known] = where
        return pa.array([*texts, ""], pa.string()).take(pa.array(index))

    def _played(self, place: int) -> str:
        name = self.stock.credits.names[int(self.played[place] % _MANY)]
        return f", by {one_line(name)}, whom you played {times(self.plays[place])}"

    def tails(self, found: Found) -> pa.Array:
        """What each candidate is near to, and the full stop."""
        near = found.score >= self.stock.near
        interests = int(found.interest.max(initial=-1)) + 2
        key = found.listener * interests + found.interest + 1
        key = ((key * len(self.sources) + found.source) * 2 + found.explored) * 2 + near
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        texts = [self._tail(found, int(entry), bool(near[entry])) for entry in first]
        return pa.array(texts, pa.string()).take(pa.array(place))

    def _tail(self, found: Found, entry: int, near: bool) -> str:
        listener, interest = int(found.listener[entry]), int(found.interest[entry])
        text = ""
        if interest >= 0:
            medoid = self.listeners[listener].taste.interests[interest].medoid
            text = self._toward(self.sources[int(found.source[entry])], listener, medoid, near)
        return f"{text}{self.few if found.explored[entry] else ''}."

    def _toward(self, source: Source, listener: int, medoid: str, near: bool) -> str:
        history = self.listeners[listener].taste.history
        plays = history.plays[int(np.searchsorted(history.ids, medoid))]
        how = f"which you played {times(plays)}" if plays else "which you chose"
        named, artist = self.labels.get(medoid, (medoid, None))
        if source.toward == "artist" and artist:
            return f" close to {one_line(artist)}{', whom you play' if plays else ''}"
        return f", {'near' if near else 'towards'} {named}, {how}"

    def _medoids(self) -> dict[str, tuple[str, str | None]]:
        """How the medoids and their first artists are called."""
        ids = {i.medoid for listener in self.listeners for i in listener.taste.interests}
        texts = pa.array(sorted(ids), pa.string())
        rows = self.stock.rows_of(texts)
        names = ["track_id", "title", "artists", "album_artist", "path"]
        known = pa.array(rows[rows >= 0])
        tracks: list[dict[str, Any]] = self.stock.tracks.select(names).take(known).to_pylist()
        first = self.stock.credits.padded(rows[rows >= 0])[:, 0]
        artists = [self.stock.credits.names[a] if a >= 0 else None for a in first]
        return {
            row["track_id"]: (label(row), artist)
            for row, artist in zip(tracks, artists, strict=True)
        }
