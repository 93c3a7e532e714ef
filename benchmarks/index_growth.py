"""An index of millions of vectors: how it is built, and asked, and how that grows.

Vectors are made as they are written, so that none but those of a batch are in memory. `build` and
`ask` are processes of their own, each says how much was resident at most. Latency is wall-clock of
one search at a time after a warm-up: run it on a quiet machine.

    python benchmarks/index_growth.py build FOLDER --rows 5000000
    python benchmarks/index_growth.py ask FOLDER
    python benchmarks/index_growth.py append FOLDER --rows 100000

`--no-groups` makes vectors that have nothing in common, the hardest there are.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from index_on_disk import made_batches

from musicu.retrieval import DiskIndex, append_to_index, build_index

K = 100
BATCH = 16_384


def peak_mb() -> int:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(size / (1 << 20 if platform.system() == "Darwin" else 1 << 10))


def sizes_mb(folder: Path) -> dict[str, int]:
    return {file.name: round(file.stat().st_size / 1e6) for file in sorted(folder.iterdir())}


def build(folder: Path, rows: int, grouped: bool) -> dict[str, object]:
    began, worked = time.perf_counter(), time.process_time()
    index = build_index(folder, made_batches(rows, 256, grouped, batch=BATCH))
    return _built(index, began, worked)


def append(folder: Path, rows: int, grouped: bool) -> dict[str, object]:
    began, worked = time.perf_counter(), time.process_time()
    index = append_to_index(folder, made_batches(rows, 256, grouped, seed=1, batch=BATCH))
    return _built(index, began, worked)


def _built(index: DiskIndex, began: float, worked: float) -> dict[str, object]:
    return {
        "rows": len(index),
        "recall@100": index.state.recall,
        "queries": index.state.queries,
        "margin": index.state.margin,
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "resident_mb": peak_mb(),
        "files_mb": sizes_mb(index.folder),
    }


def ask(folder: Path, queries: int) -> dict[str, object]:
    """Rows of the index, slightly turned, ask for their hundred nearest."""
    index = DiskIndex(folder)
    rng = np.random.default_rng(1)
    asked = index.vectors(np.sort(rng.choice(len(index), queries, replace=False)))
    asked += 0.02 * rng.standard_normal(asked.shape, dtype=np.float32)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    said: dict[str, object] = {"rows": len(index), "recall@100_at_build": index.state.recall}
    shares = {"all": 1, "half": 2, "tenth": 10, "hundredth": 100, "thousandth": 1000}
    shares = {name: each for name, each in shares.items() if len(index) >= K * each}
    for name, each in shares.items():
        rows = None if each == 1 else np.arange(0, len(index), each)
        index.search(asked[0], K, rows=rows)
        walls, works = [], []
        for query in asked:
            began, worked = time.perf_counter(), time.process_time()
            index.search(query, K, rows=rows)
            walls.append(1000 * (time.perf_counter() - began))
            works.append(1000 * (time.process_time() - worked))
        said[name] = {
            "median_ms": round(float(np.median(walls)), 1),
            "p95_ms": round(float(np.quantile(walls, 0.95)), 1),
            "processor_ms": round(float(np.median(works)), 1),
        }
    said["resident_mb"] = peak_mb()
    for name, each in shares.items():  # afterwards: the products of all rows take memory
        rows = None if each == 1 else np.arange(0, len(index), each)
        found = [index.search(query, K, rows=rows).row for query in asked[:20]]
        true = nearest(index, asked[:20], each)
        hit = [len(np.intersect1d(a, b)) / K for a, b in zip(found, true, strict=True)]
        said[name]["recall@100"] = round(float(np.mean(hit)), 5)  # type: ignore[index]
    return said


def nearest(index: DiskIndex, queries: np.ndarray, each: int) -> Iterator[np.ndarray]:
    """The true nearest of every `each`th row."""
    scores = np.empty((len(queries), len(range(0, len(index), each))), np.float32)
    at = 0
    for start in range(0, len(index), BATCH):
        rows = np.arange(start, min(start + BATCH, len(index)))
        part = index.vectors(rows[rows % each == 0])
        scores[:, at : at + len(part)] = queries @ part.T
        at += len(part)
    for line in scores:
        yield np.argpartition(line, -K)[-K:] * each


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("build", "ask", "append"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--no-groups", action="store_true", help="Vectors of nothing in common.")
    given = parser.parse_args()
    if given.what == "ask":
        line = ask(given.folder, given.queries)
    else:
        line = {"build": build, "append": append}[given.what](
            given.folder, given.rows, not given.no_groups
        )
    print(json.dumps({"what": given.what, "groups": not given.no_groups, **line}))
