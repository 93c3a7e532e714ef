"""The songs of the players that a catalog was joined to, by their own ids: read again when a scan
has written them."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from musicu.catalog.folding import fold
from musicu.catalog.identity import Row
from musicu.errors import CatalogError
from musicu.players.player_links import FOLDER, PlayerLinks, every_player
from musicu.shelves.shelf import ShelfTrack

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PlayerSongs:
    """One player's songs. tracks: song id → track id; songs: the way back.

    children: song id → its child record, as JSON. albums, artists: the track ids of each album and
    artist, by the player's id. artist_ids: the player's id of an artist, by folded name.
    """

    name: str = ""
    tracks: dict[str, str] = field(default_factory=dict)
    songs: dict[str, str] = field(default_factory=dict)
    children: dict[str, str] = field(default_factory=dict)
    albums: Mapping[str, Sequence[str]] = field(default_factory=dict)
    artists: Mapping[str, Sequence[str]] = field(default_factory=dict)
    artist_ids: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, links: PlayerLinks) -> PlayerSongs:
        """The songs that the player has, and that are tracks of the catalog."""
        known = links.songs.select(["song_id", "track_id", "child", "missed"]).to_pylist()
        here = [row for row in known if row["missed"] is None and row["track_id"] is not None]
        albums: dict[str, list[str]] = defaultdict(list)
        artists: dict[str, list[str]] = defaultdict(list)
        names: dict[str, str] = {}
        for row in here:
            child = json.loads(row["child"])
            albums[str(child.get("albumId"))].append(row["track_id"])
            artists[str(child.get("artistId"))].append(row["track_id"])
            if child.get("artist") and child.get("artistId"):
                names[fold(str(child["artist"]))] = str(child["artistId"])
        return cls(
            links.name,
            {row["song_id"]: row["track_id"] for row in here},
            links.songs_of_tracks(),
            {row["song_id"]: row["child"] for row in here},
            albums,
            artists,
            names,
        )

    def child(self, row: Row) -> dict[str, Any]:
        """A track's child record, as this player tells it, or made of its row."""
        known = row["track_id"] in self.songs
        return self.known_child(row["track_id"]) if known else child_of_row(row)

    def known_child(self, track_id: str) -> dict[str, Any]:
        """The child record of a track that this player has."""
        found: dict[str, Any] = json.loads(self.children[self.songs[track_id]])
        return found

    def id_of(self, track_id: str) -> str:
        """The player's id of a track, else the catalog's."""
        return self.songs.get(track_id, track_id)


class PlayerCatalog:
    """All players of a catalog; a song's id is looked up in each, and may be the catalog's own."""

    def __init__(self, catalog: Path) -> None:
        self._catalog, self._lock = catalog, Lock()
        self._players: tuple[PlayerSongs, ...] = ()
        self._looked, self._stamp, self._reading = time.monotonic(), 0.0, False
        self._read_again(self._written())

    @property
    def players(self) -> tuple[PlayerSongs, ...]:
        """The players as they were scanned last; after a scan, as before until they are read."""
        with self._lock:
            now = time.monotonic()
            if now - self._looked >= _LOOK_SECONDS and not self._reading:
                self._looked = now
                stamp = self._written()
                if stamp != self._stamp:
                    self._reading = True
                    Thread(target=self._read_again, args=[stamp], daemon=True).start()
            return self._players

    def of_song(self, item_id: str) -> tuple[PlayerSongs, str]:
        """The player that has a song of this id, and its track; the id itself where none has."""
        for player in self.players:
            track = player.tracks.get(item_id)
            if track is not None:
                return player, track
        return PlayerSongs(), item_id

    def of_artist(self, artist: str) -> tuple[PlayerSongs, Sequence[str]]:
        """The player that knows an artist by id or name, and the track ids, if one does."""
        for player in self.players:
            known = artist if artist in player.artists else player.artist_ids.get(fold(artist))
            if known is not None:
                return player, player.artists[known]
        return PlayerSongs(), ()

    def of_anything(self, item_id: str) -> tuple[PlayerSongs, Sequence[str]]:
        """The player, and the tracks of a song, album or artist, by its id."""
        player, track = self.of_song(item_id)
        if player.tracks:
            return player, [track]
        for each in self.players:
            found = each.albums.get(item_id) or each.artists.get(item_id)
            if found:
                return each, found
        return player, [track]

    def _written(self) -> float:
        """When the players were written; other after each scan."""
        try:
            states = (self._catalog / FOLDER).glob("*/server.json")
            return sum(path.stat().st_mtime for path in states)
        except OSError:  # a scan is writing
            return self._stamp

    def _read_again(self, stamp: float) -> None:
        try:
            self._players = tuple(map(PlayerSongs.of, every_player(self._catalog)))
            self._stamp = stamp
        except (OSError, CatalogError):  # a scan is writing: what was read stays until later
            return
        finally:
            self._reading = False


def child_of_row(row: Row) -> dict[str, Any]:
    """A child record of the Subsonic API for a track of the catalog."""
    track = ShelfTrack(row)
    seconds, year = row.get("duration_seconds"), track.year
    told = {
        "id": track.track_id,
        "isDir": False,
        "title": track.title,
        "artist": track.artist,
        "album": row.get("album"),
        "duration": None if seconds is None else round(seconds),
        "year": None if year is None else int(year),
        "genre": next(iter(row.get("genres") or ()), None),
        "type": "music",
        "mediaType": "song",
    }
    return {name: value for name, value in told.items() if value is not None}
