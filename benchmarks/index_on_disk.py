"""Indexes of more vectors than memory: recall, processor time and memory, beside each other.

Each engine has a process of its own, which builds from a file of vectors in batches, then asks 50
of its rows (slightly turned) for their 100 nearest, without a filter and with a tenth of the rows
allowed. Recall is against all products. Processor time is of one query, the median.

    python benchmarks/index_on_disk.py --rows 1000000 --engines disk exact faiss usearch lancedb
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

K, QUERIES, BATCH = 100, 50, 65_536
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
    for start in range(0, len(values), BATCH):
        yield np.array(values[start : start + BATCH])


def disk(values: Any, room: Path) -> Found:
    from musicu.retrieval import build_index

    index = build_index(room / "disk", batches(values))
    print(f"   printed at build: recall@100 {index.state.recall} of {index.state.queries} queries")
    return lambda query, rows: index.search(query, K, rows=rows).row


def exact(values: Any, room: Path) -> Found:
    from musicu.retrieval import ExactIndex

    index = ExactIndex(np.array(values))
    index.prepare()
    return lambda query, rows: index.search(query, K, rows=rows).row


def faiss(values: Any, room: Path) -> Found:
    """Two bits a value and 2,000 rows scored again; a filter takes more and drops what is out."""
    import faiss as package

    index = package.index_factory(values.shape[1], "RaBitQfs2", package.METRIC_INNER_PRODUCT)
    index.train(np.array(values[: 1 << 17]))
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
        return np.array([hit["row"] for hit in asked.select(["row"]).to_list()])

    return search


ENGINES = {engine.__name__: engine for engine in (disk, exact, faiss, usearch, lancedb)}


def measured(name: str, path: Path, dim: int) -> None:
    values: Any = np.memmap(path, "<f4", "r").reshape(-1, dim)
    rng = np.random.default_rng(1)
    queries = np.array(values[np.sort(rng.choice(len(values), QUERIES, replace=False))])
    queries += 0.02 * rng.standard_normal(queries.shape, dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    tenth = np.arange(0, len(values), 10)
    with tempfile.TemporaryDirectory(dir=path.parent) as room:
        began = time.process_time()
        try:
            search = ENGINES[name](values, Path(room))
        except ImportError as error:
            print(f"{name:8} is not installed ({error})")
            return
        took = time.process_time() - began
        for filtered, rows in (("all rows", None), ("a tenth ", tenth)):
            shares, times = [], []
            for query in queries:
                start = time.process_time()
                found = search(query, rows)
                times.append(time.process_time() - start)
                shares.append(len(np.intersect1d(found, nearest(values, query, rows))) / K)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:8} {filtered} built in {took:7.1f} s, recall {np.mean(shares):.4f}, "
                f"{1000 * np.median(times):7.1f} ms a query, {peak:6.0f} MB at most, with building "
                "and the products that recall takes",
                flush=True,
            )


def nearest(values: Any, query: Any, rows: Any) -> Any:
    scores = np.concatenate([batch @ query for batch in batches(values)])
    if rows is not None:
        return rows[np.argpartition(scores[rows], -K)[-K:]]
    return np.argpartition(scores, -K)[-K:]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--no-groups", action="store_true", help="Vectors of nothing in common.")
    parser.add_argument("--room", type=Path, default=Path(tempfile.gettempdir()))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.room) as folder:
        made(Path(folder, "vectors"), asked.rows, asked.dim, not asked.no_groups)
        for engine in asked.engines:
            process = multiprocessing.get_context("spawn").Process(
                target=measured, args=(engine, Path(folder, "vectors"), asked.dim)
            )
            process.start()
            process.join()
