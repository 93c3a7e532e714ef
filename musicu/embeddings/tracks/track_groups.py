"""Tracks that belong together, as groups: from pairs, listens, playlists, or artists and albums.

A listener's history, a playlist, a pair and an album are each a group of tracks. All groups are one
sparse matrix of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from musicu.catalog.identity import fold
from musicu.errors import QueryError
from musicu.ingest.ids import id_texts
from musicu.ingest.playlist_tables import playlist_rows

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TrackGroups:
    """Groups of tracks.

    members: csr [groups, tracks], weight > 0; each group has at least two tracks.
    interactions: csr [listeners or playlists or tracks, tracks], to which collaborative vectors are
    fitted; None for groups from metadata.
    unknown: rows of the table whose track is not in the catalog. idle: rows without information: a
    track paired with itself, repeated in a playlist, or in no playlist.
    """

    members: csr_matrix
    interactions: csr_matrix | None
    unknown: int = 0
    idle: int = 0

    def __len__(self) -> int:
        return int(self.members.shape[0])

    def without(self, tracks: NDArray[np.bool_]) -> TrackGroups:
        """The groups without the tracks marked in bool [tracks]."""
        keep = (~tracks).astype(np.float32)
        interactions = None if self.interactions is None else scale_columns(self.interactions, keep)
        return TrackGroups(
            _with_two_tracks(scale_columns(self.members, keep)),
            interactions,
            self.unknown,
            self.idle,
        )


def from_pairs(pairs: pa.Table, track_ids: pa.Array) -> TrackGroups:
    """A group for each pair; columns track_a, track_b and, optionally, weight."""
    _require(pairs, ("track_a", "track_b"), "pairs")
    a, b = (_rows(pairs[name], track_ids, "pairs") for name in ("track_a", "track_b"))
    weights = _weights(pairs, "pairs")
    known = (a >= 0) & (b >= 0) & (weights > 0)
    a_, b_, weights = a[known], b[known], weights[known]
    apart = a_ != b_
    a_, b_, weights = a_[apart], b_[apart], weights[apart]
    number = np.arange(len(a_))
    members = _matrix(
        np.tile(number, 2), np.append(a_, b_), np.tile(weights, 2), len(a_), len(track_ids)
    )
    graph = _matrix(
        np.append(a_, b_), np.append(b_, a_), np.tile(weights, 2), len(track_ids), len(track_ids)
    )
    unknown = int(np.sum((a < 0) | (b < 0)))
    return _checked(TrackGroups(members, graph, unknown, int(np.sum(~apart))), "pairs")


def from_listens(
    listens: pa.Table, track_ids: pa.Array, session_gap_minutes: float | None = None
) -> TrackGroups:
    """A group for each listener, or for each of their sessions where a gap is given.

    Columns user_id, track_id and, optionally, weight and timestamp; sessions need the latter. Rows
    with a weight of 0 or less (disliked tracks) are ignored.
    """
    needed = ("user_id", "track_id") + (("timestamp",) if session_gap_minutes else ())
    _require(listens, needed, "listens")
    users = _codes(_texts(listens["user_id"], "listens"))
    tracks = _rows(listens["track_id"], track_ids, "listens")
    weights = _weights(listens, "listens")
    known = (users >= 0) & (tracks >= 0) & (weights > 0)
    unknown = int(np.sum(tracks < 0))
    users, tracks, weights = users[known], tracks[known], weights[known]
    count = int(users.max(initial=-1)) + 1
    histories = _logged(_matrix(users, tracks, weights, count, len(track_ids)))
    members = _with_two_tracks(histories)
    if session_gap_minutes:
        seconds = pc.cast(listens["timestamp"], pa.timestamp("s"), safe=False)
        moments = pc.fill_null(pc.cast(seconds, pa.int64()), 0).to_numpy()[known]
        sessions = _sessions(users, moments, session_gap_minutes * 60)
        count = int(sessions.max(initial=-1)) + 1
        members = _with_two_tracks(
            _logged(_matrix(sessions, tracks, weights, count, len(track_ids)))
        )
    return _checked(TrackGroups(members, histories, unknown), "listens")


def from_playlists(playlists: pa.Table, track_ids: pa.Array) -> TrackGroups:
    """A group for each playlist; columns playlist_id and track_id, or those of `playlist_rows`."""
    playlists = playlist_rows(playlists)
    _require(playlists, ("playlist_id", "track_id"), "playlists")
    lists = _codes(_named(_texts(playlists["playlist_id"], "playlists")))
    tracks = _rows(playlists["track_id"], track_ids, "playlists")
    known = (lists >= 0) & (tracks >= 0)
    ones = np.ones(int(known.sum()), np.float32)
    count = int(lists.max(initial=-1)) + 1
    members = _matrix(lists[known], tracks[known], ones, count, len(track_ids))
    members.data[:] = 1
    unknown = int(np.sum(tracks < 0))
    idle = playlists.num_rows - unknown - members.nnz
    return _checked(TrackGroups(_with_two_tracks(members), members, unknown, idle), "playlists")


def from_metadata(tracks: pa.Table) -> TrackGroups:
    """A group for each artist, and for each album of an artist."""
    makers: dict[str, int] = {}
    albums: dict[tuple[str, str], int] = {}
    by_artist: list[tuple[int, int]] = []
    by_album: list[tuple[int, int]] = []
    artists = tracks["artists"].to_pylist()
    titles = tracks["album"].to_pylist()
    for row, (names, album) in enumerate(zip(artists, titles, strict=True)):
        for name in {fold(n) for n in names or [] if n}:
            by_artist.append((makers.setdefault(name, len(makers)), row))
        if album and names:
            key = (fold(names[0]), fold(album))
            by_album.append((albums.setdefault(key, len(albums)), row))
    parts = []
    for pairs, count in ((by_artist, len(makers)), (by_album, len(albums))):
        group, row_ = np.array(pairs, np.int64).reshape(-1, 2).T
        ones = np.ones(len(group), np.float32)
        parts.append(_matrix(group, row_, ones, count, tracks.num_rows))
    members = _with_two_tracks(csr_matrix(vstack(parts)))
    return _checked(TrackGroups(members, None), "artists and albums")


def _require(table: pa.Table, columns: tuple[str, ...], what: str) -> None:
    repeated = [name for name in columns if table.column_names.count(name) > 1]
    if repeated:
        raise QueryError(f"the table of {what} has several columns {repeated[0]!r}: rename them")
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise QueryError(
            f"the table of {what} has no column {missing[0]!r}, only "
            f"{', '.join(map(repr, table.column_names)) or 'none'}: rename yours"
        )


def _checked(groups: TrackGroups, what: str) -> TrackGroups:
    if not len(groups):
        raise QueryError(
            f"nothing to train on: the {what} have no two different tracks of the catalog that "
            f"belong together (rows of unknown tracks: {groups.unknown})"
        )
    return groups


def _texts(column: pa.ChunkedArray, what: str) -> pa.ChunkedArray:
    """Ids as text."""
    try:
        return id_texts(column)
    except pa.ArrowException as error:
        raise QueryError(
            f"the {what} have ids of the type {column.type}: give text or whole numbers"
        ) from error


def _rows(column: pa.ChunkedArray, track_ids: pa.Array, what: str) -> Ints:
    """The row of each id in the catalog; -1 where missing."""
    found: Ints = pc.fill_null(
        pc.index_in(_texts(column, what), value_set=track_ids), -1
    ).to_numpy()
    return found.astype(np.int64)


def _named(ids: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids, with empty ones as null."""
    return pc.if_else(pc.equal(ids, ""), pa.scalar(None, pa.string()), ids)


def _codes(column: pa.ChunkedArray) -> Ints:
    """A number for each distinct value in order of appearance; -1 for null."""
    encoded = pc.dictionary_encode(column).combine_chunks()
    codes: Ints = pc.fill_null(encoded.indices, -1).to_numpy()
    return codes.astype(np.int64)


def _weights(table: pa.Table, what: str) -> NDArray[np.float32]:
    if "weight" not in table.column_names:
        return np.ones(table.num_rows, np.float32)
    try:
        weights = pc.cast(table["weight"], pa.float32()).to_numpy()
    except pa.ArrowException as error:
        reason = str(error).partition(" as a scalar")[0]
        raise QueryError(
            f"the weights of the {what} cannot be read: {reason}; give numbers"
        ) from error
    bad = np.flatnonzero(~np.isfinite(weights))
    if len(bad):
        raise QueryError(
            f"row {bad[0] + 1} of the {what} has the weight {weights[bad[0]]}: give finite numbers"
        )
    return np.asarray(weights, np.float32)


def _sessions(users: Ints, seconds: Ints, gap: float) -> Ints:
    """The session number of each listen."""
    order = np.lexsort((seconds, users))
    new = np.append(True, (np.diff(users[order]) != 0) | (np.diff(seconds[order]) > gap))
    sessions = np.empty(len(users), np.int64)
    sessions[order] = np.cumsum(new[: len(order)]) - 1
    return sessions


def _matrix(
    groups: Ints, tracks: Ints, weights: NDArray[np.float32], count: int, width: int
) -> csr_matrix:
    """A csr matrix with the weights of repeated entries added."""
    matrix = csr_matrix((weights, (groups, tracks)), shape=(count, width), dtype=np.float32)
    matrix.sum_duplicates()
    return matrix


def _logged(matrix: csr_matrix) -> csr_matrix:
    """1 + ln weight, so that a track on repeat does not dominate; weights up to 1 are kept."""
    found = matrix.copy()
    found.data = np.where(found.data > 1, 1 + np.log(np.maximum(found.data, 1)), found.data)
    return found


def scale_columns(matrix: csr_matrix, factors: NDArray[Any]) -> csr_matrix:
    """The matrix with each column times its factor, [columns]; zeros are not stored."""
    found = matrix.copy()
    found.data = found.data * factors[found.indices]
    found.eliminate_zeros()
    return found


def _with_two_tracks(matrix: csr_matrix) -> csr_matrix:
    """The groups with at least two tracks."""
    return matrix[np.flatnonzero(np.diff(matrix.indptr) > 1)]
