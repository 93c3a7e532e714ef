"""`musicu playlist`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.cli.options import AS_JSON, FILE, FOLDER
from musicu.cli.output import note, print_lines, print_table, safe
from musicu.cli.publish import TO_PLAYERS, PlayerTargets, publish
from musicu.errors import QueryError
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.players.server_playlists import MadePlaylist
    from musicu.playlists import Playlist


@click.command()
@click.argument("playlist", type=FILE)
@click.option(
    "--catalog", type=FOLDER, help="Match entries to this catalog, and take files and tags from it."
)
@click.option(
    "--to",
    type=FILE,
    help="Write the playlist; the ending sets the format: .m3u8, .m3u, .xspf, .jspf or .csv.",
)
@click.option("--absolute", is_flag=True, help="Write absolute paths.")
@click.option(
    "--copy-to", type=FOLDER, help="Copy the audio files into this folder, in the playlist's order."
)
@click.option(
    "--link-to", type=FOLDER, help="Link the audio files into this folder, in the playlist's order."
)
@click.option("--name", help="The playlist's name on a player. Default: its title.")
@TO_PLAYERS
@AS_JSON
def playlist(
    playlist: Path,
    catalog: Path | None,
    to: Path | None,
    absolute: bool,
    copy_to: Path | None,
    link_to: Path | None,
    name: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Convert a PLAYLIST, match it to a catalog, or collect its files.

    \b
    Example: musicu playlist party.m3u8 --catalog catalog --to party.xspf

    Reads and writes M3U, M3U8, XSPF, JSPF and CSV; also reads PLS, WPL, ASX, Traktor's NML,
    iTunes' XML and tables of text. With --catalog, an entry is matched by file, id
    or ISRC, by the end of its path if tags or duration agree, or by artist and title. Entries
    without a match are left out. A file name alone is not a match. --to-subsonic, --to-mpd and
    --to-jellyfin keep a playlist of that name up to date on a player.
    """
    from musicu.playlists import check_ending, read_playlist, write_playlist

    if to:
        check_ending(to)  # before anything is printed
    targets = PlayerTargets.taken(options)
    if catalog is None and targets != PlayerTargets():
        raise click.UsageError("a player needs --catalog, which knows its songs")
    read = read_playlist(playlist)
    found, rows = _matched(read, catalog) if catalog else (read, _told(read))
    _print(rows, as_json)
    if to:
        write_playlist(found, to, paths="absolute" if absolute else "relative")
        note(f"playlist: {to}")
    gather(found, copy_to, link_to)
    if catalog is not None:
        publish(catalog, targets, lambda: [_made(found, name)])
    missing = len(read.entries) - len(found.entries)
    if missing:
        note(f"{missing} of {len(read.entries)} are not in {catalog}")
    return 1 if missing else 0


def gather(playlist: Playlist, copy_to: Path | None, link_to: Path | None) -> None:
    """Copy and link a playlist's files, where folders are given."""
    from musicu.playlists import place_tracks

    if copy_to:
        note(f"{counted(len(place_tracks(playlist, copy_to)), 'file')} in {copy_to}")
    if link_to:
        note(f"{counted(len(place_tracks(playlist, link_to, 'link')), 'link')} in {link_to}")


def _made(found: Playlist, name: str | None) -> MadePlaylist:
    from musicu.players.server_playlists import MadePlaylist

    known = name or found.title or "Playlist"
    ids = [entry.track_id for entry in found.entries if entry.track_id is not None]
    return MadePlaylist(f"playlist/{known}", known, ids)


def _matched(read: Playlist, catalog: Path) -> tuple[Playlist, list[dict[str, Any]]]:
    """The playlist in the catalog's words, and what each entry was found by."""
    from musicu.catalog.catalog import Catalog
    from musicu.playlists import Playlist, match_playlist

    found = match_playlist(read, Catalog.open(catalog).tracks())
    if found and not any(one.row for one in found):
        raise QueryError(f"none of the {len(found)} tracks is in {catalog}")
    rows = [
        {**row, "found_by": one.by, "track_id": one.row["track_id"] if one.row else None}
        for row, one in zip(_told(read), found, strict=True)
    ]
    return Playlist.of_tracks(read.title, [one.row for one in found if one.row]), rows


def _told(read: Playlist) -> list[dict[str, Any]]:
    return [
        {"title": e.title, "artist": e.artist, "place": str(e.file) if e.file else e.url}
        for e in read.entries
    ]


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_lines(rows)
    elif rows:
        table = [
            [i, *(safe(v) if v else None for v in row.values())] for i, row in enumerate(rows, 1)
        ]
        print_table(["", *(name.replace("_", " ") for name in rows[0])], table)
