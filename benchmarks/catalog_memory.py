"""What tables of many tracks with vectors cost, without any music: rows are made up.

    python benchmarks/catalog_memory.py --tracks 100000 300000

Prints a Markdown table: seconds of wall clock and of processor time, and the memory of the process
at its highest. Each part is a command in a process of its own: `scan --vectors` of a Parquet table
with one row group, the same again, `export` to three formats, `map` by PCA, and `similar`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMANDS = {
    "start Python": ["models"],
    "scan --vectors": ["scan", "t.parquet", "-o", "c", "--vectors", "v", "--model-name", "m"],
    "the same again": ["scan", "t.parquet", "-o", "c", "--vectors", "v", "--model-name", "m"],
    "export .parquet": ["export", "c", "-o", "e.parquet"],
    "export .npz": ["export", "c", "-o", "e.npz"],
    "export .csv": ["export", "c", "-o", "e.csv"],
    "map, PCA": ["map", "c", "--projection", "pca", "--table", "m.parquet", "--json"],
    "map, PCA, page": ["map", "c", "--projection", "pca", "--html", "m.html", "--json"],
    "similar": ["similar", "c", "t0000000", "--json"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[100_000, 300_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--parts", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--scratch", help="A folder for the catalog; it takes 6 KB a track.")
    parser.add_argument("--make", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.make:
        make_table(Path(options.make) / "t.parquet", options.tracks[0], options.dim)
        return
    print("| part | tracks | wall s | processor s | peak MB |\n|---|---|---|---|---|")
    for tracks in options.tracks:
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            made = [sys.executable, __file__, "--make", folder, "--dim", str(options.dim)]
            subprocess.run([*made, "--tracks", str(tracks)], check=True)  # memory counts from here
            for part in options.parts:
                measure(part, tracks, Path(folder))


def make_table(path: Path, tracks: int, dim: int) -> None:
    """Tracks around 200 directions, written a piece at a time as one row group."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    centres = rng.standard_normal((200, dim), np.float32)
    style = rng.integers(0, 200, tracks)
    values = rng.standard_normal((tracks, dim), np.float32)
    for start in range(0, tracks, 50_000):
        values[start : start + 50_000] += centres[style[start : start + 50_000]]
    offsets = pa.array(np.arange(0, (tracks + 1) * dim, dim, dtype=np.int32))
    columns = {
        "track_id": [f"t{i:07d}" for i in range(tracks)],
        "title": [f"Song of the number {i}" for i in range(tracks)],
        "artists": [[f"Artist {i % 9973}"] for i in range(tracks)],
        "album": [f"Album {i // 10}" for i in range(tracks)],
        "date": [f"{1960 + i % 65}-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(tracks)],
        "genres": [[f"Genre {s % 31}"] for s in style],
        "popularity": rng.random(tracks),
        "v": pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1))),
    }
    pq.write_table(pa.table(columns), path, row_group_size=tracks)


def measure(part: str, tracks: int, folder: Path) -> None:
    """Run one command and print what it took."""
    code = "from musicu.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *COMMANDS[part]],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    assert status == 0, said
    spent, peak = used.ru_utime + used.ru_stime, _megabytes(used)
    print(f"| {part} | {tracks:,} | {wall:.1f} | {spent:.1f} | {peak:.0f} |", flush=True)


def _megabytes(used: resource.struct_rusage) -> float:
    """The most memory that a process had: in bytes on macOS, else in KiB."""
    return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


if __name__ == "__main__":
    main()
