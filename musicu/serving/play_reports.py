"""What players report of plays, as events: and skips, where a player does not report them.

A play that ended before half of the track and before four minutes is no listen by the rule of
ListenBrainz and Last.fm; where a player says how far it was heard, it is a skip. Where one says
only when each play began, the next one within a session tells how long the one before it lasted
at most. Such a skip is inferred: its `event_id` begins with INFERRED.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

#: With what the `event_id` of an inferred skip begins.
INFERRED = "inferred-skip-"
#: From which part of a track, or after how many milliseconds, a play is a listen.
HEARD_SHARE, HEARD_MS = 0.5, 240_000
#: A pause that ends a session, as elsewhere in the field.
SESSION_SECONDS = 30 * 60.0
_LISTENERS = 10_000


@dataclass(frozen=True, slots=True)
class StartedPlay:
    """A play that began. at: seconds since 1970; seconds: the track's length, None: unknown."""

    track_id: str
    at: float
    seconds: float | None = None


def is_heard(milliseconds: float, seconds: float | None) -> bool:
    """Whether so long a play of a track is a listen."""
    return milliseconds >= min(HEARD_MS, HEARD_SHARE * 1000 * seconds if seconds else HEARD_MS)


def event_of(
    user: str, track_id: str, kind: str, at: float, milliseconds: float | None = None
) -> dict[str, Any]:
    """An event; the same report makes the same event, which then counts once."""
    text = f"{user}\n{track_id}\n{kind}\n{round(at)}"
    return {
        "event_id": f"player-{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}",
        "user_id": user,
        "track_id": track_id,
        "kind": kind,
        "milliseconds": None if milliseconds is None else max(0, round(milliseconds)),
        "at": at,
    }


def reported_play(
    user: str, play: StartedPlay, milliseconds: float | None, ended: bool = True
) -> dict[str, Any]:
    """The event of a play that a player reports, with how long it was heard where it says so."""
    skipped = milliseconds is not None and ended and not is_heard(milliseconds, play.seconds)
    return event_of(user, play.track_id, "skipped" if skipped else "played", play.at, milliseconds)


class InferredSkips:
    """The last start of each listener, and the skips that the next ones tell of."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, StartedPlay] = OrderedDict()
        self._lock = Lock()

    def start(self, user: str, play: StartedPlay) -> list[dict[str, Any]]:
        """Take in that a play began; the event of a skip where it came early after another."""
        with self._lock:
            before = self._last.get(user)
            if before is not None and play.at < before.at:
                return []  # told late: nothing is known of what was between
            self._last[user] = play
            self._last.move_to_end(user)
            if len(self._last) > _LISTENERS:
                self._last.popitem(last=False)
        if before is None or before.track_id == play.track_id or before.seconds is None:
            return []
        lasted = play.at - before.at
        if lasted > SESSION_SECONDS or is_heard(1000 * lasted, before.seconds):
            return []
        event = event_of(user, before.track_id, "skipped", before.at, 1000 * lasted)
        return [event | {"event_id": INFERRED + event["event_id"]}]

    def finish(self, user: str, track_id: str) -> None:
        """Take in that a play's end was told: nothing is to be inferred of it."""
        with self._lock:
            last = self._last.get(user)
            if last is not None and last.track_id == track_id:
                del self._last[user]
