"""Options and work of commands that send playlists to players."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.options import FOLDER, together
from musicu.cli.output import note, safe

if TYPE_CHECKING:
    from musicu.players.server_playlists import MadePlaylist, PlaylistReport
    from musicu.shelves import Shelf

#: Recipes whose shelves are called by one of them, with a number.
_NAMES = {"daily-mixes": "Daily mix", "because-you-listened": "Because you listened"}

TO_PLAYERS = together(
    click.option(
        "--to-subsonic",
        metavar="URL",
        help="Make or update playlists on this Subsonic server, which `musicu scan --subsonic` has "
        "read; playlists that musicu did not make are never changed.",
    ),
    click.option(
        "--to-mpd",
        type=FOLDER,
        metavar="FOLDER",
        help="Write .m3u files into MPD's playlist folder, with paths from its music folder.",
    ),
    click.option(
        "--mpd-music",
        type=FOLDER,
        metavar="FOLDER",
        help="MPD's music folder. Default: the root of the tracks.",
    ),
    click.option(
        "--to-jellyfin",
        type=FOLDER,
        metavar="FOLDER",
        help="Write .m3u8 files into a folder of a Jellyfin music library.",
    ),
)


@dataclass(frozen=True, slots=True)
class PlayerTargets:
    """Where playlists go."""

    to_subsonic: str | None = None
    to_mpd: Path | None = None
    mpd_music: Path | None = None
    to_jellyfin: Path | None = None

    @classmethod
    def taken(cls, options: dict[str, Any]) -> PlayerTargets:
        """What the options of TO_PLAYERS say; they are taken out of `options`."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})


def made_of_shelves(made: Sequence[tuple[str, Sequence[Shelf]]]) -> list[MadePlaylist]:
    """Shelves as playlists that keep their names from day to day: their recipe's, and a number.

    made: the names of recipes, with their shelves.
    """
    from musicu.players.server_playlists import MadePlaylist

    found = []
    for name, shelves in made:
        words = _NAMES.get(name) or name.replace("-", " ").capitalize()
        for number, shelf in enumerate(shelves, 1):
            known = words if len(shelves) == 1 and name not in _NAMES else f"{words} {number}"
            about = " – ".join(filter(None, [shelf.title, shelf.about]))
            found.append(MadePlaylist(f"{name}/{number}", known, shelf.track_ids, about))
    return found


def publish(
    folder: Path, targets: PlayerTargets, playlists: Callable[[], Sequence[MadePlaylist]]
) -> None:
    """Send playlists of a catalog wherever they are to go, and say what became of them."""
    from musicu.players.player_files import write_player_files

    if not any((targets.to_subsonic, targets.to_mpd, targets.to_jellyfin)):
        return
    catalog, wanted = Catalog.open(folder), playlists()
    if targets.to_subsonic is not None:
        _to_server(catalog, targets.to_subsonic, wanted)
    ids = {track for playlist in wanted for track in playlist.track_ids}
    rows = {r["track_id"]: r for r in catalog.tracks().to_pylist() if r["track_id"] in ids}
    if targets.to_mpd is not None:
        music = targets.mpd_music
        _say(write_player_files(targets.to_mpd, "mpd", wanted, rows, music), str(targets.to_mpd))
    if targets.to_jellyfin is not None:
        folder = targets.to_jellyfin
        _say(write_player_files(folder, "jellyfin", wanted, rows), str(folder))


def _to_server(catalog: Catalog, url: str, wanted: Sequence[MadePlaylist]) -> None:
    import pyarrow as pa

    from musicu.cli.subsonic import client_of
    from musicu.listening.pseudonyms import KEY_FILE, listener_key, pseudonyms
    from musicu.players.player_links import links_of
    from musicu.players.server_playlists import publish_playlists

    client = client_of(url)
    key = listener_key(catalog.path / KEY_FILE)
    user_id = pseudonyms(pa.array([client.user_name()]), key)[0].as_py()
    links = links_of(catalog.path, client.url, user_id)
    _say(publish_playlists(client, links, wanted), client.url)


def _say(report: PlaylistReport, where: str) -> None:
    for sentence in report.sentences():
        note(safe(f"{where}: {sentence}"))
