"""Which column of a table means what, and how its cells become typed values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from musicu.catalog.schema import IDENTITY, METADATA
from musicu.errors import SourceError
from musicu.tags.dates import parse_date

PATH_NAMES = (
    *("path", "filepath", "file", "filename", "location", "audiopath", "audiofile"),
    *("audiofilepath", "audio", "filelocation", "fullpath", "uri", "url"),
)
ID_NAMES = ("trackid", "id")

#: Other names of METADATA columns, compared without case, spaces and punctuation.
SYNONYMS = {
    "title": "name tracktitle trackname song songtitle songname track",
    "artists": "artist artistname artistnames trackartist trackartists performer",
    "album_artist": "albumartists",
    "album": "albumtitle albumname release trackalbum trackalbumname",
    "track_number": "trackno tracknr tracknum",
    "disc_number": "discno discnr disknumber",
    "date": "releasedate year releaseyear publishdate publicationdate albumreleasedate "
    "trackalbumreleasedate",
    "original_date": "originalreleasedate originalyear",
    "genres": "genre",
    "label": "labels recordlabel publisher",
    "composers": "composer",
    "language": "lang",
    "bpm_tag": "bpm",
    "key_tag": "initialkey musicalkey",
    "musicbrainz_recording_id": "mbid musicbrainztrackid recordingmbid musicbrainzid trackmbid",
    "musicbrainz_album_id": "albummbid releasembid",
    "musicbrainz_artist_ids": "musicbrainzartistid artistmbid artistmbids",
    "popularity": "trackpopularity",
    "markets": "market availablemarkets territories",
    "explicit": "isexplicit",
    "duration_seconds": "durations durationsec durationsecs lengthseconds",
}


def plain(name: str) -> str:
    """A column name without case, spaces and punctuation: "Release Date" is "releasedate"."""
    return re.sub(r"[\W_]+", "", name).lower()


def find_column(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    """The first column that bears one of the names, the best name first."""
    by_name = {plain(name): name for name in reversed(names)}
    return next((by_name[name] for name in wanted if name in by_name), None)


def metadata_columns(names: Sequence[str]) -> dict[str, str]:
    """METADATA column → the table's column for it; an exact name goes before a synonym."""
    found = {}
    for target in METADATA.names:
        others = SYNONYMS.get(target, "").split()
        source = find_column(names, [plain(target), *others])
        if source is not None:
            found[target] = source
    return found


def extra_names(names: Sequence[str]) -> dict[str, str]:
    """The table's other columns → the names they get; `source_` keeps them apart from ours."""
    taken = {name.lower() for name in (*IDENTITY.names, *METADATA.names)}
    renamed: dict[str, str] = {}
    for name in names:
        new = f"source_{name}" if name.lower() in taken else name
        if new in renamed.values() or (new != name and new in names):
            raise SourceError(
                f"the table's column {name!r} has a name that the catalog uses itself, and {new!r} "
                "is in the table too: rename one of them"
            )
        renamed[name] = new
    return renamed


def converter(target: str) -> Callable[[Any], Any]:
    """The function that makes a METADATA value of a cell; it raises ValueError where it cannot."""
    if target in ("date", "original_date"):
        return _date_text
    if target == "released":
        return _first_day
    if target in ("track_number", "disc_number"):
        return _number
    field_type = METADATA.field(target).type
    if pa.types.is_list(field_type):
        return _texts
    if pa.types.is_boolean(field_type):
        return _truth
    if pa.types.is_integer(field_type):
        return lambda cell: int(float(cell))
    return float if pa.types.is_floating(field_type) else text_of


def text_of(cell: Any) -> str | None:
    """A cell as text without surrounding space; whole numbers lose their ".0"; "" is None."""
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "replace")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    if isinstance(cell, (list, tuple)):
        cell = "; ".join(filter(None, map(text_of, cell)))
    return str(cell).strip() or None


def _texts(cell: Any) -> list[str] | None:
    """Several values: a list as it is, text parted at ";" or "|" and nowhere else."""
    parts = cell if isinstance(cell, (list, tuple)) else re.split(r"[;|]", str(cell))
    texts = [text_of(part) for part in parts if part is not None]
    return [text for text in texts if text] or None


def _number(cell: Any) -> int | None:
    """The number of a track or disc: "3", 3.0 or "3/12"."""
    match = re.match(r"\s*(\d{1,9})", str(cell))
    return int(match[1]) or None if match else None


def _truth(cell: Any) -> bool:
    """Yes or no, as people and programs write it."""
    word = str(cell).strip().lower()
    if word in ("true", "1", "1.0", "yes", "y", "t"):
        return True
    if word in ("false", "0", "0.0", "no", "n", "f"):
        return False
    raise ValueError(word)


def _date_text(cell: Any) -> str | None:
    found = parse_date(text_of(cell) or "")
    return found.text if found else None


def _first_day(cell: Any) -> Any:
    found = parse_date(text_of(cell) or "")
    return found.first_day if found else None
