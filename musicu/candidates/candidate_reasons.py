"""Why a track is a candidate, in a sentence that is true.

A sentence is put together of parts, and each part is made for all candidates at once that share
it: millions of candidates have far fewer medoids, artists and counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.candidates.request import CandidateSource
from musicu.candidates.sources.more_like import MoreLike
from musicu.items.item_table import Floats, Ints, ItemTable
from musicu.items.joins import MANY, join_positions, may_be_among
from musicu.listening.profile_arrays import HistoryArrays, ProfileArrays
from musicu.listening.profile_text import times
from musicu.ranking.ranker import Ranker
from musicu.retrieval.names import label, labels

_MOST_PARTS = 2  # of a score, that a sentence names


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates of some listeners, before they have words: an entry each.

    listener, source: positions among the listeners and sources. interest: -1 for none.
    explored: whether it stands there because its artist has little exposure. likeness: the cosine
    with the track that stands for the interest, NaN for none. parts: what the score is made of.
    """

    listener: Ints
    source: Ints
    interest: Ints
    explored: NDArray[np.bool_]
    row: Ints
    score: Floats
    likeness: Floats
    parts: Mapping[str, Floats]

    def take(self, places: Ints) -> Found:
        """Some of the candidates."""
        columns = {name: getattr(self, name)[places] for name in _COLUMNS}
        return Found(parts={n: part[places] for n, part in self.parts.items()}, **columns)

    @classmethod
    def joined(cls, found: Sequence[Found]) -> Found:
        """The candidates of several, one after the other; there must be one."""
        if len(found) == 1:
            return found[0]
        columns = {n: np.concatenate([getattr(each, n) for each in found]) for n in _COLUMNS}
        names = dict.fromkeys(name for each in found for name in each.parts)
        parts = {
            name: np.concatenate(
                [each.parts.get(name, np.zeros(len(each.row), np.float32)) for each in found]
            )
            for name in names
        }
        return cls(parts=parts, **columns)


_COLUMNS = tuple(field.name for field in fields(Found))[:-1]


def sentences(
    profiles: ProfileArrays,
    sources: Sequence[CandidateSource],
    rankers: Sequence[Ranker],
    found: Found,
    exposure_below: int,
) -> pa.Array:
    """A sentence for each candidate: of the parts of its score, where its ranker has words."""
    phrases: list[Mapping[str, str]] = [getattr(ranker, "phrases", {}) for ranker in rankers]
    worded = np.array([bool(words) for words in phrases])[found.source]
    if not worded.any():
        return reasons(profiles, sources, found, exposure_below)
    texts = part_reasons(profiles.items, sources, phrases, found, exposure_below)
    if worded.all():
        return texts
    return pc.if_else(pa.array(worded), texts, reasons(profiles, sources, found, exposure_below))


def reasons(
    profiles: ProfileArrays, sources: Sequence[CandidateSource], found: Found, exposure_below: int
) -> pa.Array:
    """A sentence for each candidate: where it comes from, by whom it is, what it is near to.

    Near is what is likelier than 19 of 20 random pairs of tracks; what is less near only lies
    towards a track.
    """
    leads = pa.array([_lead(source, profiles.items) for source in sources], pa.string())
    tails, source, tail = _tails(profiles, sources, found, exposure_below)
    reason_prefix = leads.take(pa.array(source))
    names, by = _by(profiles.items, profiles.history, found)
    told = np.flatnonzero(by >= 0)
    some = pa.array(tail[told])
    texts = [
        pc.binary_join_element_wise(reason_prefix, tails, ""),  # of which most candidates have one
        pc.binary_join_element_wise(
            reason_prefix.take(some), names.take(pa.array(by[told])), tails.take(some), ""
        ),
    ]
    tail[told] = len(tails) + np.arange(len(told))
    return pa.concat_arrays(texts).take(pa.array(tail))


def part_reasons(
    items: ItemTable,
    sources: Sequence[CandidateSource],
    phrases: Sequence[Mapping[str, str]],
    found: Found,
    exposure_below: int,
) -> pa.Array:
    """A sentence for each candidate of the parts that add most to its score, two at most.

    phrases: of each source's ranker, the words of a part; a part without words is not told, and
    of two with the same words only the larger.
    """
    leads = [_lead(source, items) for source in sources]
    words = list(dict.fromkeys(text for told in phrases for text in told.values() if text))
    points = np.zeros((len(found.row), len(words)), np.float32)
    for number, told in enumerate(phrases):
        own = found.source == number
        for name in [name for name, text in told.items() if text and name in found.parts]:
            column = points[:, words.index(told[name])]
            column[own] = np.maximum(column[own], found.parts[name][own])
    order = np.argsort(-points, axis=1, kind="stable")[:, :_MOST_PARTS]
    some = np.where(np.take_along_axis(points, order, axis=1) > 0, order, -1)
    keys = np.column_stack([found.source, found.explored, some])
    each, place = np.unique(keys, axis=0, return_inverse=True)
    few = f", by an artist with fewer than {exposure_below:,} listens here"
    texts = [
        ", ".join([leads[source], *(words[n] for n in parts if n >= 0)]) + few * explored + "."
        for source, explored, *parts in each.tolist()
    ]
    return pa.array(texts, pa.string()).take(pa.array(place.ravel()))


def _lead(source: CandidateSource, items: ItemTable) -> str:
    """How the reasons of a source begin; a seed is called by its name."""
    if not isinstance(source, MoreLike):
        return source.reason_prefix
    row = int(items.rows_of([source.seed])[0])
    (seed,) = items.names_at(np.array([row])).to_pylist()
    return f"{source.reason_prefix} {label(seed)}"


def _by(items: ItemTable, heard: HistoryArrays, found: Found) -> tuple[pa.Array, Ints]:
    """Whom listeners play of the artists of candidates, the first of them, in words.

    And which words are whose: int64 [candidates], -1 for none.
    """
    artists = items.credits.padded(found.row)
    asked = np.where(artists >= 0, found.listener[:, None] * MANY + artists, -1)
    played = _plays_by_artist(items, heard, artists, asked)
    place = join_positions(asked, played[0])
    first = (place >= 0).argmax(axis=1)
    chosen = place[np.arange(len(place)), first]  # -1, the last, is nobody
    used = np.zeros(len(played[0]) + 1, bool)
    used[chosen] = True
    used[-1] = False
    keys, plays = played[0][used[:-1]], played[1][used[:-1]]
    names = items.credits.texts.take(pa.array(keys % MANY))
    told = pc.binary_join_element_wise(", by ", names, ", whom you played ", _times(plays), "")
    number = np.append(np.cumsum(used[:-1]) - 1, -1)
    return told, number[chosen]


def _plays_by_artist(
    items: ItemTable, heard: HistoryArrays, wanted: Ints, asked: Ints
) -> tuple[Ints, NDArray[np.float64]]:
    """Of what is asked and was played: listener and artist as one number, rising, and the plays.

    wanted: the artists that are asked about, -1 for none.
    """
    played = np.flatnonzero(heard.plays > 0)
    artists = items.credits.padded(heard.row[played])
    among = np.zeros(len(items.credits.keys) + 1, bool)
    among[wanted] = True
    among[-1] = False  # where -1 leads
    entry, column = np.nonzero(among[artists])
    keys = heard.listener[played[entry]] * MANY + artists[entry, column]
    some = may_be_among(keys, asked)
    known, place = np.unique(keys[some], return_inverse=True)
    plays = np.bincount(place, heard.plays[played[entry[some]]], len(known))
    return known, plays.astype(np.float64)


def _tails(
    profiles: ProfileArrays, sources: Sequence[CandidateSource], found: Found, exposure_below: int
) -> tuple[pa.Array, Ints, Ints]:
    """What candidates are near to, and the full stop: each text once.

    With the source of each text, and which text each candidate has: int64.
    """
    owner = profiles.interests.listener
    first = np.searchsorted(owner, np.arange(len(profiles.users)))
    own = np.where(found.interest >= 0, first[found.listener] + found.interest, len(owner))
    near = found.likeness >= profiles.items.near
    key = ((own * len(sources) + found.source) * 2 + found.explored) * 2 + near
    used = np.zeros((len(owner) + 1) * len(sources) * 4, bool)
    used[key] = True
    keys = np.flatnonzero(used)
    few = f", by an artist with fewer than {exposure_below:,} listens here."
    own, source = np.divmod(keys // 4, len(sources))
    texts = pc.binary_join_element_wise(
        _toward(profiles, sources, own, source, keys % 2 == 1),
        pa.array([".", few]).take(pa.array(keys // 2 % 2)),
        "",
    )
    return texts, source, np.cumsum(used)[key] - 1


def _toward(
    profiles: ProfileArrays,
    sources: Sequence[CandidateSource],
    own: Ints,
    source: Ints,
    near: NDArray[np.bool_],
) -> pa.Array:
    """Where the medoids of some interests lie, seen from a source; "" for what has no interest."""
    told = np.flatnonzero(own < len(profiles.interests.share))
    by_artist = np.array([s.anchor_kind == "artist" for s in sources])[source[told]]
    each, which = np.unique(own[told], return_inverse=True)
    medoids = _Medoids.of(profiles, each).take(which)
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
    def of(cls, profiles: ProfileArrays, own: Ints) -> _Medoids:
        items, heard, interests = profiles.items, profiles.history, profiles.interests
        rows = interests.medoid[own]
        keys = interests.listener[own] * MANY + rows
        place = join_positions(np.where(rows >= 0, keys, -1), heard.listener * MANY + heard.row)
        plays = np.append(heard.plays, 0)[place]
        known = np.flatnonzero(rows >= 0)
        names = labels(items.names_at(rows[known]))
        elsewhere = np.flatnonzero(rows < 0)  # tracks that the items does not have
        ids = []
        for at in elsewhere:
            taste = profiles.users[interests.listener[own[at]]].taste
            ids.append(taste.interests[interests.number[own[at]]].medoid)
            plays[at] = taste.history.plays[np.searchsorted(taste.history.ids, ids[-1])]
        order = np.argsort(np.concatenate([known, elsewhere]))
        named = pa.concat_arrays([names, pa.array(ids, pa.string())]).take(pa.array(order))
        first = np.full(len(own), -1)
        first[known] = items.credits.padded(rows[known])[:, 0]
        artist = items.credits.texts.take(pa.array(first, mask=first < 0))
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
