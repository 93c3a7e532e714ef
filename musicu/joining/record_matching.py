"""Which tracks the records of a table mean: by ids, then ISRC, then names and length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.folding import loose_texts
from musicu.joining.name_agreement import Agreement, agreement, alike, credit_parts
from musicu.joining.name_forms import NameForms, artist_forms, name_forms
from musicu.joining.text_hashes import HashRows, text_hashes
from musicu.joining.track_keys import TrackKeys

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: By what a record was found to mean a track, the surest first.
MATCHED_BY = ("id", "redirected id", "isrc", "name")
_ID, _REDIRECTED, _ISRC, _NAME = range(4)
_NUMBER = 4  # an id that may be another's, such as "17"; where it is believed it counts as an id

# Chosen on damaged names of releases that no test uses: see benchmarks/joins.py.
_TITLE, _ARTIST = 0.78, 0.75  # the least that must agree by names alone
_BOTH = 1.66  # title and artist together
_SHORT = 4  # letters, up to which a title must be the same
_AGREES, _CONTRADICTS = 0.75, 0.5
_SAME_SECONDS, _OTHER_SECONDS = 3.0, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class FoundPairs:
    """Records that mean tracks: of each pair the record's row, the track's, a place in MATCHED_BY,
    how well they agree (higher is better), and a number of the record's names. Arrays [pairs].
    """

    record: Ints
    track: Ints
    way: Ints
    score: NDArray[np.float64]
    names: NDArray[np.uint64]


class RecordMatcher:
    """Matches tables of records (`join_records.as_records`) to the tracks of a catalog.

    redirects: where ids lead to, see `redirects.followed`. by_names: whether names alone may match.
    distrusted: how many ISRCs led to a track of other names and were not believed.
    """

    def __init__(
        self, keys: TrackKeys, redirects: dict[str, str] | None = None, *, by_names: bool = True
    ) -> None:
        self._keys = keys
        self._redirects = redirects or {}
        self._by_names = by_names
        self.distrusted = 0

    def match(self, records: pa.Table) -> FoundPairs:
        """All pairs of records and tracks that are one recording, each once, by the surest way."""
        pairs = [*self._by_ids(records), self._by_isrc(records)]
        record = np.concatenate([pair[0] for pair in pairs])
        track = np.concatenate([pair[1] for pair in pairs])
        way = np.concatenate([np.full(len(pair[0]), pair[2]) for pair in pairs])
        about = _PairNames(self._keys, records, record, track)
        kept = self._believed(about, way)
        self.distrusted += int(np.sum((way == _ISRC) & ~kept))
        known = np.where(way == _NUMBER, _ID, way)[kept]
        sure = FoundPairs(record[kept], track[kept], known, about.score[kept], about.names[kept])
        if not self._by_names:
            return _surest(sure)
        return _surest(_joined(sure, self._by_name(records)))

    def _by_ids(self, records: pa.Table) -> list[tuple[Ints, Ints, int]]:
        keys, mbids = self._keys, records["recording_mbid"].combine_chunks()
        ids, places = (records[n].combine_chunks() for n in ("record_id", "path"))
        found = [
            (*_equal(mbids, keys.mbids, self._mbid_rows), _ID),
            (*_equal(records["track_id"].combine_chunks(), keys.ids, self._id_rows), _ID),
            (*_equal(ids, keys.source_ids, self._source_rows), _ID),
        ]
        if self._redirects:
            asked, known = self._redirected(mbids), self._redirected_tracks
            found += [
                (*_equal(mbids, known, self._redirected_rows), _REDIRECTED),
                (*_equal(asked, keys.mbids, self._mbid_rows), _REDIRECTED),
                (*_equal(asked, known, self._redirected_rows), _REDIRECTED),
            ]
        found.append((*_equal(places, keys.places, self._place_rows), _NUMBER))
        found.append((*_equal(ids, keys.ids, self._id_rows), _NUMBER))
        if mbids.null_count == len(mbids):  # of a table whose ids may be those of MusicBrainz
            found.append((*_equal(pc.utf8_lower(ids), keys.mbids, self._mbid_rows), _ID))
        return found

    def _by_isrc(self, records: pa.Table) -> tuple[Ints, Ints, int]:
        lists = records["isrcs"].combine_chunks()
        if lists.null_count == len(lists):
            return _NONE, _NONE, _ISRC
        flat, parents = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
        at, track = _equal(flat, self._keys.isrcs, self._isrc_rows)
        both = np.unique(parents[at].astype(np.int64) * max(1, self._keys.count) + track)
        return both // max(1, self._keys.count), both % max(1, self._keys.count), _ISRC

    def _believed(self, about: _PairNames, way: Ints) -> Mask:
        """Which pairs stand: those by id, and those by ISRC whose names and lengths agree.

        Compilations carry the ISRCs of other recordings, so there title and artist must agree;
        elsewhere they may not contradict.
        """
        agree, apart = about.agreement, about.apart
        same_title, same_artist = agree.title >= _AGREES, agree.artist >= _AGREES
        same_length, other_length = apart <= _SAME_SECONDS, apart > _OTHER_SECONDS
        unknown = np.isnan(agree.title)
        named = same_title & (same_artist | np.isnan(agree.artist)) & agree.same_version
        positive = (named & ~other_length) | (unknown & same_length)
        contradicted = (agree.title < _CONTRADICTS) & ~(agree.artist >= _AGREES) & ~same_length
        contradicted |= other_length & ~(same_title & agree.same_version)
        isrc = np.where(about.compilation, positive, ~contradicted)
        placed = (same_title & agree.same_version & ~other_length) | (
            unknown & ~(apart > _SAME_SECONDS)
        )
        found: Mask = np.where(way == _ISRC, isrc, np.where(way == _NUMBER, placed, True))
        return found

    def _by_name(self, records: pa.Table) -> FoundPairs:
        forms = name_forms(records["title"].combine_chunks(), records["artist"].combine_chunks())
        place, variant = self._keys.find_names(forms)
        track = self._keys.owners[variant]
        apart = np.abs(_seconds(records)[place] - self._keys.seconds[track])
        near = ~(apart > _OTHER_SECONDS)
        place, variant, track, apart = place[near], variant[near], track[near], apart[near]
        ours, theirs = forms.take(pa.array(place)), self._keys.forms.take(pa.array(variant))
        agree = agreement(ours, theirs)
        artist = _by_parts(agree, records, place, theirs)
        title = agree.title
        short = np.asarray(pc.less_equal(pc.utf8_length(ours.title), _SHORT))
        fits = (
            (title >= _TITLE) & (artist >= _ARTIST) & (title + artist >= _BOTH) & agree.same_version
        )
        fits &= ~short | (title == 1)
        close = np.where(np.isnan(apart), 0.0, np.maximum(0.0, 1 - apart / _OTHER_SECONDS))
        albums = records["album"].combine_chunks().take(pa.array(place[fits]))
        same_album = _same_albums(albums, self._keys.albums.take(pa.array(track[fits])))
        exact = 0.05 * ((title == 1) & (artist == 1))[fits]  # beyond what a rival may come near
        score = (title + artist)[fits] + exact + 0.1 * close[fits] + 0.1 * same_album
        names = text_hashes(ours.title) * np.uint64(3) + text_hashes(ours.artist)
        return FoundPairs(
            place[fits], track[fits], np.full(int(fits.sum()), _NAME), score, names[fits]
        )

    def _redirected(self, ids: pa.Array) -> pa.Array:
        """Where ids lead to; null for those that lead nowhere."""
        olds = pa.array(list(self._redirects), pa.string())
        news = pa.array(list(self._redirects.values()), pa.string())
        return news.take(pc.index_in(ids, value_set=olds, skip_nulls=True))

    @cached_property
    def _redirected_tracks(self) -> pa.Array:
        return self._redirected(self._keys.mbids)

    @cached_property
    def _redirected_rows(self) -> HashRows:
        return self._keys.rows_of(self._redirected_tracks)

    @cached_property
    def _mbid_rows(self) -> HashRows:
        return self._keys.rows_of(self._keys.mbids)

    @cached_property
    def _id_rows(self) -> HashRows:
        return self._keys.rows_of(self._keys.ids)

    @cached_property
    def _source_rows(self) -> HashRows:
        return self._keys.rows_of(self._keys.source_ids)

    @cached_property
    def _place_rows(self) -> HashRows:
        return self._keys.rows_of(self._keys.places)

    @cached_property
    def _isrc_rows(self) -> HashRows:
        return self._keys.rows_of(self._keys.isrcs)


class _PairNames:
    """What the names and lengths of pairs say, whatever they were found by."""

    def __init__(self, keys: TrackKeys, records: pa.Table, record: Ints, track: Ints) -> None:
        rows = pa.array(record)
        titles, credits = (records[n].combine_chunks().take(rows) for n in ("title", "artist"))
        ours = name_forms(titles, credits)
        theirs = name_forms(keys.titles_at(track), keys.credits_at(track))
        agree = agreement(ours, theirs)
        self.agreement = Agreement(
            agree.title, _lifted(agree.artist, credits, keys, track), agree.same_version
        )
        self.apart = np.abs(_seconds(records)[record] - keys.seconds[track])
        told = pc.fill_null(records["compilation"].combine_chunks(), False).to_numpy(
            zero_copy_only=False
        )
        self.compilation: Mask = told[record] | keys.compilation[track]
        self.names = text_hashes(ours.title) * np.uint64(3) + text_hashes(ours.artist)
        known = [np.nan_to_num(part, nan=0.5) for part in (agree.title, agree.artist)]
        albums = records["album"].combine_chunks().take(rows)
        close = np.where(
            np.isnan(self.apart), 0.0, np.maximum(0.0, 1 - self.apart / _OTHER_SECONDS)
        )
        same_album = _same_albums(albums, keys.albums.take(pa.array(track)))
        self.score = known[0] + known[1] + 0.1 * close + 0.1 * same_album


_NONE = np.zeros(0, np.int64)


def _equal(asked: pa.Array, known: pa.Array, rows: HashRows) -> tuple[Ints, Ints]:
    """(place, row) of all texts that are equal."""
    place, row = rows.find(text_hashes(asked))
    same = np.asarray(
        pc.fill_null(pc.equal(asked.take(pa.array(place)), known.take(pa.array(row))), False)
    )
    return place[same], row[same]


def _seconds(records: pa.Table) -> NDArray[np.float64]:
    found: NDArray[np.float64] = pc.fill_null(records["duration_seconds"], np.nan).to_numpy()
    return found


def _same_albums(a: pa.Array, b: pa.Array) -> Floats:
    same = pc.equal(loose_texts(a), loose_texts(b))
    known = pc.and_(pc.is_valid(a), pc.is_valid(b))
    found: Floats = np.asarray(pc.and_(same, known)).astype(np.float32)
    return found


def _by_parts(agree: Agreement, records: pa.Table, place: Ints, theirs: NameForms) -> Floats:
    """How alike the artists are, where titles agree also by the parts of the record's credit."""
    artist: Floats = agree.artist.copy()
    asked = np.flatnonzero((agree.title >= _TITLE) & ~(artist >= _ARTIST) & agree.same_version)
    if len(asked):
        credits = records["artist"].combine_chunks().take(pa.array(place[asked])).to_pylist()
        names = theirs.artist.take(pa.array(asked)).to_pylist()
        artist[asked] = _best_parts(
            list(map(credit_parts, credits)), [(name,) for name in names], artist[asked]
        )
    return artist


def _lifted(artist: Floats, credits: pa.Array, keys: TrackKeys, track: Ints) -> Floats:
    """How alike the artists are, also by the parts of both credits."""
    made: Floats = artist.copy()
    asked = np.flatnonzero(artist < _AGREES)
    if len(asked):
        said = map(_parts_or_all, credits.take(pa.array(asked)).to_pylist())
        known = map(_parts_or_all, keys.credits_at(track[asked]).to_pylist())
        made[asked] = _best_parts(list(said), list(known), made[asked])
    return made


def _parts_or_all(credit: str | None) -> tuple[str, ...]:
    return credit_parts(credit) or ((credit,) if credit else ())


def _best_parts(
    ours: list[tuple[str, ...]], theirs: list[tuple[str, ...]], found: Floats
) -> Floats:
    """The best alikeness of any two parts, where that is more than what was found."""
    best: Floats = found.copy()
    at, left, right = [], [], []
    for place, (parts, others) in enumerate(zip(ours, theirs, strict=True)):
        for part in parts:
            for other in others:
                at.append(place)
                left.append(part)
                right.append(other)
    if at:
        forms = artist_forms(pa.array([*left, *right], pa.string()))
        scores = alike(forms[: len(at)], forms[len(at) :])
        np.fmax.at(best, np.array(at), scores)
    return best


def _joined(a: FoundPairs, b: FoundPairs) -> FoundPairs:
    return FoundPairs(
        *(np.concatenate([getattr(a, name), getattr(b, name)]) for name in FoundPairs.__slots__)
    )


def _surest(found: FoundPairs) -> FoundPairs:
    """Each pair once, by its surest way and best agreement."""
    order = np.lexsort((-found.score, found.way, found.track, found.record))
    record, track = found.record[order], found.track[order]
    first = np.append(True, (np.diff(record) != 0) | (np.diff(track) != 0))[: len(order)]
    kept = order[first]
    return FoundPairs(*(getattr(found, name)[kept] for name in FoundPairs.__slots__))
