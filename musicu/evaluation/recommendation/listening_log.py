"""A listening log in codes, as the splits and metrics work with it.

Conventions:

- The rows of the tracks are those of the catalog's table, all of them, heard or not.
- A listen counts where its weight is above 0. Skips (weights below 0) are no answers and no
  history; how many there are is noted.
- Two listens of one track by one listener are one pair, whose weight is their sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.candidates import check_listens
from musicu.errors import QueryError
from musicu.ingest.playlist_tables import listeners_of
from musicu.records import counted

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Listening:
    """Who heard what, a row a listen.

    users: object [users], ids, rising. tracks: object [tracks], ids by row of the catalog.
    user, track: int64 [listens], codes. weight: float32 [listens], above 0.
    moment: int64 [listens], microseconds since 1970, -1 where unknown.
    notes: what was left out, counted, in sentences.
    """

    users: NDArray[np.object_]
    tracks: NDArray[np.object_]
    user: Ints
    track: Ints
    weight: NDArray[np.float32]
    moment: Ints
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, listens: pa.Table, track_ids: pa.ChunkedArray) -> Listening:
        """The listens of the tracks with those ids, in the columns of `candidates.LISTENS`.

        A table of playlists, as `playlist_rows` knows it, counts: each is a listener.
        Raises QueryError where a column is missing or cannot be read, or nothing is left.
        """
        ids = pa.array(track_ids.to_pylist(), pa.string())
        checked = check_listens(listeners_of(listens), ids)
        liked = pc.greater(checked.listens["weight"], 0)
        found = checked.listens.filter(liked)
        if not found.num_rows:
            raise QueryError(
                f"none of the {listens.num_rows:,} listens is of a track of the catalog, with a "
                "weight above 0: compare the track_id of both"
            )
        notes = list(checked.warnings())
        if skips := checked.listens.num_rows - found.num_rows:
            notes.append(f"{counted(skips, 'skip')} (weight 0 or below): no history, no answers")
        users, user = np.unique(found["user_id"].to_numpy(), return_inverse=True)
        track = pc.index_in(found["track_id"], value_set=ids).to_numpy()
        return cls(
            users=users,
            tracks=np.asarray(ids.to_pylist(), object),
            user=user.astype(np.int64),
            track=track.astype(np.int64),
            weight=found["weight"].to_numpy(),
            moment=pc.fill_null(found["timestamp"].cast(pa.int64()), -1).to_numpy(),
            notes=tuple(notes),
        )

    def __len__(self) -> int:
        return len(self.user)

    def pairs(self, which: Mask) -> csr_matrix:
        """The weights of some of the listens, summed: csr float32 [users, tracks]."""
        shape = (len(self.users), len(self.tracks))
        cells = (self.weight[which], (self.user[which], self.track[which]))
        found = csr_matrix(cells, shape=shape, dtype=np.float32)
        found.sum_duplicates()
        return found

    def table(self, which: Mask) -> pa.Table:
        """Some of the listens as a table again: user_id, track_id, timestamp, weight."""
        moment = self.moment[which]
        return pa.table(
            {
                "user_id": pa.array(self.users[self.user[which]], pa.string()),
                "track_id": pa.array(self.tracks[self.track[which]], pa.string()),
                "timestamp": pa.array(moment, pa.timestamp("us", tz="UTC"), mask=moment < 0),
                "weight": pa.array(self.weight[which]),
            }
        )
