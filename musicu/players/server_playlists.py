"""Playlists on a Subsonic server, kept up to date under stable names.

Only what musicu made is ever changed: a playlist whose id is remembered and whose comment still
has musicu's mark. One that somebody made their own by another comment is left alone, and so is one
of the same name that was there before; then a new one is made beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from musicu.catalog.words import one_line
from musicu.errors import PlayerError
from musicu.players.player_links import PlayerLinks, RememberedPlaylist
from musicu.players.subsonic_client import (
    Record,
    ServerAnswerError,
    SubsonicClient,
    is_missing,
    listed,
)
from musicu.records import counted

#: Ids of songs in one request: an address of 8,000 letters passes everywhere.
_SONGS_AT_ONCE = 150
_MOST_LETTERS = 200  # of what a comment says beside the mark


@dataclass(frozen=True, slots=True)
class MadePlaylist:
    """Tracks to be a playlist. key: stays the same from day to day; name: what people see.

    about: a line for the comment. track_ids: of the catalog, in order.
    """

    key: str
    name: str
    track_ids: Sequence[str]
    about: str = ""

    @property
    def mark(self) -> str:
        """What tells musicu's own playlist of this key."""
        return f"[musicu {self.key}]"

    @property
    def comment(self) -> str:
        """The comment on it."""
        return f"{one_line(self.about, _MOST_LETTERS)} {self.mark}".strip()


@dataclass(slots=True)
class PlaylistReport:
    """What became of playlists, by name. missing: name → tracks that the server does not have.

    left: name → why somebody's playlist was left alone.
    """

    made: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def sentences(self) -> Iterator[str]:
        """The report in lines, for people."""
        told = (
            *(("made", self.made), ("updated", self.updated), ("unchanged", self.unchanged)),
            ("none of its tracks is on the server", self.empty),
        )
        for words, names in told:
            if names:
                yield f"{words}: {', '.join(names)}"
        for name, count in self.missing.items():
            yield f"{name}: {counted(count, 'track')} not on the server, left out"
        for name, reason in self.left.items():
            yield f"{name}: {reason}"


def publish_playlists(
    client: SubsonicClient, links: PlayerLinks, wanted: Sequence[MadePlaylist]
) -> PlaylistReport:
    """Make or update playlists on the server that `links` is of; what was made is remembered.

    Raises PlayerError where the server refuses, or was not scanned into the catalog.
    """
    songs = links.songs_of_tracks()
    if not songs:
        raise PlayerError(
            f"no track of the catalog is known on {client.url}: run `musicu scan --subsonic "
            f"{client.url}` first"
        )
    report = PlaylistReport()
    for playlist in wanted:
        _publish(client, links, playlist, songs, report)
    return report


def _publish(
    client: SubsonicClient,
    links: PlayerLinks,
    playlist: MadePlaylist,
    songs: dict[str, str],
    report: PlaylistReport,
) -> None:
    ids = [songs[track] for track in playlist.track_ids if track in songs]
    if len(ids) < len(playlist.track_ids):
        report.missing[playlist.name] = len(playlist.track_ids) - len(ids)
    if not ids:
        report.missing.pop(playlist.name, None)
        report.empty.append(playlist.name)
        return
    there = {str(p.get("id")): p for p in _playlists(client)}
    remembered = links.playlists.get(playlist.key)
    standing = None if remembered is None else _own(client, remembered, playlist, there)
    if remembered is not None and remembered.playlist_id in there and standing is None:
        report.left[playlist.name] = (
            "the playlist that musicu made has another comment now, so it is left alone and a new "
            "one made"
        )
    if standing is None:
        name = _free_name(playlist.name, there.values())
        _make(client, links, playlist, (name, ids), set(there))
        report.made.append(name)
    elif _entries(standing) == ids and _is_told(standing, playlist, remembered):
        report.unchanged.append(playlist.name)
    else:
        _write(client, str(standing.get("id")), ids)
        told = {"comment": playlist.comment}
        client.call("updatePlaylist", {"playlistId": standing["id"], **told})
        report.updated.append(playlist.name)


def _own(
    client: SubsonicClient,
    remembered: RememberedPlaylist,
    playlist: MadePlaylist,
    there: dict[str, Record],
) -> Record | None:
    """The playlist as it stands, where it is still musicu's."""
    if remembered.playlist_id not in there:
        return None
    try:
        found = client.call("getPlaylist", {"id": remembered.playlist_id}).get("playlist")
    except ServerAnswerError as error:
        if is_missing(error):
            return None
        raise
    if not isinstance(found, dict):
        return None
    marked = playlist.mark in str(found.get("comment") or "")
    unmarkable = not remembered.marked and not found.get("comment")
    return found if marked or (unmarkable and found.get("name") == playlist.name) else None


def _is_told(
    standing: Record, playlist: MadePlaylist, remembered: RememberedPlaylist | None
) -> bool:
    unmarkable = remembered is not None and not remembered.marked
    return unmarkable or standing.get("comment") == playlist.comment


def _make(
    client: SubsonicClient,
    links: PlayerLinks,
    playlist: MadePlaylist,
    content: tuple[str, Sequence[str]],
    before: set[str],
) -> None:
    """Make a playlist, and remember it before anything else can fail."""
    name, ids = content
    answer = client.call("createPlaylist", {"name": name, "songId": ids[:_SONGS_AT_ONCE]})
    playlist_id = _new_id(client, answer, name, before)
    links.playlists[playlist.key] = RememberedPlaylist(playlist_id)
    links.save_playlists()
    client.call("updatePlaylist", {"playlistId": playlist_id, "comment": playlist.comment})
    _add_rest(client, playlist_id, ids)
    told = next((p for p in _playlists(client) if str(p.get("id")) == playlist_id), {})
    if playlist.mark not in str(told.get("comment") or ""):
        links.playlists[playlist.key] = RememberedPlaylist(playlist_id, marked=False)
        links.save_playlists()


def _new_id(client: SubsonicClient, answer: Record, name: str, before: set[str]) -> str:
    """The id of what was made; older servers do not tell it."""
    told = answer.get("playlist")
    if isinstance(told, dict) and told.get("id"):
        return str(told["id"])
    new = [p for p in _playlists(client) if str(p.get("id")) not in before]
    named = [str(p["id"]) for p in new if p.get("name") == name]
    if not named:
        raise PlayerError(f"{client.url} made no playlist {name!r}, and did not say why")
    return named[-1]


def _write(client: SubsonicClient, playlist_id: str, ids: Sequence[str]) -> None:
    """Put songs in the place of those that stand."""
    first = {"playlistId": playlist_id, "songId": ids[:_SONGS_AT_ONCE]}
    client.call("createPlaylist", first)
    _add_rest(client, playlist_id, ids)


def _add_rest(client: SubsonicClient, playlist_id: str, ids: Sequence[str]) -> None:
    for start in range(_SONGS_AT_ONCE, len(ids), _SONGS_AT_ONCE):
        part = ids[start : start + _SONGS_AT_ONCE]
        client.call("updatePlaylist", {"playlistId": playlist_id, "songIdToAdd": part})


def _playlists(client: SubsonicClient) -> list[Record]:
    return listed(client.call("getPlaylists"), "playlists", "playlist")


def _entries(playlist: Record) -> list[str]:
    return [str(entry.get("id")) for entry in listed(playlist, "entry")]


def _free_name(name: str, there: Any) -> str:
    """The name, told apart from somebody's playlist of the same."""
    taken = {str(playlist.get("name")) for playlist in there}
    return name if name not in taken else f"{name} (musicu)"
