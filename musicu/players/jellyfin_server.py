"""A Jellyfin server's songs, as the scan of a music server takes them.

`GET /Items` with the key of an account or of the server (`Authorization: MediaBrowser Token="…"`),
a thousand songs at a time; ids, paths, tags, play counts, favourites and last plays, and nothing is
changed. Records become those of the Subsonic API, so that all else is one way.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

from musicu.errors import PlayerError
from musicu.players.server_songs import LibraryState, ServerSong, SongPlays
from musicu.players.subsonic_client import plain_url
from musicu.progress import tell

PAGE = 1_000
_FIELDS = "Path,ProviderIds,Genres,MediaSources"
_TICKS = 10_000_000  # of a second
#: Jellyfin tells that something is a favourite, and not since when.
_LOVED = "yes"

Record = dict[str, Any]


class JellyfinServer:
    """A server, for one of its users. key: an API key. user: a name; needed where several are.

    Raises PlayerError where the address is none, and each call where the server refuses.
    """

    def __init__(self, url: str, key: str, user: str = "", timeout_seconds: float = 60.0) -> None:
        self.url = plain_url(url)
        self._key, self._user, self._timeout = key, user, timeout_seconds
        self._who: Record | None = None

    def user_name(self) -> str:
        """Whose plays and favourites are read."""
        return str(self._account()["Name"])

    def library_state(self) -> LibraryState:
        """Nothing that is sure: Jellyfin tells no moment of its last change."""
        return LibraryState()

    def all_songs(self) -> list[ServerSong]:
        """Every song, each once."""
        account, found = str(self._account()["Id"]), dict[str, ServerSong]()
        while True:
            asked = {
                "userId": account,
                "recursive": "true",
                "includeItemTypes": "Audio",
                "fields": _FIELDS,
                "enableUserData": "true",
                "sortBy": "DateCreated",
                "startIndex": len(found),
                "limit": PAGE,
            }
            page = self._json("/Items", asked).get("Items")
            songs = [_song(item) for item in page or () if isinstance(item, dict)]
            before = len(found)
            found.update((song.song_id, song) for song in songs if song is not None)
            tell("reading the server's songs", len(found), None, "songs")
            if len(songs) < PAGE or len(found) == before:
                return list(found.values())

    def changed_plays(self, known: Mapping[str, SongPlays]) -> dict[str, SongPlays]:
        """What plays have become where they are others than those known."""
        now = {song.song_id: song.plays for song in self.all_songs()}
        return {i: plays for i, plays in now.items() if i in known and plays != known[i]}

    def download(self, song_id: str, to: Path) -> None:
        """Write a song's file, as it is on the server."""
        path = f"/Items/{quote(song_id, safe='')}/Download"
        with self._opened(path, {}) as answer, to.open("wb") as file:
            shutil.copyfileobj(answer, file, 1 << 20)

    def _account(self) -> Record:
        """The user that was named, or the only one."""
        if self._who is None:
            users = [u for u in self._json("/Users", {}, list) if isinstance(u, dict)]
            wanted = [u for u in users if not self._user or u.get("Name") == self._user]
            if len(wanted) != 1:
                names = ", ".join(str(user.get("Name")) for user in users) or "none"
                raise PlayerError(
                    f"{self.url} has the users {names}: name one in the address, as "
                    "http://NAME@host:8096"
                )
            self._who = wanted[0]
        return self._who

    def _json(self, path: str, asked: Mapping[str, Any], kind: type = dict) -> Any:
        with self._opened(path, asked) as answer:
            try:
                found = json.loads(answer.read())
            except ValueError as error:
                raise self._no_server(path) from error
        if not isinstance(found, kind):
            raise self._no_server(path)
        return found

    def _opened(self, path: str, asked: Mapping[str, Any]) -> Any:
        query = f"?{urlencode(asked)}" if asked else ""
        head = {"Authorization": f'MediaBrowser Client="musicu", Token="{self._key}"'}
        try:
            return urlopen(Request(f"{self.url}{path}{query}", headers=head), timeout=self._timeout)
        except HTTPError as error:
            error.close()
            if error.code in (401, 403):
                raise PlayerError(
                    f"{self.url} refuses the key: check MUSICU_JELLYFIN_API_KEY (Dashboard, API "
                    "Keys)"
                ) from error
            raise PlayerError(f"{self.url} answers {path} with the status {error.code}") from error
        except (URLError, TimeoutError, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise PlayerError(
                f"{self.url} cannot be reached ({reason}): check the address, and that the server "
                "runs"
            ) from error

    def _no_server(self, path: str) -> PlayerError:
        return PlayerError(
            f"{self.url} does not answer {path} as a Jellyfin server does: check the address"
        )


def _song(item: Record) -> ServerSong | None:
    """A song of an item; None where it has no id."""
    if not item.get("Id"):
        return None
    plays: Record = item.get("UserData") or {}
    people = [p for p in item.get("ArtistItems") or () if isinstance(p, dict)]
    providers: Record = item.get("ProviderIds") or {}
    ticks = item.get("RunTimeTicks")
    path = item.get("Path")
    told = {
        "id": str(item["Id"]),
        "isDir": False,
        "title": item.get("Name"),
        "artist": ", ".join(map(str, item.get("Artists") or ())) or item.get("AlbumArtist"),
        "artists": [{"id": p.get("Id"), "name": p.get("Name")} for p in people],
        "artistId": people[0].get("Id") if people else None,
        "album": item.get("Album"),
        "albumId": item.get("AlbumId"),
        "duration": round(ticks / _TICKS) if isinstance(ticks, int) else None,
        "path": path,
        "suffix": Path(path).suffix[1:] if isinstance(path, str) else item.get("Container"),
        "musicBrainzId": providers.get("MusicBrainzRecording"),
        "type": "music",
    }
    count = plays.get("PlayCount")
    loved = _LOVED if plays.get("IsFavorite") else None
    known = {name: value for name, value in told.items() if value is not None}
    return ServerSong(
        str(item["Id"]),
        known,
        SongPlays(count if isinstance(count, int) else 0, plays.get("LastPlayedDate"), loved),
    )
