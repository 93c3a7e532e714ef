"""Playlists as files that players find in a folder: MPD's playlist folder, Jellyfin's library.

Each file begins with a line that musicu writes: the key of what it holds, and a digest of the rest.
A file without it, or that somebody has changed since, is somebody's own and stays as it is; the
playlist then goes into a file beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute
from musicu.errors import PlayerError
from musicu.players.server_playlists import MadePlaylist, PlaylistReport
from musicu.playlists import m3u
from musicu.playlists.entries import Playlist
from musicu.playlists.places import Placing

Player = Literal["mpd", "jellyfin"]

_ENDINGS: dict[Player, str] = {"mpd": ".m3u", "jellyfin": ".m3u8"}
_MARK = re.compile(r"#MUSICU (\S+) ([0-9a-f]{16})")


def write_player_files(
    folder: Path,
    player: Player,
    wanted: Sequence[MadePlaylist],
    rows: Mapping[str, Mapping[str, Any]],
    music: Path | None = None,
) -> PlaylistReport:
    """Write or update playlists in a player's folder.

    MPD reads `.m3u` in its playlist_directory, with paths as seen from its music_directory;
    Jellyfin takes `.m3u8` out of a music library, with paths as seen from the file. rows: the
    catalog's, by track id. music: MPD's music_directory; the root of the tracks where None.
    Tracks without a file are left out and counted. Raises PlayerError where there is no folder.
    """
    if not folder.is_dir():
        raise PlayerError(f"there is no folder {folder}: give the one that {player} reads")
    report = PlaylistReport()
    for playlist in wanted:
        told = [rows[t] for t in playlist.track_ids if rows.get(t, {}).get("path") is not None]
        if len(told) < len(playlist.track_ids):
            report.missing[playlist.name] = len(playlist.track_ids) - len(told)
        if not told:
            report.empty.append(playlist.name)
            continue
        seen_from = absolute(folder)
        if player == "mpd":
            seen_from = absolute(music) if music is not None else Path(told[0]["root"])
        text = m3u.write(Playlist.of_tracks(playlist.name, told), Placing(seen_from))
        _write(folder, _ENDINGS[player], playlist, text, report)
    return report


def _write(
    folder: Path, ending: str, playlist: MadePlaylist, text: str, report: PlaylistReport
) -> None:
    key = re.sub(r"\s", "_", playlist.key)
    whole = f"#EXTM3U\n#MUSICU {key} {_digest(text)}\n{text.removeprefix('#EXTM3U').lstrip()}"
    for name in (playlist.name, f"{playlist.name} (musicu)"):
        file = folder / f"{_plain(name)}{ending}"
        standing = _read(file)
        if standing is not None and not _is_own(standing, key):
            report.left[playlist.name] = f"{file} is somebody's own, and stays as it is"
            continue
        if standing == whole:
            report.unchanged.append(name)
            return
        write_atomically(file, lambda to: to.write_text(whole, encoding="utf-8", newline="\n"))
        (report.made if standing is None else report.updated).append(name)
        return


def _is_own(text: str, key: str) -> bool:
    """Whether musicu wrote a file for this key, and nobody has changed it since."""
    lines = text.split("\n", 2)
    match = _MARK.fullmatch(lines[1]) if len(lines) == 3 else None
    same = match is not None and match[1] == key
    return same and match is not None and match[2] == _digest(f"#EXTM3U\n{lines[2]}")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlayerError(f"{file} cannot be read: {error.strerror}") from error


def _plain(name: str) -> str:
    """A name that every disk takes."""
    text = re.sub(r'[<>:"/\\|?*\x00-\x1f]', " ", name).strip(" .")
    return text[:120] or "playlist"
