"""A track from words: its id, its file, "Artist - Title", or something near.

Names fit as they are spelled, else folded, else by their letters and digits alone (see
`catalog.folding`); what fits by no more than that is said in a LooseMatchWarning that names both.
What is merely near is scored in [0, 1] by `_likeness`, over the tracks that share most letter
triples with the words.
"""

from __future__ import annotations

import difflib
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.folding import exact, fold, loose, loose_texts
from musicu.catalog.words import one_line
from musicu.errors import AmbiguousTrackError, QueryError
from musicu.ingest.path_list import absolute, path_forms
from musicu.records import check_kind
from musicu.retrieval.matcher import TrackMatcher, stems
from musicu.retrieval.mention import Mention, stem

_SHORTLIST = 60  # tracks scored closely
_LONGEST = 100  # letters of the words that are looked for
_LISTED = 10  # candidates named in an error
_NEAR = 0.6  # likeness below it is not worth proposing
_CLEAR = 0.8  # likeness from which a lone winner is taken
_LEAD = 0.08  # by how much it must lead
_BETWEEN = re.compile(r"\s+-\s+|:\s+|,\s+|\s\(|\)$")


class LooseMatchWarning(UserWarning):
    """A track was taken for what was named, whose name is spelled otherwise."""


def warn_of(said: str, track: Mapping[str, Any]) -> None:
    """Warn that a track was taken for what was said, which is spelled otherwise."""
    name = f"{label(track)!r} ({track['track_id']})"
    text = f"{said!r} is taken for {name}, which is spelled otherwise"
    warnings.warn(text, LooseMatchWarning, stacklevel=3)


def find_track(tracks: pa.Table, words: str) -> str:
    """The id of the one track that `words` name.

    Tried in turn: the id; the path, as playlists name one, or the file's name with or without its
    suffix; artist, title and album as `label` shows them; artist and title; title alone; artist
    alone; then what is near, if one is clearly nearest. Copies of one recording (equal
    content_hash) count as one, the first by id.

    Raises AmbiguousTrackError with at most 10 candidates, best first, where several fit or the
    nearest is too far to be taken unasked, and QueryError with the nearest three where nothing
    fits. Warns with LooseMatchWarning where only a looser spelling fits.
    """
    check_kind("the track", words, str, "an id, a path, or 'Artist - Title'")
    if not words.strip():
        raise QueryError("no track is named: give its id, its file or 'Artist - Title'")
    if not tracks.num_rows:
        raise QueryError(f"no track is like {words!r}: the catalog has no tracks")
    words = words.encode("utf-8", "backslashreplace").decode()  # a shell passes any bytes
    row = pc.index(tracks["track_id"], words).as_py()
    if row >= 0:
        return words
    rows = _by_file(tracks, words)
    if len(rows):
        return _only(tracks, rows, words)
    names = _Names(tracks)
    rows, is_loose = _spelled_best(tracks, names.equal_to(words), words)
    found = _only(tracks, rows, words) if len(rows) else _nearest(tracks, names, words)
    if is_loose or not len(rows):
        warn_of(words, tracks.slice(pc.index(tracks["track_id"], found).as_py(), 1).to_pylist()[0])
    return found


def label(track: Mapping[str, Any]) -> str:
    """How a track is shown: "Artist – Title (Album)", by its file's name where it has no title.

    Characters that a terminal would obey rather than show become spaces.
    """
    title = track.get("title") or stem(track.get("path") or track["track_id"])
    artists = ", ".join(name for name in track.get("artists") or () if name)
    album = f" ({track['album']})" if track.get("album") else ""
    text = (f"{artists} – {title}" if artists else title) + album
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def labels(tracks: pa.Table) -> pa.Array:
    """The `label` of every track of a table, many at a time."""
    album = tracks["album"] if "album" in tracks.column_names else pa.nulls(tracks.num_rows)
    title, lists = _whole(tracks["title"]), _whole(tracks["artists"])
    artists = pc.fill_null(pc.binary_join(lists, ", "), "")
    whole = pc.binary_join_element_wise(
        artists,
        pc.if_else(pc.equal(artists, ""), "", " – "),
        title,
        _bracketed(album),
        "",
    )
    names = pc.list_flatten(lists)
    nameless = pc.list_parent_indices(lists).filter(_blank(names)).to_numpy()
    plain = pc.match_substring_regex(whole, "^[ -~–]*$")
    odd = pc.or_(_blank(title), pc.invert(pc.fill_null(plain, False)))
    odd = odd.to_numpy(zero_copy_only=False)
    odd[nameless] = True
    rows = np.flatnonzero(odd)
    texts = [label(row) for row in tracks.take(pa.array(rows)).to_pylist()]
    return pc.replace_with_mask(whole, pa.array(odd), pa.array(texts, pa.string()))


def _bracketed(album: pa.Array | pa.ChunkedArray) -> pa.Array:
    texts = pc.fill_null(album.cast(pa.string()), "")
    return pc.if_else(pc.equal(texts, ""), "", pc.binary_join_element_wise(" (", texts, ")", ""))


def _blank(texts: pa.Array) -> pa.Array:
    """Whether there is nothing in a text: bool, for null too."""
    return pc.fill_null(pc.equal(texts, ""), True)


class _Names:
    """Every track's title, artists and album, loosely spelled."""

    def __init__(self, tracks: pa.Table) -> None:
        first, everyone = _artists(_whole(tracks["artists"]))
        title = _whole(tracks["title"])
        if title.null_count:
            title = pc.coalesce(title, stems(_whole(tracks["path"])))
        columns = [title, everyone, first, _whole(tracks["album_artist"]), _whole(tracks["album"])]
        simple = loose_texts(pa.concat_arrays([column.cast(pa.string()) for column in columns]))
        count = tracks.num_rows
        parts = [simple.slice(n * count, count) for n in range(len(columns))]
        self.title, self.all_artists, self.artist, self.album_artist, self.album = parts

    def equal_to(self, words: str) -> NDArray[np.int64]:
        """Rows of the tracks of this artist, title and album, as `label` shows them; else of this
        artist and title; else of this title; else of this artist."""
        wanted = loose(words)
        labels = pc.binary_join_element_wise(self.all_artists, self.title, self.album, " ")
        fits = pc.equal(pc.utf8_trim_whitespace(labels), wanted).to_numpy(zero_copy_only=False)
        if fits.any():
            return np.flatnonzero(fits)
        for artists in (self.all_artists, self.artist, self.album_artist):
            joined = pc.utf8_trim_whitespace(pc.binary_join_element_wise(artists, self.title, " "))
            fits |= pc.equal(joined, wanted).to_numpy(zero_copy_only=False)
        for names in (self.title, self.all_artists, self.artist):
            if not fits.any():
                fits = pc.equal(names, wanted).to_numpy(zero_copy_only=False)
        return np.flatnonzero(fits)

    def near(self, words: str) -> list[tuple[float, int]]:
        """Likeness and row of the tracks nearest to the words, best first."""
        wanted = loose(words)
        texts = pc.binary_join_element_wise(self.all_artists, self.title, " ")
        found = []
        wanted = wanted[:_LONGEST]
        for row in _sharing_triples(texts, wanted):
            artist, title = self.all_artists[row].as_py(), self.title[row].as_py()
            found.append((_likeness(wanted, artist, title), int(row)))
        return sorted(found, key=lambda pair: (-pair[0], pair[1]))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _artists(lists: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The first artist of each track, and all of them, joined by a space."""
    names = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy()
    rows, starts = np.unique(parents, return_index=True)
    at = np.full(len(lists), -1)
    at[rows] = starts
    first = names.take(pa.array(at, mask=at < 0))
    return first, pc.coalesce(pc.binary_join(lists, " "), first)  # null where an element is


def _by_file(tracks: pa.Table, words: str) -> NDArray[np.int64]:
    """Rows of the tracks whose path, or else file name, is `words`."""
    forms = path_forms(words)
    holds = np.zeros(tracks.num_rows, bool)
    spelled = (form.encode("utf-8", "replace").decode() for form in forms)
    for name in {form.replace("\\", "/").rsplit("/", 1)[-1] for form in spelled}:
        found = pc.match_substring(tracks["path"], name, ignore_case=True)
        holds |= pc.fill_null(found, False).to_numpy()
    rows: NDArray[np.int64] = np.flatnonzero(holds)
    if not len(rows):
        return rows
    if len(forms) > 1 or "/" in words or os.sep in words:
        matcher = TrackMatcher(tracks)
        for file in (words, absolute(words, Path.cwd())):
            match = matcher.find(Mention(file=file))
            if match.row >= 0:
                return np.array([match.row])
    asked = set(map(fold, forms))
    files = tracks["path"].take(pa.array(rows)).to_pylist()
    fits = [fold(file) in asked for file in files]
    if not any(fits):
        fits = [fold(file.rsplit("/", 1)[-1]) in asked for file in files]
        fits = [fit or fold(stem(file)) in asked for fit, file in zip(fits, files, strict=True)]
    fitting: NDArray[np.int64] = rows[np.array(fits, bool)]
    return fitting


def _spelled_best(
    tracks: pa.Table, rows: NDArray[np.int64], words: str
) -> tuple[NDArray[np.int64], bool]:
    """Of rows whose names fit loosely those that fit best, and whether no name fits better."""
    for spelled in (exact, _plain):
        asked = spelled(words)
        part = tracks.take(pa.array(rows)).to_pylist() if len(rows) else []
        fits = [any(spelled(name) == asked for name in _names_of(track)) for track in part]
        if any(fits):
            return rows[np.array(fits, bool)], False
    return rows, True


def _plain(text: str) -> str:
    """A name folded, with blanks for what stands between artist, title and album."""
    return " ".join(_BETWEEN.sub(" ", fold(text)).split())


def _names_of(track: Mapping[str, Any]) -> Iterator[str]:
    """All that words may call a track."""
    title = track.get("title") or stem(track.get("path") or "")
    artists = [name for name in track.get("artists") or () if name]
    yield title
    for artist in (", ".join(artists), " ".join(artists), *artists, track.get("album_artist")):
        if artist:
            yield from (artist, f"{artist} - {title}", f"{artist} - {title} ({track.get('album')})")


def _only(tracks: pa.Table, rows: NDArray[np.int64], words: str) -> str:
    """The one track of the rows, copies taken as one."""
    rows = _without_copies(tracks, rows)
    if len(rows) == 1:
        return str(tracks["track_id"][int(rows[0])].as_py())
    raise _ambiguous(tracks, rows, f"{words!r} names {len(rows)} tracks")


def _nearest(tracks: pa.Table, names: _Names, words: str) -> str:
    found = names.near(words)
    likeness = {row: score for score, row in found}
    rows = _without_copies(tracks, np.array([row for _, row in found], np.int64))
    best = likeness[int(rows[0])] if len(rows) else 0.0
    if best < _NEAR:
        nearest = "; ".join(name for _, name in _listed(tracks, rows[:3]))
        hint = f"; the nearest are: {nearest}" if nearest else ""
        raise QueryError(f"no track is like {words!r}{hint}")
    behind = likeness[int(rows[1])] if len(rows) > 1 else 0.0
    if best >= _CLEAR and best - behind >= _LEAD:
        return str(tracks["track_id"][int(rows[0])].as_py())
    close = rows[[likeness[int(row)] >= max(_NEAR, best - 0.25) for row in rows]]
    raise _ambiguous(tracks, close, f"no track is named exactly {words!r}")


def _without_copies(tracks: pa.Table, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows, in order, with one (the first by id) for each recording."""
    part = tracks.select(["track_id", "content_hash"]).take(pa.array(rows)).to_pylist()
    kept: dict[str, tuple[str, int]] = {}
    for row, track in zip(rows.tolist(), part, strict=True):
        key = track["content_hash"] or f"track {track['track_id']}"
        kept[key] = min(kept.get(key, (track["track_id"], row)), (track["track_id"], row))
    return np.array([row for _, row in kept.values()], np.int64)


def _ambiguous(tracks: pa.Table, rows: NDArray[np.int64], why: str) -> AmbiguousTrackError:
    candidates = _listed(tracks, rows[:_LISTED])
    lines = "".join(f"\n  {track_id}  {name}" for track_id, name in candidates)
    return AmbiguousTrackError(f"{why}; give the id of the one you mean:{lines}", candidates)


def _listed(tracks: pa.Table, rows: NDArray[np.int64]) -> list[tuple[str, str]]:
    """Ids and labels, with the path where two labels are the same."""
    part = tracks.select(["track_id", "path", "title", "artists", "album"]).take(pa.array(rows))
    found = [(track["track_id"], label(track), track["path"]) for track in part.to_pylist()]
    times = Counter(name for _, name, _ in found)
    return [
        (track_id, f"{name}: {one_line(path)}" if times[name] > 1 and path else name)
        for track_id, name, path in found
    ]


def _sharing_triples(texts: pa.Array, words: str, count: int = _SHORTLIST) -> NDArray[np.int64]:
    """Rows of the texts that share most byte triples with the words, at most `count`.

    Ranked by Dice's coefficient of the sets of triples, with a text's own number of triples
    taken from its length.
    """
    padded = pc.binary_join_element_wise("  ", texts, " ", "").cast(pa.large_binary())
    lengths = pc.binary_length(padded).to_numpy().astype(np.int64)
    codes = _triples(b"".join(padded.to_pylist()))
    wanted = np.unique(_triples(f"  {words} ".encode()))
    known = np.zeros(1 << 16, bool)
    known[wanted & 0xFFFF] = True
    at = np.flatnonzero(known[codes & 0xFFFF])  # few are left to be looked up whole
    at = at[wanted[np.minimum(np.searchsorted(wanted, codes[at]), len(wanted) - 1)] == codes[at]]
    owner = np.repeat(np.arange(len(lengths)), lengths)[at]
    seen = np.zeros((len(lengths), len(wanted)), bool)
    seen[owner, np.searchsorted(wanted, codes[at])] = True
    shared = seen.sum(axis=1)
    dice = 2 * shared / (len(wanted) + lengths)
    # What holds all of the words counts, however long it is.
    rows = np.lexsort((np.arange(len(dice)), -(dice + shared / len(wanted))))[:count]
    found: NDArray[np.int64] = rows[shared[rows] > 0]
    return found


def _triples(text: bytes) -> NDArray[np.int32]:
    """Each byte with the two that follow it, as one number."""
    codes = np.frombuffer(text + b"\0\0", np.uint8).astype(np.int32)
    return codes[:-2] << 16 | codes[1:-1] << 8 | codes[2:]


def _likeness(words: str, artist: str, title: str) -> float:
    """How alike words and a track's name are, in [0, 1]: half spelling, half words found."""
    forms = (f"{artist} {title}", title, f"{title} {artist}")
    spelling = max(
        difflib.SequenceMatcher(None, words, form, autojunk=False).ratio() for form in forms
    )
    return 0.5 * spelling + 0.5 * _words_found(words.split(), forms[0].split())


def _words_found(wanted: Sequence[str], there: Sequence[str]) -> float:
    """How much of the wanted words is there, by letters: each by its best match."""
    if not wanted or not there:
        return 0.0
    best = [
        max(difflib.SequenceMatcher(None, word, other, autojunk=False).ratio() for other in there)
        for word in wanted
    ]
    return float(np.average(best, weights=[len(word) for word in wanted]))
