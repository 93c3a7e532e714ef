"""What a catalog of many tracks costs, without any music: rows are made up.

    python benchmarks/catalog_scale.py --tracks 1000000

Prints a Markdown table: seconds of processor time, and the memory of the process at its highest
while each part ran (parts run in processes of their own): the end of a first run that committed
every 8,192 tracks, a second run that finds nothing to do, one that adds 1,000 tracks, and `info`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTS = ("start Python", "first run's end", "second run", "1,000 more", "info")
PIECE = 8192
MODEL = "musicu-stats-v1"


def main() -> None:
    options = _options()
    if options.part:
        _run_part(options)
        return
    print("| part | tracks | processor s | peak MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        _make(Path(folder) / "catalog", options.tracks, options.dim)
        for part in PARTS:
            command = [sys.executable, __file__, "--part", part, "--scratch", folder]
            command += ["--tracks", str(options.tracks), "--dim", str(options.dim)]
            subprocess.run(command, check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=247)
    parser.add_argument("--scratch", help="A folder for the catalog; it takes 2 KB a track.")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    return parser.parse_args()


def _found(first: int, count: int) -> Iterator[Any]:
    """Files that are not there."""
    from musicu.ingest.source_file import SourceFile, derived_id

    for i in range(first, first + count):
        path = f"artist {i // 20:06d}/album {i // 10:07d}/{i:08d} title.flac"
        file = Path("/music") / path
        yield SourceFile(derived_id(path.encode()), "/music", path, None, file, 10**7 + i, 10**18)


def _hash(i: int) -> str:
    import hashlib

    return hashlib.sha256(str(i).encode()).hexdigest()[:32]


def _tables(first: int, count: int, dim: int) -> tuple[Any, Any]:
    """Rows of tracks and vectors, in no order."""
    import numpy as np
    import pyarrow as pa

    from musicu.catalog.rows import latest, tracks_table, vectors_table
    from musicu.ingest.track_rows import track_row

    tags = {"album": "An album", "codec": "flac", "duration_seconds": 200.0}
    rows = [
        track_row(found, {**tags, "title": f"Title {i}", "artists": [f"A {i // 20}"]}, h, True)
        for i, found in enumerate(_found(first, count), first)
        for h in [_hash(i)]
    ]
    vectors = np.random.default_rng(first).standard_normal((count, dim), np.float32)
    hashes = [row["content_hash"] for row in rows]
    tracks = latest(tracks_table(rows, pa.schema([])), "track_id")
    return tracks, latest(vectors_table(hashes, list(vectors), [True] * count), "content_hash")


def _make(folder: Path, tracks: int, dim: int) -> None:
    """The catalog as a run leaves it that was killed before its end."""
    from musicu.catalog.manifest import ModelEntry
    from musicu.catalog.store import Change, Store
    from musicu.embeddings.cards import find_model

    store = Store.create(folder)
    entry = ModelEntry(find_model(MODEL).fingerprint, dim)
    for first in range(0, tracks, PIECE):
        rows, vectors = _tables(first, min(PIECE, tracks - first), dim)
        changes = [Change("tracks", rows), Change(f"vectors/{MODEL}", vectors)]
        store.commit(changes, {MODEL: entry})


def _run_part(options: argparse.Namespace) -> None:
    folder = Path(options.scratch) / "catalog"
    began = time.process_time()
    if options.part == "info":
        from musicu.catalog.catalog import Catalog
        from musicu.catalog.summary import summary

        assert summary(Catalog.open(folder))["tracks"] >= options.tracks
    elif options.part != "start Python":
        more = 1000 if options.part == "1,000 more" else 0
        _plan_and_finish(folder, options.tracks, more, options.dim)
    spent = time.process_time() - began
    peak = _peak_mb()
    print(f"| {options.part} | {options.tracks:,} | {spent:.1f} | {peak:.0f} |", flush=True)


def _peak_mb() -> float:
    """The most memory that this process had, not counting what came before it (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


def _plan_and_finish(folder: Path, tracks: int, more: int, dim: int) -> None:
    """All of a run but for the work on files."""
    import dataclasses
    import itertools

    import pyarrow as pa

    from musicu.catalog.store import Change, Store
    from musicu.embeddings.cards import find_model
    from musicu.pipeline.finish import mark_gone, settle_tables
    from musicu.pipeline.plan import Planner
    from musicu.pipeline.run_state import RunState
    from musicu.pipeline.tasks import embed_stage

    store = Store.open(folder)
    card = dataclasses.replace(find_model(MODEL), dim=dim)
    stages = [embed_stage(card)]
    state = RunState(store, card, stages, pa.schema([]))
    source = itertools.chain(_found(0, tracks), _found(tracks, more))
    survey = Planner(source, state, force=False, retry_failed=False).survey(lambda _: None)
    assert (survey.known, survey.todo) == (tracks, more)
    if more:
        rows, vectors = _tables(tracks, more, dim)
        store.commit([Change("tracks", rows), Change(f"vectors/{MODEL}", vectors)])
    assert mark_gone(store, state) == 0
    settle_tables(store, state, stages, prune=False)
    store.clean()


if __name__ == "__main__":
    main()
