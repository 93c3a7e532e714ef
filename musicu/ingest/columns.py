"""Which column of a table means what, and how its cells become typed values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.schema import IDENTITY, METADATA
from musicu.errors import SourceError
from musicu.tags.dates import parse_date

_DATES = ("date", "original_date")
#: How pandas calls an index without a name when it hands out columns.
_INDEX = "__index_level_"

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


def typed_column(column: pa.ChunkedArray, target: str) -> pa.Array:
    """A column as METADATA types it; cells that are empty, blank or NaN become null.

    Each different cell is converted once. Raises CellError for one that cannot be converted.
    """
    kind, cells = METADATA.field(target).type, _whole(column)
    if pa.types.is_string(kind) and target not in _DATES and _is_text(cells.type):
        return _trimmed(cells)
    if pa.types.is_floating(kind) and pa.types.is_floating(cells.type):
        return without_nan(cells.cast(kind, safe=False))
    if pa.types.is_list(kind) and _is_clean(cells):
        return cells.cast(kind)
    if pa.types.is_nested(cells.type):
        return _converted(cells.to_pylist(), converter(target), kind)
    encoded = without_nan(cells).dictionary_encode()
    try:
        made = _converted(encoded.dictionary.to_pylist(), converter(target), kind)
    except CellError as error:
        raise CellError(pc.index(encoded.indices, error.row).as_py(), error.cell) from None
    return made.take(encoded.indices)


class CellError(ValueError):
    """A cell that its column cannot hold, and its row from 0."""

    def __init__(self, row: int, cell: Any) -> None:
        super().__init__(f"row {row}: {cell!r}")
        self.row, self.cell = row, cell


def text_column(column: pa.ChunkedArray) -> pa.Array:
    """A column of ids or paths as text, without surrounding space; null where there is none."""
    cells = _whole(column)
    if _is_text(cells.type):
        return _trimmed(cells)
    texts = [None if cell is None else text_of(cell) for cell in cells.to_pylist()]
    return pa.array(texts, pa.string())


def without_nan(cells: pa.Array) -> pa.Array:
    """Numbers with null in the place of NaN, which says as little."""
    if not pa.types.is_floating(cells.type):
        return cells
    return pc.if_else(pc.is_nan(cells), pa.scalar(None, cells.type), cells)


def plain_types(table: pa.Table) -> pa.Table:
    """The table with text, binary, list and category columns in the types that catalogs have."""
    kept = [name for name in table.column_names if not name.startswith(_INDEX)]
    table = table if len(kept) == table.num_columns else table.select(kept)
    for at, field in enumerate(table.schema):
        kind = _plain_type(field.type)
        if kind != field.type:
            chunks = [_cast(chunk, kind) for chunk in table.column(at).chunks]
            column = pa.chunked_array(chunks, kind)
            table = table.set_column(at, field.with_type(kind), column)
    return table


def _cast(chunk: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(chunk.type):  # Arrow cannot decode one of views itself
        return chunk.dictionary.cast(kind).take(chunk.indices)
    return chunk.cast(kind)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if str(kind) in ("string_view", "large_string"):
        return pa.string()
    if str(kind) in ("binary_view", "large_binary"):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    return kind


def _converted(cells: list[Any], convert: Callable[[Any], Any], kind: pa.DataType) -> pa.Array:
    """Cells converted one by one."""
    made = []
    for row, cell in enumerate(cells):
        try:
            made.append(None if cell in (None, "") else pa.scalar(convert(cell), kind).as_py())
        except (TypeError, ValueError, OverflowError):
            raise CellError(row, cell) from None
    return pa.array(made, kind)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.chunks else pa.array([], column.type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _trimmed(cells: pa.Array) -> pa.Array:
    texts = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _is_clean(cells: pa.Array) -> bool:
    """Whether lists hold texts as they are stored: none of them empty, blank or null."""
    if not pa.types.is_list(cells.type) or not _is_text(cells.type.value_type):
        return False
    texts = cells.flatten()
    lengths = pc.fill_null(pc.min(pc.list_value_length(cells)), 1).as_py()
    return lengths > 0 and not texts.null_count and _trimmed(texts).equals(texts)


def converter(target: str) -> Callable[[Any], Any]:
    """The function that makes a METADATA value of a cell; it raises ValueError where it cannot."""
    if target in _DATES:
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
