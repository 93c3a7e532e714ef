"""The map as one page: it works offline at 100,000 tracks, and runs nothing that a tag says.

Everything that is known of the tracks lies in the page as one block, gzipped JSON in base64:
places as 16-bit numbers, texts as lines. No text from a tag ever becomes markup: the block's
alphabet has none, and the script writes texts as text.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.shelves.context import ShelfContext
from musicu.shelves.map.atlas import Atlas
from musicu.shelves.rendering import Placing, asset, filled
from musicu.shelves.shelf import ShelfTrack

#: The columns that a page needs of each track.
_NEEDED = ["title", "artists", "album_artist", "path", "path_bytes", "root", "genres"]
_NEEDED += ["duration_seconds", "track_id", "date", "released"]
_HUE = 228


def write_map(
    atlas: Atlas,
    context: ShelfContext,
    path: str | Path,
    *,
    title: str = "Map",
    audio: Literal["relative", "absolute"] = "relative",
) -> None:
    """Write the page, which finds the music as seen from itself, or by full path.

    Raises QueryError for another placing, CatalogError where the disk refuses.
    """
    if audio not in ("relative", "absolute"):
        raise QueryError(f"audio is {audio!r}: for a map it is 'relative' or 'absolute'")
    path = absolute(Path(path))
    placing = Placing(audio, path.parent)
    text = filled(
        "map.html.jinja",
        asset("base.css").replace("__HUE__", str(_HUE)) + asset("map.css"),
        asset("position.js") + asset("map.js"),
        title=one_line(title),
        count=atlas.places.num_rows,
        regions=[replace(region, name=one_line(region.name, 80)) for region in atlas.regions],
        data=packed(atlas, context, placing),
    )
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))


def packed(atlas: Atlas, context: ShelfContext, placing: Placing) -> str:
    """The block of data: see the module."""
    rows = context.tracks.select(_NEEDED)
    places = pa.array(_index(rows["track_id"], atlas.places["track_id"]))
    tracks = [ShelfTrack(row) for row in rows.take(places).to_pylist()]
    genres = [_line((t.row["genres"] or ["", ""])[:3]) for t in tracks]
    document = {
        "n": len(tracks),
        "x": _numbers(atlas.places["x"]),
        "y": _numbers(atlas.places["y"]),
        "region": _bytes(atlas.places["region"].to_numpy().astype("<u2")),
        "names": [one_line(region.name, 80) for region in atlas.regions],
        "titles": "\n".join(one_line(t.title, 120) for t in tracks),
        "artists": "\n".join(one_line(t.artist, 80) for t in tracks),
        "genres": "\n".join(genres),
        "seconds": [round(t.row["duration_seconds"] or 0) for t in tracks],
        "files": "\n".join(placing.source(t)[0] or "" for t in tracks),
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode("ascii")


def _index(ids: pa.ChunkedArray, wanted: pa.ChunkedArray) -> Any:
    place = {track_id: i for i, track_id in enumerate(ids.to_pylist())}
    return [place[track_id] for track_id in wanted.to_pylist()]


def _line(names: Iterable[str]) -> str:
    return one_line(", ".join(name for name in names if name), 80)


def _numbers(column: pa.ChunkedArray) -> str:
    """Numbers from 0 to 1 in 16 bits."""
    return _bytes(np.round(column.to_numpy() * 65535).astype("<u2"))


def _bytes(values: Any) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
