"""Why a track is a candidate, in a sentence that is true.

A sentence is put together of parts, and each part is made for all candidates at once that share
it: millions of candidates have far fewer medoids, artists and counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.candidates.request import Request, Source
from musicu.candidates.sources.more_like import MoreLike
from musicu.items.joins import MANY, maybe_among, places_of
from musicu.items.table import Floats, Ints, Stock
from musicu.listening.profile_arrays import Heard
from musicu.listening.profile_text import times
from musicu.retrieval.names import label, labels

_NAMES = ["track_id", "title", "artists", "path"]


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
    request: Request, sources: Sequence[Source], found: Found, exposure_below: int
) -> pa.Array:
    """A sentence for each candidate: where it comes from, by whom it is, what it is near to.

    Near is what is likelier than 19 of 20 random pairs of tracks; what is less near only lies
    towards a track.
    """
    leads = pa.array([_lead(source, request.stock) for source in sources], pa.string())
    tails, source, tail = _tails(request, sources, found, exposure_below)
    lead = leads.take(pa.array(source))
    names, by = _by(request.stock, request.heard, found)
    told = np.flatnonzero(by >= 0)
    some = pa.array(tail[told])
    texts = [
        pc.binary_join_element_wise(lead, tails, ""),  # of which most candidates have one
        pc.binary_join_element_wise(
            lead.take(some), names.take(pa.array(by[told])), tails.take(some), ""
        ),
    ]
    tail[told] = len(tails) + np.arange(len(told))
    return pa.concat_arrays(texts).take(pa.array(tail))


def _lead(source: Source, stock: Stock) -> str:
    """How the reasons of a source begin; a seed is called by its name."""
    if not isinstance(source, MoreLike):
        return source.lead
    row = int(stock.rows_of([source.seed])[0])
    return f"{source.lead} {label(stock.tracks.select(_NAMES).slice(row, 1).to_pylist()[0])}"


def _by(stock: Stock, heard: Heard, found: Found) -> tuple[pa.Array, Ints]:
    """Whom listeners play of the artists of candidates, the first of them, in words.

    And which words are whose: int64 [candidates], -1 for none.
    """
    artists = stock.credits.padded(found.row)
    asked = np.where(artists >= 0, found.listener[:, None] * MANY + artists, -1)
    played = _plays_by_artist(stock, heard, artists, asked)
    place = places_of(asked, played[0])
    first = (place >= 0).argmax(axis=1)
    chosen = place[np.arange(len(place)), first]  # -1, the last, is nobody
    used = np.zeros(len(played[0]) + 1, bool)
    used[chosen] = True
    used[-1] = False
    keys, plays = played[0][used[:-1]], played[1][used[:-1]]
    names = stock.credits.texts.take(pa.array(keys % MANY))
    told = pc.binary_join_element_wise(", by ", names, ", whom you played ", _times(plays), "")
    number = np.append(np.cumsum(used[:-1]) - 1, -1)
    return told, number[chosen]


def _plays_by_artist(
    stock: Stock, heard: Heard, wanted: Ints, asked: Ints
) -> tuple[Ints, NDArray[np.float64]]:
    """Of what is asked and was played: listener and artist as one number, rising, and the plays.

    wanted: the artists that are asked about, -1 for none.
    """
    played = np.flatnonzero(heard.plays > 0)
    artists = stock.credits.padded(heard.row[played])
    among = np.zeros(len(stock.credits.keys) + 1, bool)
    among[wanted] = True
    among[-1] = False  # where -1 leads
    entry, column = np.nonzero(among[artists])
    keys = heard.listener[played[entry]] * MANY + artists[entry, column]
    some = maybe_among(keys, asked)
    known, place = np.unique(keys[some], return_inverse=True)
    plays = np.bincount(place, heard.plays[played[entry[some]]], len(known))
    return known, plays.astype(np.float64)


def _tails(
    request: Request, sources: Sequence[Source], found: Found, exposure_below: int
) -> tuple[pa.Array, Ints, Ints]:
    """What candidates are near to, and the full stop: each text once.

    With the source of each text, and which text each candidate has: int64.
    """
    owner = request.interests.listener
    first = np.searchsorted(owner, np.arange(len(request.listeners)))
    own = np.where(found.interest >= 0, first[found.listener] + found.interest, len(owner))
    near = found.score >= request.stock.near
    key = ((own * len(sources) + found.source) * 2 + found.explored) * 2 + near
    used = np.zeros((len(owner) + 1) * len(sources) * 4, bool)
    used[key] = True
    keys = np.flatnonzero(used)
    few = f", by an artist with fewer than {exposure_below:,} listens here."
    own, source = np.divmod(keys // 4, len(sources))
    texts = pc.binary_join_element_wise(
        _toward(request, sources, own, source, keys % 2 == 1),
        pa.array([".", few]).take(pa.array(keys // 2 % 2)),
        "",
    )
    return texts, source, np.cumsum(used)[key] - 1


def _toward(
    request: Request, sources: Sequence[Source], own: Ints, source: Ints, near: NDArray[np.bool_]
) -> pa.Array:
    """Where the medoids of some interests lie, seen from a source; "" for what has no interest."""
    told = np.flatnonzero(own < len(request.interests.share))
    by_artist = np.array([s.toward == "artist" for s in sources])[source[told]]
    each, which = np.unique(own[told], return_inverse=True)
    medoids = _Medoids.of(request, each).take(which)
    how = pc.if_else(
        pa.array(medoids.plays > 0),
        pc.binary_join_element_wise("which you played ", _times(medoids.plays), ""),
        "which you chose",
    )
    lies = pa.array([", towards ", ", near "]).take(pa.array(near[told].astype(np.int8)))
    texts = pc.binary_join_element_wise(lies, medoids.named, ", ", how, "")
    played = pa.array(["", ", whom you play"]).take(pa.array((medoids.plays > 0).astype(np.int8)))
    close = pc.binary_join_element_wise(" close to ", medoids.artist, played, "")
    texts = pc.if_else(pa.array(by_artist & medoids.has_artist), close, texts)
    place = np.full(len(own), len(told))
    place[told] = np.arange(len(told))
    return pa.concat_arrays([texts, pa.array([""])]).take(pa.array(place))


@dataclass(frozen=True, slots=True, eq=False)
class _Medoids:
    """The tracks that stand for some interests: how they and their first artists are called."""

    plays: NDArray[np.float64]
    named: pa.Array
    artist: pa.Array
    has_artist: NDArray[np.bool_]

    @classmethod
    def of(cls, request: Request, own: Ints) -> _Medoids:
        stock, heard, interests = request.stock, request.heard, request.interests
        rows = interests.medoid[own]
        keys = interests.listener[own] * MANY + rows
        place = places_of(np.where(rows >= 0, keys, -1), heard.listener * MANY + heard.row)
        plays = np.append(heard.plays, 0)[place]
        known = np.flatnonzero(rows >= 0)
        names = labels(stock.tracks.select(_NAMES).take(pa.array(rows[known])))
        elsewhere = np.flatnonzero(rows < 0)  # tracks that the stock does not have
        ids = []
        for at in elsewhere:
            taste = request.listeners[interests.listener[own[at]]].taste
            ids.append(taste.interests[interests.number[own[at]]].medoid)
            plays[at] = taste.history.plays[np.searchsorted(taste.history.ids, ids[-1])]
        order = np.argsort(np.concatenate([known, elsewhere]))
        named = pa.concat_arrays([names, pa.array(ids, pa.string())]).take(pa.array(order))
        first = np.full(len(own), -1)
        first[known] = stock.credits.padded(rows[known])[:, 0]
        artist = stock.credits.texts.take(pa.array(first, mask=first < 0))
        return cls(plays, named, pc.fill_null(artist, ""), first >= 0)

    def take(self, places: Ints) -> _Medoids:
        """Some of the tracks."""
        some = pa.array(places)
        return _Medoids(
            self.plays[places],
            self.named.take(some),
            self.artist.take(some),
            self.has_artist[places],
        )


def _times(counts: NDArray[np.float64]) -> pa.Array:
    """How often, in words."""
    values, place = np.unique(np.round(counts), return_inverse=True)
    return pa.array([times(value) for value in values], pa.string()).take(pa.array(place))
