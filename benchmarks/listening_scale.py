"""A catalog and a log of listens of any size, made up, to see what the commands cost on them.

    python benchmarks/listening_scale.py OUT --tracks 100000 --listeners 100000 --each 100
    musicu train tracks OUT/catalog --listens OUT/listens.parquet
    musicu candidates OUT/catalog --listens OUT/listens.parquet --source new-releases --window 28d …

OUT/catalog holds tracks of two hundred styles, ten by an artist, one in a hundred released within
the last four weeks, with unit vectors near the centre of their style. A listener of
OUT/listens.parquet plays tracks of three styles, some of them far more than others, and one in
five from anywhere.
"""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import vectors_table
from musicu.catalog.schema import TRACKS
from musicu.catalog.store import Change, Store

STYLES, PIECE = 200, 65_536
NOW = np.datetime64(datetime.now(timezone.utc).date())

Ints = NDArray[np.int64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    for name, default in (("tracks", 100_000), ("listeners", 100_000), ("each", 100), ("dim", 256)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    rng = np.random.default_rng(0)
    style = rng.integers(STYLES, size=options.tracks // 10 + 1)[np.arange(options.tracks) // 10]
    centres = rng.standard_normal((STYLES, options.dim))
    store = Store.create(options.out / "catalog")
    for first in range(0, options.tracks, PIECE):
        some = np.arange(first, min(first + PIECE, options.tracks))
        changes = [
            Change("tracks", made_tracks(some, style[some], rng)),
            Change("vectors/made", made_vectors(some, centres[style[some]], rng)),
        ]
        store.commit(changes, {"made": ModelEntry("0" * 16, options.dim)})
    pq.write_table(
        made_listens(style, options.listeners, options.each, rng), options.out / "listens.parquet"
    )


def made_tracks(rows: Ints, style: Ints, rng: np.random.Generator) -> pa.Table:
    new = rng.random(len(rows)) < 0.01
    days = np.where(new, rng.integers(0, 27, len(rows)), rng.integers(100, 5000, len(rows)))
    titles = rng.integers(20_000, size=(len(rows), 3))
    known = {
        "track_id": [f"{row:016x}" for row in rows],
        "content_hash": [f"{row:032x}" for row in rows],
        "root": ["/music"] * len(rows),
        "path": [f"{row}.mp3" for row in rows],
        "title": [" ".join(f"w{word}" for word in words) for words in titles],
        "artists": [[f"Artist {row // 10}"] for row in rows],
        "album": [f"Album {row // 5}" for row in rows],
        "genres": [[f"Genre {number // 4}"] for number in style],
        "gone": [False] * len(rows),
        "released": NOW - days.astype("timedelta64[D]"),
    }
    columns = {
        field.name: pa.array(known[field.name]).cast(field.type)
        if field.name in known
        else pa.nulls(len(rows), field.type)
        for field in TRACKS
    }
    return pa.table(columns)


def made_vectors(rows: Ints, centres: NDArray[np.float64], rng: np.random.Generator) -> pa.Table:
    vectors = centres + 0.8 * rng.standard_normal(centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    hashes = [f"{row:032x}" for row in rows]
    return vectors_table(hashes, list(vectors.astype(np.float32)), [True] * len(rows))


def made_listens(style: Ints, listeners: int, each: int, rng: np.random.Generator) -> pa.Table:
    of_style = [np.flatnonzero(style == number) for number in range(STYLES)]
    of_style = [rows for rows in of_style if len(rows)]
    played = np.empty((listeners, each), np.int64)
    for listener in range(listeners):
        liked = rng.integers(len(of_style), size=3)[rng.integers(3, size=each)]
        depth = rng.random(each) ** 2  # the first of a style are played most
        played[listener] = [
            of_style[number][int(share * len(of_style[number]))]
            for number, share in zip(liked, depth, strict=True)
        ]
    anywhere = rng.random(played.shape) < 0.2
    played[anywhere] = rng.integers(len(style), size=int(anywhere.sum()))
    names = pa.array([f"listener {number}" for number in range(listeners)])
    tracks = pa.array([f"{row:016x}" for row in range(len(style))])
    seconds = rng.integers(1, 200 * 86_400, played.size).astype("timedelta64[s]")
    times = pa.array(NOW.astype("datetime64[us]") - seconds, pa.timestamp("us"))
    return pa.table(
        {
            "user_id": names.take(pa.array(np.repeat(np.arange(listeners), each))),
            "track_id": tracks.take(pa.array(played.ravel())),
            "timestamp": times.cast(pa.timestamp("us", "UTC")),
        }
    )


if __name__ == "__main__":
    main()
