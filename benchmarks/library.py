"""A collector's library of any size, made up, and what every command costs on it.

    python benchmarks/library.py OUT --tracks 20000 200000 --listeners 20000 --each 100
    python benchmarks/library.py OUT --files 12000

Prints a Markdown table of commands × sizes: seconds until the first word on standard error, wall
clock, processor time, and the memory of the process at its highest. It is run before a release.

With --tracks, OUT/N/catalog holds N tracks of two hundred styles, ten by an artist, five an album,
one in fifty a "Single Version" of the track before it, one in a hundred released within the last
four weeks, with unit vectors near the centre of their style; OUT/N/tracks.parquet is the same as a
table. A listener of OUT/N/listens.parquet plays tracks of three styles, some of them far more than
others, and one in five from anywhere. With --files, OUT/music holds that many FLAC files of five
seconds, one in thirty-three a quieter copy of another in another format, and a dozen bad ones.
--make-only stops before the table; what is there already is kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
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

STYLES, PIECE, RATE = 200, 65_536, 22_050
TABLE = pa.schema(
    [
        *(TRACKS.field(n) for n in ("track_id", "title", "artists", "album", "genres", "released")),
        pa.field("vector", pa.list_(pa.float32())),
    ]
)
NOW = np.datetime64(datetime.now(timezone.utc).date())

Ints = NDArray[np.int64]


#: What is measured on a catalog of tracks, in this order; {0} is a folder for what is written.
COMMANDS = {
    "info": "info catalog",
    "similar": "similar catalog 0000000000000005",
    "shelf": "shelf catalog --like 0000000000000005",
    "shelves": "shelves catalog -o {0}/page",
    "map, PCA": "map catalog --projection pca --html {0}/map",
    "listens": "listens listens.parquet --catalog catalog -o {0}/listens.parquet",
    "taste": "taste catalog --listens listens.parquet",
    "candidates": "candidates catalog --listens listens.parquet -o {0}/new.parquet",
    "candidates, for-you": "candidates catalog --listens listens.parquet --source for-you "
    "-o {0}/for-you.parquet",
    "scan --vectors": "scan tracks.parquet -o {0}/scanned --vectors vector --model-name made",
    "export": "export catalog -o {0}/all.parquet",
    "train tracks": "train tracks catalog --listens listens.parquet --name trained --keep-default",
}
#: What is measured on files.
FILE_COMMANDS = {
    "embed": "embed music -o {0}/catalog -m musicu-stats-v1",
    "embed again": "embed music -o {0}/catalog -m musicu-stats-v1",
    "audit": "audit {0}/catalog",
    "audit again": "audit {0}/catalog",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tracks", type=int, nargs="*", default=[])
    parser.add_argument("--files", type=int, default=0)
    for name, default in (("listeners", 20_000), ("each", 100), ("dim", 256), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--commands", nargs="+", default=[*COMMANDS, *FILE_COMMANDS])
    parser.add_argument("--make-only", action="store_true")
    options = parser.parse_args()
    print("| command | size | first word s | wall s | processor s | peak MB |")
    print("|---|---|---|---|---|---|")
    for tracks in options.tracks:
        folder = options.out / str(tracks)
        if not folder.exists():  # in a process of its own, so that memory counts from here
            numbers = (tracks, options.listeners, options.each, options.dim, options.seed)
            cost_of(making(folder, *numbers), options.out.parent)
        measure_all(COMMANDS, options, folder, tracks)
    if options.files:
        options.out.mkdir(parents=True, exist_ok=True)
        if not (options.out / "music").exists():
            make_files(options.out / "music", options.files, options.seed)
        measure_all(FILE_COMMANDS, options, options.out, options.files)


def making(folder: Path, *numbers: int) -> list[str]:
    """The command that makes a catalog: numbers are those of `make_catalog`."""
    code = "import sys, library; library.make_catalog(*sys.argv[1:])"
    return [sys.executable, "-c", code, str(folder.resolve()), *map(str, numbers)]


def measure_all(
    commands: dict[str, str], options: argparse.Namespace, folder: Path, size: int
) -> None:
    if options.make_only:
        return
    with tempfile.TemporaryDirectory(dir=folder) as written:
        for name, words in commands.items():
            if name in options.commands:
                print(
                    f"| {name} | {size:,} | {measured(words.format(written), folder)} |", flush=True
                )


def _environment() -> dict[str, str]:
    here = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": f"{here.parent}{os.pathsep}{here}"}


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds until its first word on standard error, of wall clock and of
    the processor, and megabytes of memory at most."""

    first: float
    wall: float
    processor: float
    peak_mb: float


def measured(words: str, folder: Path) -> str:
    """What a command costs, as cells of the table."""
    try:
        cost = cost_of([sys.executable, "-m", "musicu", *words.split()], folder, accepted=(0, 1))
    except subprocess.SubprocessError as error:
        return f"failed: {error} | | |"
    return f"{cost.first:.1f} | {cost.wall:.1f} | {cost.processor:.1f} | {cost.peak_mb:.0f}"


def cost_of(
    line: list[str], folder: Path, out: Path = Path(os.devnull), accepted: tuple[int, ...] = (0,)
) -> Cost:
    """What a process costs that runs in a folder; what it prints goes to a file.

    Raises SubprocessError where it ends with a status that is not accepted.
    """
    began = time.perf_counter()
    with out.open("wb") as printed:
        process = subprocess.Popen(
            line, cwd=folder, env=_environment(), stdout=printed, stderr=subprocess.PIPE
        )
    assert process.stderr is not None
    said = process.stderr.readline()
    first = time.perf_counter() - began
    said += process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in accepted:
        raise subprocess.SubprocessError(said.decode()[-200:])
    memory = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
    return Cost(first, wall, used.ru_utime + used.ru_stime, memory)


def make_catalog(
    out: str | Path, tracks: str, listeners: str, each: str, dim: str, seed: str
) -> None:
    """A catalog, the same as a table, and listens."""
    out, count, width = Path(out), int(tracks), int(dim)
    out.mkdir(parents=True)
    rng = np.random.default_rng(int(seed))
    style = rng.integers(STYLES, size=count // 10 + 1)[np.arange(count) // 10]
    centres = rng.standard_normal((STYLES, width))
    store = Store.create(out / "catalog")
    with pq.ParquetWriter(out / "tracks.parquet", TABLE) as table:
        for first in range(0, count, PIECE):
            some = np.arange(first, min(first + PIECE, count))
            rows = made_tracks(some, style[some], rng)
            vectors = made_vectors(some, centres[style[some]], rng)
            changes = [Change("tracks", rows), Change("vectors/made", vectors)]
            store.commit(changes, {"made": ModelEntry("0" * 16, width)})
            told = rows.select([name for name in TABLE.names if name != "vector"])
            lists = vectors["vector"].cast(pa.list_(pa.float32()))
            table.write_table(told.append_column("vector", lists).cast(TABLE))
    listens = made_listens(style, int(listeners), int(each), rng)
    pq.write_table(listens, out / "listens.parquet")


def make_files(folder: Path, count: int, seed: int) -> None:
    """Short files of chords, some of them copies, a dozen bad."""
    import soundfile

    rng = np.random.default_rng(seed)
    seconds = np.arange(5 * RATE) / RATE
    for number in range(count):
        place = folder / f"Artist {number // 20:04d}" / f"Album {number // 10 % 2}"
        place.mkdir(parents=True, exist_ok=True)
        notes = 110 * 2 ** (rng.integers(0, 36, (5, 3)) / 12)  # three notes for each second
        phase = 2 * np.pi * notes[seconds.astype(int).clip(0, 4)] * seconds[:, None]
        sound = 0.2 * np.sin(phase).sum(axis=1) + 0.02 * rng.standard_normal(len(seconds))
        soundfile.write(place / f"{number:05d}.flac", sound, RATE)
        if number % 33 == 0:
            soundfile.write(place / f"{number:05d} copy.ogg", 0.7 * sound, RATE)
    for number in range(12):
        (folder / f"bad {number:02d}.flac").write_bytes(b"fLaC" + rng.bytes(1000))


def made_tracks(rows: Ints, style: Ints, rng: np.random.Generator) -> pa.Table:
    new = rng.random(len(rows)) < 0.01
    days = np.where(new, rng.integers(0, 27, len(rows)), rng.integers(100, 5000, len(rows)))
    titles = rng.integers(20_000, size=(len(rows), 3))
    named = [" ".join(f"w{word}" for word in words) for words in titles]
    for row in range(1, len(named), 50):
        named[row] = f"{named[row - 1]} (Single Version)"
    known = {
        "track_id": [f"{row:016x}" for row in rows],
        "content_hash": [f"{row:032x}" for row in rows],
        "root": ["/music"] * len(rows),
        "path": [f"{row}.mp3" for row in rows],
        "title": named,
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
