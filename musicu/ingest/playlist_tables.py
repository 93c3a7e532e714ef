"""Tables of playlists in the forms that people have them, as one form: a row a track of each."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from musicu.ingest.columns import find_column
from musicu.ingest.ids import id_texts

#: How the context of a track begins that stands in a playlist and was maybe never played.
PLAYLIST = "playlist:"

_LIST_NAMES = ("playlistid", "pid", "playlist", "listid", "playlistname")
_TRACK_NAMES = ("trackid", "trackids", "tracks", "track")
_APART = r"[\s,;|\[\]\"']+"  # what parts the ids of a cell: "1;2", "1|2" and "[1, 2]" are two


def playlist_rows(table: pa.Table) -> pa.Table:
    """Playlists with a row for each of their tracks: playlist_id, track_id, and what else it has.

    The table has that form, or a row a playlist with a column of lists of track ids; of text, as
    CSV has it, where that column is called track_ids or tracks. The columns may bear other usual
    names (pid, playlist; tracks). A table in which they are not found, or with two columns of one
    name, stays as it is.
    """
    lists = find_column(table.column_names, _LIST_NAMES)
    tracks = find_column(table.column_names, _TRACK_NAMES)
    if lists is None or tracks is None or len(set(table.column_names)) < table.num_columns:
        return table
    found = {lists: "playlist_id", tracks: "track_id"}
    kept = [name for name in table.column_names if name in found or name not in found.values()]
    table = table.select(kept).rename_columns([found.get(name, name) for name in kept])
    if pa.types.is_string(table["track_id"].type) and tracks.lower().endswith("s"):
        table = _with(table, "track_id", _parted(table["track_id"]))
    table = _unnested(table) if _is_list(table["track_id"].type) else table
    for name in ("playlist_id", "track_id"):
        table = _with(table, name, _ids(table[name]))
    return table


def listeners_of(table: pa.Table) -> pa.Table:
    """Listens; of playlists, in a table without a column `user_id`, those of a listener for each.

    Their context says that nobody need have played them, as `musicu listens` writes it.
    """
    rows = table if "user_id" in table.column_names else playlist_rows(table)
    if "user_id" in rows.column_names or "playlist_id" not in rows.column_names:
        return rows
    ids = rows["playlist_id"]
    rows = rows.set_column(rows.column_names.index("playlist_id"), "user_id", ids)
    if "context" in rows.column_names or pa.types.is_nested(ids.type):
        return rows
    contexts = pc.binary_join_element_wise(PLAYLIST, ids.cast(pa.string()), "")
    return rows.append_column("context", contexts)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _parted(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of the ids that cells of text hold."""
    return pc.split_pattern_regex(column, _APART)


def _unnested(table: pa.Table) -> pa.Table:
    """A row for each track of each row's list; ends of split text, and nulls, are no tracks."""
    lists = table["track_id"].combine_chunks()
    tracks = pc.list_flatten(lists)
    rows = table.drop_columns(["track_id"]).take(pc.list_parent_indices(lists))
    found = rows.append_column("track_id", tracks)
    there = pc.is_valid(tracks)
    if pa.types.is_string(tracks.type):
        there = pc.and_(there, pc.not_equal(tracks, ""))
    return found.filter(pc.fill_null(there, False))


def _ids(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids as text; what can be none stays as it is, for who uses it to refuse."""
    try:
        return id_texts(column)
    except pa.ArrowException:
        return column


def _with(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)
