"""The songs of a Subsonic server: all of them, or what has changed since.

All songs come from `search3` with an empty query, as OpenSubsonic says; from servers that give
nothing for it, album by album. Whether the library has changed is told by `lastModified` of
`getIndexes` and the newest albums. Plays change without that: the albums that were played last are
read until one is met whose plays are known, and `getStarred2` has every star.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from musicu.players.subsonic_client import (
    Record,
    ServerAnswerError,
    SubsonicClient,
    is_missing,
    listed,
)
from musicu.progress import tell

PAGE = 500
#: What a child says of its listener, and not of the song.
OWN_MEMBERS = ("playCount", "played", "starred", "userRating", "bookmarkPosition", "averageRating")
#: Albums of a page of those that were played last.
_ALBUMS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class SongPlays:
    """What a listener did with a song. played, starred: moments as the server writes them."""

    count: int = 0
    played: str | None = None
    starred: str | None = None


@dataclass(frozen=True, slots=True)
class ServerSong:
    """A song as a server tells of it: its child record without, and what a listener did with it."""

    song_id: str
    child: Mapping[str, Any]
    plays: SongPlays

    @classmethod
    def of(cls, child: Record) -> ServerSong | None:
        """The song of a child record; None where it is a folder, a video, or has no id."""
        song_id = child.get("id")
        if song_id is None or str(song_id) == "" or child.get("isDir") or child.get("isVideo"):
            return None
        kept = {k: v for k, v in child.items() if k not in OWN_MEMBERS}
        return cls(str(song_id), kept, _plays(child))


@dataclass(frozen=True, slots=True)
class LibraryState:
    """By what a library is told to be unchanged: `lastModified`, and a digest of newest albums."""

    modified: str = ""
    newest: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the server says anything at all."""
        return self.modified not in ("", "0")


class MusicServer(Protocol):
    """What a scan asks of a server; each raises PlayerError where it refuses or is not there."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def user_name(self) -> str:
        """Whose plays are read."""
        ...

    def library_state(self) -> LibraryState:
        """By what its songs are told to be unchanged."""
        ...

    def all_songs(self) -> list[ServerSong]:
        """Every song, each once."""
        ...

    def changed_plays(self, known: Mapping[str, SongPlays]) -> dict[str, SongPlays]:
        """What plays and stars have become where they are others than those known, by song."""
        ...

    def download(self, song_id: str, to: Path) -> None:
        """Write a song's file, as it is on the server."""
        ...


@dataclass(frozen=True, slots=True)
class SubsonicServer:
    """A Subsonic server as a scan asks it."""

    client: SubsonicClient

    @property
    def url(self) -> str:
        """Where it is."""
        return self.client.url

    def user_name(self) -> str:
        """Whose plays are read; the first that is asked, so that wrong names are told."""
        self.client.call("ping")
        return self.client.user_name()

    def library_state(self) -> LibraryState:
        """By what its songs are told to be unchanged."""
        return library_state(self.client)

    def all_songs(self) -> list[ServerSong]:
        """Every song, each once."""
        return all_songs(self.client)

    def changed_plays(self, known: Mapping[str, SongPlays]) -> dict[str, SongPlays]:
        """What plays and stars have become where they are others than those known."""
        return changed_plays(self.client, known)

    def download(self, song_id: str, to: Path) -> None:
        """Write a song's file, as it is on the server."""
        self.client.download(song_id, to)


def library_state(client: SubsonicClient) -> LibraryState:
    """The state of a server's library now."""
    try:
        indexes = client.call("getIndexes", {"ifModifiedSince": 4_102_444_800_000})
        newest = _album_page(client, "newest", 0, 20)
    except ServerAnswerError:
        return LibraryState()
    told = indexes.get("indexes")
    modified = str(told.get("lastModified") or "") if isinstance(told, dict) else ""
    marks = [(a.get("id"), a.get("songCount"), a.get("created")) for a in newest]
    return LibraryState(modified, hashlib.sha256(json.dumps(marks).encode()).hexdigest()[:16])


def all_songs(client: SubsonicClient) -> list[ServerSong]:
    """Every song, each once; raises PlayerError where the server cannot say."""
    found: dict[str, ServerSong] = {}
    try:
        whole = _gathered(found, _searched(client))
    except ServerAnswerError:
        whole = False
    if not found or not whole:
        for album in _albums(client, "alphabeticalByName"):
            _gathered(found, [_album_songs(client, str(album.get("id")))])
            tell("reading the server's songs", len(found), None, "songs")
    return list(found.values())


def changed_plays(client: SubsonicClient, known: Mapping[str, SongPlays]) -> dict[str, SongPlays]:
    """What listeners' plays and stars have become where they are others than those known.

    known: of every song, by id; songs that are not among them are left out.
    """
    now = dict(known)
    for album in _albums(client, "recent", _ALBUMS_AT_ONCE):
        songs = _album_songs(client, str(album.get("id")))
        told = {s.song_id: s.plays for s in songs if s.song_id in known}
        if all(_same_plays(known[song_id], plays) for song_id, plays in told.items()) and told:
            break
        now.update(told)
    stars = _stars(client)
    if stars is not None:
        now = {i: SongPlays(p.count, p.played, stars.get(i)) for i, p in now.items()}
    return {song_id: plays for song_id, plays in now.items() if plays != known[song_id]}


def _same_plays(one: SongPlays, other: SongPlays) -> bool:
    return (one.count, one.played) == (other.count, other.played)


def _stars(client: SubsonicClient) -> dict[str, str] | None:
    """When each starred song was; None where the server cannot say."""
    try:
        answer = client.call("getStarred2")
    except ServerAnswerError:
        return None
    songs = listed(answer, "starred2", "song")
    return {str(s.get("id")): str(s.get("starred") or "") for s in songs}


def _searched(client: SubsonicClient) -> Iterator[list[ServerSong]]:
    offset = 0
    while True:
        asked = {"query": "", "songCount": PAGE, "songOffset": offset}
        answer = client.call("search3", {**asked, "artistCount": 0, "albumCount": 0})
        page = listed(answer, "searchResult3", "song")
        if not page:
            return
        yield [song for child in page if (song := ServerSong.of(child)) is not None]
        offset += len(page)
        tell("reading the server's songs", offset, None, "songs")


def _gathered(found: dict[str, ServerSong], pages: Iterable[list[ServerSong]]) -> bool:
    """Take in pages of songs; False where the server gives a full page again for the next one."""
    for page in pages:
        before = len(found)
        found.update((song.song_id, song) for song in page)
        if page and len(found) == before:
            return len(page) < PAGE
    return True


def _albums(client: SubsonicClient, order: str, size: int = PAGE) -> Iterator[Record]:
    offset, seen = 0, set[str]()
    while page := _album_page(client, order, offset, size):
        new = [album for album in page if str(album.get("id")) not in seen]
        if not new:
            return
        seen.update(str(album.get("id")) for album in new)
        yield from new
        offset += len(page)


def _album_page(client: SubsonicClient, order: str, offset: int, size: int) -> list[Record]:
    answer = client.call("getAlbumList2", {"type": order, "size": size, "offset": offset})
    return listed(answer, "albumList2", "album")


def _album_songs(client: SubsonicClient, album_id: str) -> list[ServerSong]:
    """The songs of an album; none where it has vanished meanwhile."""
    try:
        answer = client.call("getAlbum", {"id": album_id})
    except ServerAnswerError as error:
        if is_missing(error):
            return []
        raise
    songs = map(ServerSong.of, listed(answer, "album", "song"))
    return [song for song in songs if song is not None]


def _plays(child: Record) -> SongPlays:
    count = child.get("playCount")
    good = isinstance(count, int) and not isinstance(count, bool) and count > 0
    return SongPlays(
        int(count or 0) if good else 0, _text(child, "played"), _text(child, "starred")
    )


def _text(child: Record, name: str) -> str | None:
    value = child.get(name)
    return str(value) if value else None
