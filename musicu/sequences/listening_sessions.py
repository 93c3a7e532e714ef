"""Sessions from tables: listens cut where somebody pauses, and playlists as they stand."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.errors import QueryError
from musicu.ingest.playlist_tables import playlist_rows

#: A pause of so many minutes ends a session.
GAP_MINUTES = 30.0


def listening_sessions(
    listens: pa.Table, gap_minutes: float = GAP_MINUTES
) -> tuple[list[list[str]], list[float]]:
    """Sessions of a table of LISTENS, and when each ended, in seconds since 1970.

    Undated listens of somebody are one session, in the order of the table. What was skipped
    (a weight of 0 or less) is left out.
    """
    listens = listens.filter(pc.greater(listens["weight"], 0))
    if not listens.num_rows:
        return [], []
    users = np.asarray(listens["user_id"].combine_chunks().dictionary_encode().indices)
    micros = pc.fill_null(pc.cast(listens["timestamp"], pa.int64()), 0).to_numpy()
    order = np.lexsort((np.arange(len(users)), micros, users))
    users, seconds = users[order], micros[order] / 1e6
    new = (np.diff(users) != 0) | (np.diff(seconds) > 60 * gap_minutes)
    starts = np.flatnonzero(np.append(True, new))
    ends = np.append(starts[1:], len(users))
    tracks = listens["track_id"].take(pa.array(order)).to_pylist()
    sessions = [tracks[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return sessions, [float(seconds[end - 1]) for end in ends.tolist()]


def playlist_sessions(playlists: pa.Table, known: Collection[str]) -> list[list[str]]:
    """Playlists as sessions, of known tracks alone, in the order of their first rows.

    Columns playlist_id and track_id, or those of `playlist_rows`. Raises QueryError without them.
    """
    rows = playlist_rows(playlists)
    if missing := {"playlist_id", "track_id"} - set(rows.column_names):
        raise QueryError(
            f"the playlists have no column {', '.join(sorted(missing))}: give playlist_id and "
            "track_id, or a row a playlist with a list of tracks"
        )
    found: dict[str, list[str]] = {}
    pairs = zip(rows["playlist_id"].to_pylist(), rows["track_id"].to_pylist(), strict=True)
    for playlist, track in pairs:
        if playlist is not None and track in known:
            found.setdefault(playlist, []).append(track)
    return list(found.values())
