"""The tracks of a catalog as a join finds them: by ids, codes, places and names."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.joining.name_agreement import credit_parts
from musicu.joining.name_forms import NameForms, name_forms, packed, without_article
from musicu.joining.text_hashes import Hashes, HashRows, mixed, text_ends, text_hashes

Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]

#: Of names that begin and end alike: more than so many, and the ends tell nothing.
_MOST_ALIKE = 48
_NUMBERED_TITLE = re.compile(r"^\d{1,3}\s*[-._]\s*(\D.*)$|^\d{2}\s+(\D.*)$")
_PLACE = r"^.*?((?:[^/]+/)?[^/]+?)(?:\.low)?\.[A-Za-z0-9]{2,5}$"


class TrackKeys:
    """Finds records among tracks, each way by one sorted column of hashes.

    tracks: with the columns of `schema.TRACKS`. Names are kept as variants: a track has one for
    each of its artists, and further ones where its title looks like a file's name.
    """

    def __init__(self, tracks: pa.Table, source: str) -> None:
        self.count = tracks.num_rows
        self._texts = {
            name: _text(tracks, name) for name in ("title", "album", "album_artist", "isrc", "path")
        }
        self.artists = _lists(tracks, "artists")
        self.ids = _text(tracks, "track_id")
        self.mbids = pc.utf8_lower(_text(tracks, "musicbrainz_recording_id"))
        self.isrcs = pc.replace_substring_regex(pc.utf8_upper(_text(tracks, "isrc")), r"[\s-]", "")
        named = next(
            (n for n in (f"{source}_id", f"{source}_track_id") if n in tracks.column_names), None
        )
        self.source_ids = (
            pa.nulls(self.count, pa.string()) if named is None else _text(tracks, named)
        )
        self.places = pc.replace_substring_regex(self._texts["path"], _PLACE, r"\1")
        self.seconds = _floats(tracks, "duration_seconds")
        self.compilation = self._compilations(tracks)
        self.albums = self._texts["album"]
        self._make_variants()

    def _compilations(self, tracks: pa.Table) -> NDArray[np.bool_]:
        various = pc.match_substring_regex(
            pc.fill_null(self._texts["album_artist"], ""), r"(?i)^(?:various|va$|v\.a\.)"
        )
        said = tracks["compilation"] if "compilation" in tracks.column_names else None
        marked = (
            False if said is None else pc.fill_null(said.combine_chunks().cast(pa.bool_()), False)
        )
        found: NDArray[np.bool_] = np.asarray(pc.or_(various, marked))
        return found

    def titles_at(self, rows: Ints) -> pa.Array:
        """The titles of some tracks."""
        return self._texts["title"].take(pa.array(rows))

    def credits_at(self, rows: Ints) -> pa.Array:
        """The whole credits of some tracks; of their albums where they have none."""
        joined = pc.binary_join(self.artists.take(pa.array(rows)), ", ")
        known = pc.if_else(pc.equal(joined, ""), None, joined)
        return pc.coalesce(known, self._texts["album_artist"].take(pa.array(rows)))

    def rows_of(self, column: pa.Array) -> HashRows:
        """Rows by a column of texts."""
        return HashRows(text_hashes(column), np.arange(len(column)))

    def _make_variants(self) -> None:
        owners, titles, credits = [], [], []
        told = zip(
            self._texts["title"].to_pylist(), self.artists.to_pylist(),
            self._texts["album_artist"].to_pylist(),
            strict=True,
        )  # fmt: skip
        for row, (title, artists, album_artist) in enumerate(told):
            for name, credit in _variants(title, artists or (), album_artist):
                owners.append(row)
                titles.append(name)
                credits.append(credit)
        self.owners: Ints = np.array(owners, np.int64)
        self.forms: NameForms = name_forms(
            pa.array(titles, pa.string()), pa.array(credits, pa.string())
        )
        hashes = name_keys(self.forms)
        numbers = np.arange(len(owners))
        self._by_name = [HashRows(keys, numbers, _MOST_ALIKE) for keys in hashes]

    def find_names(self, forms: NameForms) -> Pairs:
        """(place among the forms, variant) of all that may be alike, each pair once."""
        found = [
            rows.find(keys) for rows, keys in zip(self._by_name, name_keys(forms), strict=True)
        ]
        places = np.concatenate([pair[0] for pair in found])
        variants = np.concatenate([pair[1] for pair in found])
        both = np.unique(places * max(1, len(self.owners)) + variants)
        return both // max(1, len(self.owners)), both % max(1, len(self.owners))


def name_keys(forms: NameForms) -> list[Hashes]:
    """Numbers that names share which differ by a slip of the pen here and there; 0 for none.

    Title and artist together: both whole; their first and last four letters, all four ways; and one
    whole with the first or last letters of the other, for short names. One slip in either leaves
    some of these as they were.
    """
    title, artist = packed(without_article(forms.title)), packed(forms.artist)
    known = np.asarray(pc.and_(pc.not_equal(title, ""), pc.not_equal(artist, "")))
    whole = mixed(text_hashes(title) * np.uint64(3) + text_hashes(artist))
    keys = [whole]
    ends, ends_too = text_ends(title), text_ends(artist)
    for a in ends:
        keys += [mixed((a << np.uint64(32)) | b) for b in ends_too]
    wholes = text_hashes(title), text_hashes(artist)
    for number, (known_whole, (head, tail)) in enumerate(
        zip(wholes, (ends_too, ends), strict=True), 5
    ):
        bits = np.uint64(0xFF if number == 5 else 0xFFFF)  # of an artist one letter, of a title two
        last = tail >> np.uint64(24 if number == 5 else 16)
        keys += [
            mixed(known_whole * np.uint64(number) + part)
            for part in (head & bits, last + np.uint64(1 << 20))
        ]
    return [np.where(known, key, np.uint64(0)) for key in keys]


def _variants(
    title: str | None, artists: Iterable[str], album_artist: str | None
) -> Iterable[tuple[str, str]]:
    """Title and credit as they may be meant."""
    if not title:
        return []
    names = [name for name in artists if name]
    credits = [*([", ".join(names)] if len(names) > 1 else []), *names]
    for name in names:
        credits += credit_parts(name)
    if album_artist and not credits:
        credits.append(album_artist)
    titles = [title]
    if numbered := _NUMBERED_TITLE.match(title):
        titles.append(numbered[1] or numbered[2])
    made = [(one, credit) for one in titles for credit in credits]
    for one in titles:
        first, mark, rest = one.partition(" - ")
        if mark and rest:
            made.append((rest, first))
    return dict.fromkeys(made)


def _text(tracks: pa.Table, name: str) -> pa.Array:
    if name not in tracks.column_names:
        return pa.nulls(tracks.num_rows, pa.string())
    column = tracks[name].cast(pa.string())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())


def _lists(tracks: pa.Table, name: str) -> pa.Array:
    if name not in tracks.column_names:
        return pa.nulls(tracks.num_rows, pa.list_(pa.string()))
    column = tracks[name]
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _floats(tracks: pa.Table, name: str) -> NDArray[np.float64]:
    if name not in tracks.column_names:
        return np.full(tracks.num_rows, np.nan)
    found: NDArray[np.float64] = pc.fill_null(tracks[name].cast(pa.float64()), np.nan).to_numpy()
    return found
