"""Plays and stars of a server as listens.

A server tells of each song how often it was played, and when last: the first time that is one
listen, weighted by the count and dated by the last play; from then on each run adds what the count
has grown by. A star is a listen of weight 1 whose context is "loved", for as long as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.listening.listens import LISTENS
from musicu.players.server_songs import SongPlays

LOVED = "loved"
CONTEXT = "server"


def listens_after(
    before: pa.Table,
    user_id: str,
    counted: Mapping[str, int],
    plays: Mapping[str, list[SongPlays]],
) -> pa.Table:
    """LISTENS of a listener, with what has come since `before`.

    counted: how often each track was played by the last run. plays: of the songs that are each
    track, now; where a server has lost its counts, what it holds now is where it counts on from.
    """
    rows: list[dict[str, Any]] = []
    for track_id, songs in plays.items():
        new = sum(song.count for song in songs) - counted.get(track_id, 0)
        if new > 0:
            rows.append(_listen(user_id, track_id, _latest(s.played for s in songs), new, CONTEXT))
        loved = [song.starred for song in songs if song.starred is not None]
        if loved:
            rows.append(_listen(user_id, track_id, _latest(loved), 1, LOVED))
    kept = before.filter(pc.fill_null(pc.not_equal(before["context"], LOVED), True))
    table = pa.Table.from_pylist(rows, schema=LISTENS)
    return pa.concat_tables([kept, table]).combine_chunks()


def moment_of(text: str | None) -> datetime | None:
    """A moment as servers write it, in UTC where it names no zone; None where it is none."""
    try:
        found = datetime.fromisoformat((text or "").strip().replace("Z", "+00:00"))
    except ValueError:
        return _cut(text or "")
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _cut(text: str) -> datetime | None:
    """A moment whose fraction has more or fewer digits than Python 3.10 reads."""
    head, dot, tail = text.strip().partition(".")
    zone = tail.lstrip("0123456789") if dot else ""
    return moment_of(head + zone) if dot else None


def _latest(texts: Any) -> datetime | None:
    return max(filter(None, map(moment_of, texts)), default=None)


def _listen(
    user_id: str, track_id: str, moment: datetime | None, weight: float, context: str
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "track_id": track_id,
        "timestamp": moment,
        "weight": float(weight),
        "context": context,
    }
