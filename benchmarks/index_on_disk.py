"""Indexes of more vectors than memory: recall, processor time and memory, beside each other.

Each engine has a process of its own, which builds from a file of vectors in batches, then asks 50
of its rows (slightly turned) for their 100 nearest, without a filter and with a tenth of the rows
allowed. Recall is against all products, which the first process makes. Processor time is of one
query, the median. Memory is what was resident at most, while building and after the last query;
vectors that an engine leaves to be scored again are mapped, and count where they were read.

    python benchmarks/index_on_disk.py --rows 1000000 --engines disk exact faiss usearch lancedb
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

K, QUERIES, BATCH, EACH = 100, 50, 65_536, 10
Found = Callable[[Any, Any], Any]


def made_batches(
    rows: int, dim: int, grouped: bool, *, seed: int = 0, batch: int = BATCH
) -> Iterator[Any]:
    """Vectors of artists (a dozen tracks each) of 200 styles, or of nothing in common."""
    rng = np.random.default_rng(seed)
    styles = np.random.default_rng(7).standard_normal((200, dim), dtype=np.float32)
    for start in range(0, rows, batch):
        count = min(batch, rows - start)
        values = rng.standard_normal((count, dim), dtype=np.float32)
        if grouped:
            artists = count // 12 + 1
            means = 0.8 * styles[rng.integers(0, 200, artists)]
            means += 0.7 * rng.standard_normal((artists, dim), dtype=np.float32)
            values = 0.6 * values + means[rng.integers(0, artists, count)] + 0.5
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        yield values


def made(path: Path, rows: int, dim: int, grouped: bool) -> None:
    """Such vectors in a file."""
    with path.open("wb") as file:
        for values in made_batches(rows, dim, grouped):
            file.write(values.astype("<f4").data)


def batches(values: Any) -> Iterator[Any]:
    """The vectors of a file, read: pages of its map would count as memory."""
    for start in range(0, len(values), BATCH):
        count = min(BATCH, len(values) - start) * values.shape[1]
        at = 4 * start * values.shape[1]
        yield np.fromfile(values.filename, "<f4", count, offset=at).reshape(-1, values.shape[1])


def disk(values: Any, room: Path) -> Found:
    from musicu.retrieval import build_index

    index = build_index(room / "disk", batches(values))
    print(f"disk, at build: recall@100 {index.state.recall} of {index.state.queries} queries")
    return lambda query, rows: index.search(query, K, rows=rows).row


def exact(values: Any, room: Path) -> Found:
    from musicu.retrieval import ExactIndex

    held = np.empty(values.shape, np.float32)
    for start, batch in zip(range(0, len(values), BATCH), batches(values), strict=True):
        held[start : start + len(batch)] = batch
    index = ExactIndex(held)
    index.prepare()
    return lambda query, rows: index.search(query, K, rows=rows).row


def faiss(values: Any, room: Path) -> Found:
    """Two bits a value and 2,000 rows scored again; a filter takes more and drops what is out."""
    import faiss as package

    index = package.index_factory(values.shape[1], "RaBitQfs2", package.METRIC_INNER_PRODUCT)
    index.train(np.concatenate(list(islice(batches(values), 2))))
    for batch in batches(values):
        index.add(batch)

    def search(query: Any, rows: Any) -> Any:
        near = index.search(query[None], 2000 if rows is None else 20_000)[1][0]
        near = np.sort(near[near >= 0] if rows is None else np.intersect1d(near, rows))
        return near[np.argsort(-(values[near] @ query))[:K]]

    return search


def usearch(values: Any, room: Path) -> Found:
    from usearch.index import Index

    index = Index(ndim=values.shape[1], metric="ip", dtype="i8", expansion_search=400)
    at = 0
    for batch in batches(values):
        index.add(np.arange(at, at + len(batch)), batch)
        at += len(batch)
    index.save(str(room / "usearch"))
    index = Index.restore(str(room / "usearch"), view=True)
    index.expansion_search = 400

    def search(query: Any, rows: Any) -> Any:
        near = index.search(query, 300 if rows is None else 3000).keys.astype(np.int64)
        near = np.sort(near) if rows is None else np.intersect1d(near, rows)
        return near[np.argsort(-(values[near] @ query))[:K]]

    return search


def lancedb(values: Any, room: Path) -> Found:
    import lancedb as package
    import pyarrow as pa

    schema = pa.schema([("row", pa.int64()), ("vector", pa.list_(pa.float32(), values.shape[1]))])

    def pieces() -> Iterator[Any]:
        at = 0
        for batch in batches(values):
            column = pa.FixedSizeListArray.from_arrays(batch.reshape(-1), values.shape[1])
            yield pa.record_batch([np.arange(at, at + len(batch)), column], schema=schema)
            at += len(batch)

    table = package.connect(str(room / "lance")).create_table("t", pieces(), schema=schema)
    table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_PQ")

    def search(query: Any, rows: Any) -> Any:
        asked = table.search(query).distance_type("dot").nprobes(200).refine_factor(20).limit(K)
        if rows is not None:  # rows of a multiple of ten
            asked = asked.where("row % 10 = 0", prefilter=True)
        return np.array([hit["row"] for hit in asked.select(["row", "_distance"]).to_list()])

    return search


ENGINES = {engine.__name__: engine for engine in (disk, exact, faiss, usearch, lancedb)}


def measured(name: str, path: Path, dim: int) -> None:
    values: Any = np.memmap(path, "<f4", "r").reshape(-1, dim)
    asked = np.load(path.with_name("asked.npz"))
    tenth = np.arange(0, len(values), EACH)
    with tempfile.TemporaryDirectory(dir=path.parent) as room:
        clock, began = time.perf_counter(), time.process_time()
        try:
            search = ENGINES[name](values, Path(room))
        except ImportError as error:
            print(f"{name} is not installed ({error})")
            return
        line: dict[str, Any] = {"build_processor_s": round(time.process_time() - began, 1)}
        line["build_wall_s"] = round(time.perf_counter() - clock, 1)
        line["build_mb"] = peak_mb()
        for filtered, rows in (("all", None), ("tenth", tenth)):
            shares, times = [], []
            for query, true in zip(asked["queries"], asked[filtered], strict=True):
                start = time.process_time()
                found = search(query, rows)
                times.append(time.process_time() - start)
                shares.append(len(np.intersect1d(found, true)) / K)
            line[f"{filtered}_recall"] = round(float(np.mean(shares)), 4)
            line[f"{filtered}_processor_ms"] = round(1000 * float(np.median(times)), 1)
        line["peak_mb"] = peak_mb()
    print(f"{name}: {line}", flush=True)
    path.with_name(f"{name}.json").write_text(json.dumps(line))


def peak_mb() -> int:
    """Of this process alone: `getrusage` counts what the process before it had (Linux)."""
    told = Path("/proc/self/status").read_text()
    return round(int(re.findall(r"VmHWM:\s+(\d+)", told)[0]) / 1024)


def true_nearest(path: Path, dim: int) -> None:
    """Queries, and their true neighbours among all rows and among a tenth of them."""
    values: Any = np.memmap(path, "<f4", "r").reshape(-1, dim)
    rng = np.random.default_rng(1)
    queries = np.array(values[np.sort(rng.choice(len(values), QUERIES, replace=False))])
    queries += 0.02 * rng.standard_normal(queries.shape, dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    scores = np.concatenate([batch @ queries.T for batch in batches(values)])
    every = np.argpartition(-scores, K, axis=0)[:K].T
    tenth = EACH * np.argpartition(-scores[::EACH], K, axis=0)[:K].T
    np.savez(path.with_name("asked.npz"), queries=queries, all=every, tenth=tenth)


def result(lines: dict[str, dict[str, Any]], command: str) -> dict[str, Any]:
    """What is measured, and what of it is drawn."""
    panels = {
        "All rows": "all_processor_ms",
        "A tenth of the rows": "tenth_processor_ms",
    }
    return {
        "title": "More vectors than memory",
        "unit": "Milliseconds of processor time of one search for the 100 nearest, beside recall "
        "and the memory (MB) of building and searching.",
        "better": "low",
        "command": command,
        "panels": [
            {"name": panel, "rows": [_drawn(name, line, key) for name, line in lines.items()]}
            for panel, key in panels.items()
        ],
        "engines": lines,
    }


def _drawn(name: str, line: dict[str, Any], key: str) -> dict[str, Any]:
    recall = line[key.replace("processor_ms", "recall")]
    drawn = {"name": f"{name}, {recall:.3f}, {line['peak_mb']:,} MB", "value": line[key]}
    return {**drawn, "ours": True} if name in ("disk", "exact") else drawn


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--no-groups", action="store_true", help="Vectors of nothing in common.")
    parser.add_argument("--room", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", type=Path, help="a file for the results")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.room) as folder:
        vectors, apart = Path(folder, "vectors"), multiprocessing.get_context("spawn")
        made(vectors, asked.rows, asked.dim, not asked.no_groups)
        tasks = [(true_nearest, (vectors, asked.dim))]
        tasks += [(measured, (engine, vectors, asked.dim)) for engine in asked.engines]
        for task, given in tasks:
            process = apart.Process(target=task, args=given)
            process.start()
            process.join()
        if asked.json:
            kept = [engine for engine in asked.engines if Path(folder, f"{engine}.json").exists()]
            lines = {name: json.loads(Path(folder, f"{name}.json").read_text()) for name in kept}
            line = f"python benchmarks/index_on_disk.py --rows {asked.rows} --engines "
            drawn = result(lines, line + " ".join(asked.engines))
            asked.json.write_text(json.dumps(drawn, indent=1) + "\n")
