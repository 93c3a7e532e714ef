"""What a page of ten shelves for one listener costs, over a catalog of many tracks.

    OMP_NUM_THREADS=1 python benchmarks/page_speed.py --tracks 200000 1000000

Rows and vectors are made up, as in `catalog_memory.py`. Prints seconds of processor time and of
wall clock: opening the catalog; a first page, which makes what belongs to the catalog alone; then
pages of other listeners, medians. A page has four daily mixes, three shelves because of what was
listened to, new releases, deep cuts, and tracks like one track; a page for anybody has eight
regions, new releases, and tracks like one track. Last, `musicu shelves` as a command, from nothing
to the written page, once with nothing kept from before and once again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from catalog_memory import make_table

FOR_A_LISTENER = ("daily-mixes", "because-you-listened", "new-for-you", "deep-cuts")
FOR_ANYBODY = ("around-the-catalog", "new-for-you")
TODAY = date(2024, 12, 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--listeners", type=int, default=5, help="pages that are timed")
    parser.add_argument("--scratch", type=Path, help="A folder to make catalogs in, and keep them.")
    given = parser.parse_args()
    print("| tracks | part | processor s | wall s |\n|---|---|---|---|")
    for tracks in given.tracks:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (given.scratch or Path(temporary)) / f"{tracks}"
            if not (folder / "c").exists():
                make_catalog(folder, tracks, given.dim)
            for part, cpu, wall in [*pages(folder, given.listeners), *commands(folder)]:
                print(f"| {tracks:,} | {part} | {cpu:.2f} | {wall:.2f} |", flush=True)


def make_catalog(folder: Path, tracks: int, dim: int) -> None:
    """A catalog with vectors, by the command."""
    folder.mkdir(parents=True, exist_ok=True)
    make_table(folder / "t.parquet", tracks, dim)
    scan = ["scan", "t.parquet", "-o", "c", "--vectors", "v", "--model-name", "m"]
    musicu(scan, folder)


def listens(rng: np.random.Generator, ids: np.ndarray, values: np.ndarray) -> pa.Table:
    """The listens of somebody: 200 tracks, 50 around each of four tracks."""
    some = rng.choice(len(ids), min(len(ids), 20_000), replace=False)
    near = np.argsort(-(values[some[:4]] @ values[some].T), axis=1)[:, :50]
    played = ids[some[np.unique(near)]]
    heard_at = pa.array([datetime.combine(TODAY, time(12), timezone.utc)] * len(played))
    return pa.table(
        {
            "user_id": ["ann"] * len(played),
            "track_id": pa.array(played, pa.string()),
            "timestamp": heard_at.cast(pa.timestamp("us", "UTC")),
            "weight": pa.array(rng.integers(1, 9, len(played)), pa.float32()),
        }
    )


def pages(folder: Path, listeners: int) -> list[tuple[str, float, float]]:
    """Opening, a first page, and others."""
    from musicu.candidates import TasteProfile
    from musicu.catalog.catalog import Catalog
    from musicu.listening.listens import listens_table
    from musicu.shelves import ShelfContext, recipe_of

    rng = np.random.default_rng(0)
    catalog = Catalog.open(folder / "c")
    opened = timed(lambda: (catalog.tracks(), catalog.vectors()))
    ids, values = catalog.vectors()
    now = datetime.combine(TODAY, time(23, 59, 59), timezone.utc)

    def page(context: ShelfContext, names: tuple[str, ...], seed: str) -> dict[str, Any]:
        spent = {}
        for name in (*names, "more-like-track"):
            options = {"recipe": name, **({"track": seed} if name == "more-like-track" else {})}
            shelves, *spent[name] = timed(lambda o=options: recipe_of(o).shelves(context))
            assert all(len(shelf) == 20 for shelf in shelves), (name, [len(s) for s in shelves])
        return spent

    pq.write_table(listens(rng, ids, values), folder / "listens.parquet")
    rows: list[tuple[str, float, float]] = [("open the catalog", *opened[1:])]
    context, *first = timed(lambda: ShelfContext(catalog, today=TODAY))
    kept: dict[str, list[Any]] = {}
    for number in range(listeners + 1):
        table = listens_table(listens(rng, ids, values))
        profile, *spent = timed(
            lambda t=table: TasteProfile.from_listens(t, catalog.vectors(), now=now)
        )
        own = context.for_listener(profile, TODAY)
        told = {"profile": spent, **page(own, FOR_A_LISTENER, f"t{number:07d}")}
        anybody = page(context, FOR_ANYBODY, f"t{number:07d}")
        for title, parts in (("for a listener", told), ("for anybody", anybody)):
            total = np.sum(list(parts.values()), axis=0)
            if number == 0:
                rows.append((f"first page {title}", *(total + first)))
                continue
            kept.setdefault(f"page {title}", []).append(total)
            for name, spent in parts.items():
                kept.setdefault(f"page {title}: {name}", []).append(spent)
    return rows + [(name, *np.median(spent, axis=0)) for name, spent in kept.items()]


def commands(folder: Path) -> list[tuple[str, float, float]]:
    """The command, twice."""
    words = ["shelves", "c", "--listens", "listens.parquet", "--today", str(TODAY), "-o", "page"]
    return [(f"musicu shelves, {when}", *musicu(words, folder)) for when in ("first", "again")]


def musicu(words: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; seconds of processor time, and of wall clock."""
    path = str(Path(__file__).parent.parent)
    began = clock.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "musicu", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, said
    return used.ru_utime + used.ru_stime, clock.perf_counter() - began


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it answers, seconds of processor time, and of wall clock."""
    cpu, wall = clock.process_time(), clock.perf_counter()
    answer = call()
    return answer, clock.process_time() - cpu, clock.perf_counter() - wall


if __name__ == "__main__":
    main()
