"""The map as one page, which works offline at 100,000 tracks and runs nothing that a tag says.

Everything that is known of the tracks lies in the page as one block, gzipped JSON in base64:
places as 16-bit numbers, texts as lines. No text from a tag ever becomes markup: the block's
alphabet has none, and the script writes texts as text.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.locations import absolute, file_url, url_below
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.pages.document import render, write_page
from musicu.pages.page_audio import media_type
from musicu.shelves.map.atlas import Atlas
from musicu.shelves.shelf import artist_of, title_of

#: What the page says of each track.
COLUMNS = (
    *("track_id", "title", "artists", "album_artist", "genres", "duration_seconds"),
    *("root", "path", "path_bytes"),
)

_HUE = 228
_BATCH = 20_000  # tracks whose texts are Python's at one time


def write_map(
    atlas: Atlas,
    tracks: pa.Table,
    path: str | Path,
    *,
    title: str = "Map",
    audio: Literal["relative", "absolute"] = "relative",
) -> None:
    """Write the page, which finds the music as seen from itself, or by full path.

    tracks: those of the catalog that was drawn, at least their COLUMNS.

    Raises QueryError for another placing, PageError where another kind of page lies there,
    CatalogError where the disk refuses.
    """
    if audio not in ("relative", "absolute"):
        raise QueryError(f"audio is {audio!r}: for a map it is 'relative' or 'absolute'")
    path = absolute(Path(path))
    text = render(
        "map",
        hue=_HUE,
        title=one_line(title),
        count=atlas.places.num_rows,
        regions=[replace(region, name=one_line(region.name, 80)) for region in atlas.regions],
        data=packed(atlas, tracks, None if audio == "absolute" else path.parent),
    )
    write_page(path, "map", text)


def packed(atlas: Atlas, tracks: pa.Table, folder: Path | None) -> str:
    """The block of data: see the module. folder: from which the music is seen."""
    ids, placed = tracks["track_id"].combine_chunks(), atlas.places["track_id"].combine_chunks()
    rows = tracks.select(COLUMNS)
    if not ids.equals(placed):
        rows = rows.take(pc.index_in(placed, value_set=ids))
    document = {
        "n": rows.num_rows,
        "x": _numbers(atlas.places["x"]),
        "y": _numbers(atlas.places["y"]),
        "region": _bytes(atlas.places["region"].to_numpy().astype("<u2")),
        "names": [one_line(region.name, 80) for region in atlas.regions],
        "titles": _lines(
            one_line(title_of(*texts), 120) for texts in _values(rows, "title", "path", "track_id")
        ),
        "artists": _lines(
            one_line(artist_of(*texts), 80) for texts in _values(rows, "artists", "album_artist")
        ),
        "genres": _lines(
            one_line(", ".join(filter(None, (genres or ())[:3])), 80)
            for (genres,) in _values(rows, "genres")
        ),
        "seconds": pc.round(pc.fill_null(rows["duration_seconds"], 0)).cast(pa.int32()).to_pylist(),
        "files": _lines(_addresses(rows, folder)),
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode("ascii")


def _values(rows: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The values of some columns, a track at a time."""
    for batch in rows.select(columns).to_batches(max_chunksize=_BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _addresses(rows: pa.Table, folder: Path | None) -> Iterator[str]:
    """The address of each track's sound; "" where a browser cannot play it."""
    roots: dict[str, str] = {}
    for root, path, exact in _values(rows, "root", "path", "path_bytes"):
        if root is None or not path or media_type(path) is None:
            yield ""
            continue
        if root not in roots:
            roots[root] = file_url(absolute(Path(root)), folder)
        name = path if exact is None else exact
        yield url_below(roots[root], name)


def _lines(texts: Iterable[str]) -> str:
    return "\n".join(texts)


def _numbers(column: pa.ChunkedArray) -> str:
    """Numbers from 0 to 1 in 16 bits."""
    return _bytes(np.round(column.to_numpy() * 65535).astype("<u2"))


def _bytes(values: Any) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
