"""Which tracks are gone, and whether they may be removed with all that was made of them.

A vector costs minutes, and a disk that is not mounted looks like one whose files were deleted. So
nothing is removed while a part of the music is out of sight, nor much of it without being told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.catalog.rows import Row, track_file
from musicu.catalog.store import Store
from musicu.ingest.presence import ABSENT, EMPTY, Presence
from musicu.ingest.source_file import SourceNotes
from musicu.pipeline.known import GONE, SEEN, hash_bytes
from musicu.pipeline.run_state import RunState
from musicu.records import counted

#: Of the tracks that have files; where more are gone, pruning must be confirmed.
SMALL_SHARE = 0.2
_NAMED = 3
_COLUMNS = ["track_id", "root", "path", "path_bytes", "content_hash"]


@dataclass(slots=True)
class Absent:
    """What a run did not find.

    gone: tracks whose files are deleted. moved: those of them whose sound lies elsewhere in the
    catalog. own: those of them that lie in a folder of the system's own, as deleted music in
    "#recycle", which earlier versions took in. tracks: that have files, all in all. hidden: tracks
    whose files are out of sight. unreachable: the parts that hide them, or may hide others, each
    with the reason. examples: paths of tracks that are gone.
    """

    gone: int = 0
    moved: int = 0
    own: int = 0
    tracks: int = 0
    hidden: int = 0
    unreachable: dict[str, str] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def advice(self) -> str:
        """What is to be done about the parts that cannot be reached."""
        empty = [path for path, reason in self.unreachable.items() if reason == EMPTY]
        if len(empty) == len(self.unreachable):
            what = f"the folder {empty[0]}" if len(empty) == 1 else "these folders"
            return f"If that music is deleted for good, remove {what} too and run this again"
        absent = [path for path, reason in self.unreachable.items() if reason == ABSENT]
        if absent:
            return (
                f"Bring {absent[0]} back; if it was moved or deleted for good, make the folder "
                "with any file in it, and run this again"
            )
        return "Bring it back, or remove what is left of it if that music is deleted for good"

    def objection(self, confirmed: bool) -> str | None:
        """Why these tracks must not be removed; None where they may. confirmed: by the caller."""
        lost = self.gone - self.moved - self.own
        if not self.gone:
            return None
        if self.unreachable:
            parts = unreachable_parts(self.unreachable)
            return (
                f"nothing was pruned, though {counted(self.gone, 'track')} would be: {parts}. "
                f"{self.advice}"
            )
        if confirmed or lost <= max(1, SMALL_SHARE * self.tracks):
            return None
        named = ", ".join(self.examples)
        return (
            f"nothing was pruned: {lost:,} of {counted(self.tracks, 'track')} would be removed, "
            f"with their vectors ({named}, …); if that is right, add --confirm-prune"
        )


def unreachable_parts(unreachable: Mapping[str, str]) -> str:
    """The unreachable parts in words."""
    told = [f"{path} ({reason})" for path, reason in sorted(unreachable.items())]
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return f"a part of the music cannot be reached: {'; '.join(told[:_NAMED])}{more}"


def mark_gone(store: Store, state: RunState, notes: SourceNotes) -> Absent:
    """Note which tracks' files are no longer there.

    Tracks of the source are there; of all others, the files are looked for. A track without a
    file, from a table, is never gone, and one whose file is out of sight stays as it was.
    notes: what the source left out and could not reach.
    """
    tracks, absent, presence = state.tracks, Absent(), Presence(dict(notes.unreachable))
    absent.tracks = len(tracks)
    unseen = tracks.flags & SEEN == 0
    here = _sounds_here(store, state) if unseen.any() else np.empty(0, "S16")
    for batch in store.batches("tracks", _COLUMNS) if unseen.any() else ():
        rows, known = tracks.rows(batch["track_id"])
        at = np.flatnonzero(known & unseen[rows])
        elsewhere = np.isin(hash_bytes(batch["content_hash"])[at], here)
        for place, moved, track in zip(
            rows[at], elsewhere, batch.take(at).to_pylist(), strict=True
        ):
            if unseen[place] and track["path"] is not None:
                unseen[place] = False  # a track may stand in several pieces
                own = not notes.own_folders.isdisjoint(map(str, track_file(track).parents))
                _judge(track, place, bool(moved), own, state, presence, absent)
        away = known & (tracks.flags[rows] & GONE != 0)
        state.forget(batch["track_id"].filter(pa.array(away)).to_pylist())
    absent.gone = int(np.count_nonzero(tracks.flags & GONE))
    absent.unreachable = presence.unreachable
    return absent


def _judge(
    track: Row,
    place: np.int64,
    moved: bool,
    own: bool,
    state: RunState,
    presence: Presence,
    absent: Absent,
) -> None:
    """Note whether one track that the source did not show is gone."""
    flags, file = state.tracks.flags, track_file(track)
    if own:
        gone = True
        absent.own += 1
    elif presence.is_there(file):
        gone = False
    elif not moved and presence.hidden_by(file, Path(track["root"] or file.anchor)):
        absent.hidden += 1
        return
    else:
        gone = True
        absent.moved += moved
        if not moved and len(absent.examples) < _NAMED:
            absent.examples.append(track["path"])
    if gone != bool(flags[place] & GONE):
        flags[place] ^= GONE
        state.changed = True


def _sounds_here(store: Store, state: RunState) -> NDArray[np.bytes_]:
    """The content hashes of the tracks that the source has shown, new ones among them."""
    found = [np.empty(0, "S16")]
    for batch in store.batches("tracks", ["track_id", "content_hash"]):
        rows, known = state.tracks.rows(batch["track_id"])
        seen = ~known | (state.tracks.flags[rows] & SEEN != 0) if len(state.tracks) else ~known
        found.append(hash_bytes(batch["content_hash"])[seen])
    hashes: NDArray[np.bytes_] = np.unique(np.concatenate(found))
    sounding: NDArray[np.bytes_] = hashes[hashes != b""]
    return sounding
