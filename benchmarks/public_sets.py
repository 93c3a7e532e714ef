"""Public sets of listening and tags, as tables: for measuring, under their own terms.

Each loader takes the folder of one set and gives its items in the columns of a catalog's tracks
and its listens in those of `candidates.LISTENS`. Where a set knows an order but no time, the
timestamps are seconds after 1970, in that order, and mean nothing else.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from musicu.errors import SourceError
from musicu.ingest.moments import parse_moment
from musicu.listening.listens import LISTENS

#: The columns of the items that a set knows; others are null.
ITEMS = pa.schema(
    [
        pa.field("track_id", pa.string(), nullable=False),
        ("title", pa.string()),
        ("artists", pa.list_(pa.string())),
        ("album", pa.string()),
        ("released", pa.date32()),
        ("genres", pa.list_(pa.string())),  # tags, too, the most frequent first
        ("popularity", pa.float64()),
        ("duration_seconds", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class PublicSet:
    """A public set.

    items: the columns of ITEMS. listens: those of LISTENS, maybe without rows. taggings: where
    people tagged with dates, those of LISTENS with the tag as context, else without rows.
    """

    name: str
    items: pa.Table
    listens: pa.Table
    taggings: pa.Table


def hetrec_lastfm(folder: Path) -> PublicSet:
    """HetRec 2011 Last.fm (Cantador et al., RecSys 2011): 1,892 listeners of 17,632 artists.

    The items are artists; a listen's weight is a play count, without a time. Tags carry the day on
    which they were given.
    """
    artists = _read(folder / "artists.dat.gz")
    plays = _read(folder / "user_artists.dat.gz")
    tags = _read(folder / "user_taggedartists.dat.gz")
    words = _read(folder / "tags.dat.gz", encoding="latin-1")
    names = dict(zip(words["tagID"].to_pylist(), words["tagValue"].to_pylist(), strict=True))
    tagged = [names.get(tag, tag) for tag in tags["tagID"].to_pylist()]
    ids = artists["id"].to_pylist()
    items = _items(
        track_id=ids,
        artists=[[name] for name in artists["name"].to_pylist()],
        genres=_most_frequent(tags["artistID"].to_pylist(), tagged, ids),
    )
    listens = _listens(
        plays["userID"].to_pylist(),
        plays["artistID"].to_pylist(),
        weight=pc.cast(plays["weight"], pa.float32()),
    )
    days = zip(*(tags[unit].to_pylist() for unit in ("year", "month", "day")), strict=True)
    when = [parse_moment(f"{year}-{int(month):02d}-{int(day):02d}") for year, month, day in days]
    user, item = tags["userID"].to_pylist(), tags["artistID"].to_pylist()
    taggings = _listens(user, item, when, context=pa.array(tagged, pa.string()))
    return PublicSet("hetrec2011-lastfm-2k", items, listens, taggings)


def s3rec_lastfm(folder: Path) -> PublicSet:
    """The Last.fm set of S3-Rec (Zhou et al., CIKM 2020): artists in the order of tagging."""
    tags = json.loads(gzip.decompress((folder / "LastFM_item2attributes.json.gz").read_bytes()))
    lines = [line.split() for line in _lines(folder / "LastFM.txt.gz")]
    users = [line[0] for line in lines for _ in line[1:]]
    tracks = [name for line in lines for name in line[1:]]
    ids = sorted(tags, key=int)
    flat = [(item, str(tag)) for item in ids for tag in tags[item]]
    genres = _most_frequent([item for item, _ in flat], [tag for _, tag in flat], ids)
    items = _items(track_id=ids, artists=[[name] for name in ids], genres=genres)
    listens = _listens(users, tracks, _places([len(line) - 1 for line in lines]))
    return PublicSet("s3rec-lastfm", items, listens, LISTENS.empty_table())


def nowplaying_sessions(folder: Path) -> PublicSet:
    """#nowplaying as sessions of anonymous tracks (Zangerle et al.; the split of GCE-GNN, 2020).

    Each training session is a listener of its own, and its name the context.
    """
    lines = [line.split() for line in _lines(folder / "train_sessions.txt.gz")]
    names = [f"session-{number:06d}" for number in range(len(lines))]
    users = [name for name, line in zip(names, lines, strict=True) for _ in line]
    tracks = [track for line in lines for track in line]
    moments = _places([len(line) for line in lines])
    listens = _listens(users, tracks, moments, context=pa.array(users, pa.string()))
    items = _items(track_id=sorted(set(tracks), key=int))
    return PublicSet("nowplaying", items, listens, LISTENS.empty_table())


def _items(**columns: list[Any]) -> pa.Table:
    count = len(columns["track_id"])
    arrays = [pa.array(columns.get(field.name, [None] * count), field.type) for field in ITEMS]
    return pa.Table.from_arrays(arrays, schema=ITEMS)


def _listens(
    users: list[str],
    tracks: list[str],
    when: list[datetime | None] | None = None,
    weight: pa.ChunkedArray | None = None,
    context: pa.Array | None = None,
) -> pa.Table:
    count = len(users)
    arrays = [
        pa.array(users, pa.string()),
        pa.array(tracks, pa.string()),
        pa.array(when or [None] * count, LISTENS.field("timestamp").type),
        pa.array(np.ones(count, np.float32)) if weight is None else weight,
        pa.nulls(count, pa.string()) if context is None else context,
    ]
    return pa.Table.from_arrays(arrays, schema=LISTENS)


def _read(path: Path, encoding: str = "utf-8") -> pa.Table:
    """A table of texts; raises SourceError where the file is not there or is another."""
    read = pc_csv.ReadOptions(encoding=encoding)
    parse = pc_csv.ParseOptions(delimiter="\t", quote_char=False)
    try:
        with pc_csv.open_csv(path, read, parse) as reader:
            names = reader.schema.names
        texts = pc_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        return pc_csv.read_csv(path, read, parse, texts)
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"the public set's {path} cannot be read: {error}") from error


def _lines(path: Path) -> Iterator[str]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from (line for line in file if line.strip())
    except OSError as error:
        raise SourceError(f"the public set's {path} cannot be read: {error}") from error


def _most_frequent(items: list[str], tags: list[str], wanted: list[str]) -> list[list[str]]:
    """Each item's distinct tags, the most frequent first, then by name."""
    counted = pa.table({"item": items, "tag": tags}).group_by(["item", "tag"])
    table = counted.aggregate([([], "count_all")])
    rows = table.sort_by([("count_all", "descending"), ("tag", "ascending")]).to_pylist()
    found: dict[str, list[str]] = {item: [] for item in wanted}
    for row in rows:
        if row["item"] in found:
            found[row["item"]].append(row["tag"])
    return [found[item] for item in wanted]


def _places(lengths: list[int]) -> list[datetime | None]:
    """Moments that say the order within each sequence."""
    longest = max(lengths, default=0)
    moments = [datetime.fromtimestamp(second, timezone.utc) for second in range(1, longest + 1)]
    return [moment for length in lengths for moment in moments[:length]]
