"""Playlists as CSV, which is a source for `musicu embed` too."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from musicu.errors import SourceError
from musicu.ingest.columns import ID_NAMES, PATH_NAMES, find_column, metadata_columns
from musicu.ingest.ids import id_text
from musicu.ingest.playlist_text import text_lines
from musicu.playlists.entries import Entry, Playlist
from musicu.playlists.places import Placing, read_place

COLUMNS = (
    *("path", "title", "artists", "album", "duration_seconds"),
    *("isrc", "musicbrainz_recording_id", "track_id"),
)


def write(playlist: Playlist, placing: Placing) -> str:
    """The playlist's text: a header and a line a track; several performers are parted by ";"."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for entry in playlist.entries:
        values = [placing.text(entry), entry.title, "; ".join(entry.artists), entry.album]
        seconds = entry.duration_seconds
        values += [None if seconds is None else f"{seconds:.3f}", entry.isrc]
        values += [entry.musicbrainz_recording_id, entry.track_id]
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()


def read(data: bytes, folder: Path) -> Playlist:
    """A table that lies in `folder`; its columns may bear the names that `musicu embed` knows.

    Columns are parted by what the header has most of: iTunes and Rekordbox write tabs. Raises
    SourceError where there is neither a path nor a title nor an id.
    """
    lines = text_lines(data)
    mark = max(",;\t", key=lines[0].count)
    rows = csv.DictReader(io.StringIO("\n".join(lines)), delimiter=mark)
    names = [name for name in rows.fieldnames or () if name]
    path, ids, known = find_column(names, PATH_NAMES), find_column(names, ID_NAMES), {}
    known = metadata_columns(names)
    if not (path or ids or "title" in known):
        raise SourceError(f"no column of paths, titles or ids among {', '.join(names) or 'none'}")
    entries = []
    for row in rows:
        file, url = read_place((row.get(path or "") or ""), folder)
        said = {target: (row.get(source) or "").strip() for target, source in known.items()}
        entries.append(
            Entry(
                file=file,
                url=url,
                title=said.get("title") or None,
                artists=tuple(filter(None, map(str.strip, said.get("artists", "").split(";")))),
                album=said.get("album") or None,
                duration_seconds=_seconds(said.get("duration_seconds", "")),
                isrc=said.get("isrc") or None,
                musicbrainz_recording_id=said.get("musicbrainz_recording_id") or None,
                track_id=id_text(row.get(ids or "")),
            )
        )
    return Playlist(None, tuple(entries))


def _seconds(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
