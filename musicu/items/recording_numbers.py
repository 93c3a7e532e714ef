"""Which items are one recording, and which are versions of one work.

Where `musicu audit` has heard both tracks, its answer stands (`recording_id`). Else two
tracks are one recording where any of these holds, and their titles name no different version
(live, remix, radio edit, part 2, …):

- the audio is the same to the byte (`content_hash`; here titles are not asked),
- they carry the same ISRC or MusicBrainz recording id,
- title and performer are the same, the durations differ by at most 2 s or 1 %, and the cosine of
  the vectors is at least COPY_COSINE.

Tracks without a title, a duration or a vector stay apart. All columns are compared by Arrow; only
rows that share a code or a title with another are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.identity import (
    WORK_COSINE,
    Row,
    artist_keys,
    codes,
    same_work,
    title_key,
    version_of,
)
from musicu.items.credits import Credits

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

#: From which cosine two tracks of one title, performer and duration are one recording. Under
#: musicu-stats-v1 copies of 39 recordings (MP3 at 64 kbit/s, Vorbis, 1.5 s cut off and 6 dB less)
#: reached 0.939 to 1.000.
COPY_COSINE = 0.93


_COLUMNS = (
    *("track_id", "title", "artists", "album_artist", "isrc", "musicbrainz_recording_id"),
    *("content_hash", "duration_seconds", "recording_id"),
)
#: From a bracket, a dash or "feat." on, a title may name a version or a guest.
_SUFFIX = r"(?s)[\(\[].*$|\s[-–—]\s.*$|\s(feat|ft|featuring)\b.*$"


def recording_numbers(tracks: pa.Table, credits: Credits, values: Floats) -> Ints:
    """A number for each track, int64 [tracks], equal where the recording is.

    values: float32 [tracks, dim], unit length; zeros for a track without a vector.
    """
    numbers = _linked(tracks.num_rows, [_codes(tracks, "content_hash")])
    groups = list(_groups(tracks, credits))
    if groups:
        numbers = _linked(tracks.num_rows, [numbers], _same_pairs(tracks, values, groups))
    return numbers


def work_numbers(tracks: pa.Table, credits: Credits, values: Floats, recordings: Ints) -> Ints:
    """The same for works: what the audit found to be versions of one, or `same_work` says."""
    kinds = [recordings, _codes(tracks, "work_id")]
    groups = list(_together(credits.row, _title_and_artist(tracks, credits)))
    pairs = _version_pairs(tracks, values, groups) if groups else ()
    return _linked(tracks.num_rows, kinds, pairs)


def _version_pairs(
    tracks: pa.Table, values: Floats, groups: Sequence[list[int]]
) -> Iterator[tuple[int, int]]:
    """The pairs within groups of one title and performer that are versions of one work."""
    told = _told(tracks, groups)
    for group in groups:
        cosines = values[group] @ values[group].T
        for i, j in np.argwhere(np.triu(cosines >= WORK_COSINE, 1)).tolist():
            if same_work(told[group[i]], told[group[j]], float(cosines[i, j])):
                yield group[i], group[j]


def _linked(count: int, kinds: Sequence[Ints], pairs: Iterable[tuple[int, int]] = ()) -> Ints:
    """A number for each of `count` rows, equal where codes (from 0; -1 for none) or pairs tie."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, nodes, size = [], [], count
    for numbers in kinds:
        known = np.flatnonzero(numbers >= 0)
        rows.append(known)
        nodes.append(size + numbers[known])
        size += int(numbers.max(initial=-1)) + 1
    tied = np.array(list(pairs), np.int64).reshape(-1, 2)
    a, b = np.concatenate([*rows, tied[:, 0]]), np.concatenate([*nodes, tied[:, 1]])
    graph = coo_array((np.ones(len(a), bool), (a, b)), (size, size))
    found: Ints = connected_components(graph, directed=False)[1][:count].astype(np.int64)
    return found


def _groups(tracks: pa.Table, credits: Credits) -> Iterator[list[int]]:
    """Rows that share what makes a comparison worth it: a code, or title and performer."""
    for name in ("isrc", "musicbrainz_recording_id", "recording_id"):
        yield from _together(np.arange(tracks.num_rows), _codes(tracks, name))
    yield from _together(credits.row, _title_and_artist(tracks, credits))


def _title_and_artist(tracks: pa.Table, credits: Credits) -> Ints:
    """A number for each credit, equal where title and performer are; -1 without a title."""
    titles = _titles(tracks)[credits.row]
    return np.where(titles >= 0, titles * max(1, len(credits.keys)) + credits.artist, -1)


def _together(rows: Ints, keys: Ints) -> Iterator[list[int]]:
    """The rows of each key that stands there more than once; -1 is none."""
    known = np.flatnonzero(keys >= 0)
    order = known[np.argsort(keys[known], kind="stable")]
    rising = keys[order]
    edges = np.flatnonzero(np.append(True, rising[1:] != rising[:-1])) if len(order) else order
    sizes = np.diff(np.append(edges, len(order)))
    for start, size in zip(edges[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True):
        yield rows[order[start : start + size]].tolist()


def _same_pairs(
    tracks: pa.Table, values: Floats, groups: Sequence[list[int]]
) -> Iterator[tuple[int, int]]:
    """The pairs within groups that are one recording."""
    told = _told(tracks, groups)
    for group in groups:
        for place, i in enumerate(group):
            for j in group[:place]:
                if _same(told[i], told[j], values[i], values[j]):
                    yield i, j


def _told(tracks: pa.Table, groups: Sequence[list[int]]) -> dict[int, Row]:
    """What is known of the rows in groups, by row."""
    wanted = sorted({row for group in groups for row in group})
    columns = [name for name in _COLUMNS if name in tracks.column_names]
    found = tracks.select(columns).take(pa.array(wanted)).to_pylist()
    return dict(zip(wanted, found, strict=True))


def _same(a: Row, b: Row, one: Floats, other: Floats) -> bool:
    """Whether two tracks are one recording, by the rules above."""
    if a.get("recording_id") and b.get("recording_id"):
        return bool(a["recording_id"] == b["recording_id"])
    if version_of(a.get("title")) != version_of(b.get("title")):
        return False
    if codes(a) & codes(b):
        return True
    title = title_key(a.get("title"))
    named = bool(title) and title == title_key(b.get("title"))
    performed = bool(artist_keys(a) & artist_keys(b))
    return named and performed and _equally_long(a, b) and float(one @ other) >= COPY_COSINE


def _equally_long(a: Row, b: Row) -> bool:
    """Whether both durations are known and differ by at most 2 s or 1 %."""
    x, y = a.get("duration_seconds"), b.get("duration_seconds")
    return x is not None and y is not None and abs(x - y) <= max(2.0, 0.01 * max(x, y))


def _titles(tracks: pa.Table) -> Ints:
    """A number for each title, equal at least where `title_key` is; -1 where nothing is left."""
    text = pc.utf8_lower(pc.utf8_normalize(pc.fill_null(_text(tracks, "title"), ""), "NFKD"))
    bare = pc.replace_substring_regex(text, _SUFFIX, "")
    bare = pc.if_else(pc.equal(bare, ""), text, bare)
    return _numbered(pc.replace_substring_regex(bare, r"[^\p{L}\p{N}]+", ""))


def _codes(tracks: pa.Table, name: str) -> Ints:
    """A number for each text of a column, equal where it is but for case, blanks and dashes."""
    if name not in tracks.column_names:
        return np.full(tracks.num_rows, -1, np.int64)
    text = pc.utf8_upper(pc.fill_null(_text(tracks, name), ""))
    return _numbered(pc.replace_substring_regex(text, r"[\s-]+", ""))


def _numbered(text: pa.Array) -> Ints:
    encoded = pc.if_else(pc.equal(text, ""), None, text).dictionary_encode().indices
    numbers: Ints = pc.fill_null(encoded, -1).to_numpy().astype(np.int64)
    return numbers


def _text(tracks: pa.Table, name: str) -> pa.Array:
    column = tracks[name].cast(pa.string())
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.string())
