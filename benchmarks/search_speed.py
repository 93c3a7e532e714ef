"""How long an exact search takes, under filters, against plain NumPy and faiss.

    python benchmarks/search_speed.py --sizes 10000 100000 --dim 512

Prints a Markdown table of medians in milliseconds for a single query's top k. "NumPy" scores
every row, then keeps the allowed; faiss (where it is installed) is its exact flat index with the
same filter. Ratios above 1 are times that musicu is faster; below 1, slower. All of them run on
one core unless the environment says otherwise (--threads).
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from plotted import add_out, write_plot

SHARES = (1.0, 0.1, 0.01, 0.001)


def main() -> None:
    options = _options()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)  # read when NumPy is first imported, below
    print(_machine(options))
    print("\n| rows × dim | filter | musicu ms | NumPy ms | ratio | faiss ms | ratio | recall |")
    print("|---|---|---|---|---|---|---|---|")
    panels: dict[str, dict[str, float]] = {}
    for size in options.sizes:
        for share, line, times in _measure(size, options):
            print(line, flush=True)
            name = f"{size:,} rows, {share:.1%} of them pass the filter"
            panels[name] = dict(zip(("musicu", "NumPy", "faiss"), times, strict=False))
    if options.out:
        write_plot(
            options.out,
            "Exact search, beside NumPy",
            f"Milliseconds for the top {options.k} of vectors of {options.dim} numbers, "
            f"{options.threads} thread. Recall is 1.",
            panels,
            ours=["musicu"],
            better="low",
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("-k", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    add_out(parser)
    return parser.parse_args()


def _measure(size: int, options: argparse.Namespace) -> Iterator[tuple[float, str, list[float]]]:
    import numpy as np

    from musicu.retrieval import ExactIndex

    rng = np.random.default_rng(options.seed)
    values = rng.standard_normal((size, options.dim), dtype=np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    queries = values[rng.choice(size, options.repeats + 1)]
    index = ExactIndex(values)
    index.prepare()
    peer = _faiss(values, options.threads)
    for share in SHARES:
        rows = np.sort(rng.choice(size, max(1, round(size * share)), replace=False))
        allowed = None if share == 1 else rows

        def ours(query: Any, allowed: Any = allowed) -> Any:
            return index.search(query, options.k, rows=allowed).row

        def plain(query: Any, allowed: Any = allowed) -> Any:
            return _numpy(values, query, options.k, allowed)

        runs: list[Callable[[Any], Any]] = [ours, plain]
        if peer is not None:
            runs.append(lambda query, allowed=allowed: peer(query, options.k, allowed))
        times = _medians(runs, queries)
        both = np.intersect1d(ours(queries[0]), plain(queries[0]))
        recall = len(both) / min(options.k, len(rows))
        faiss = f"{times[2]:.2f} | {times[2] / times[0]:.1f}" if peer else "– | –"
        line = (
            f"| {size:,} × {options.dim} | {share:.1%} | {times[0]:.2f} | {times[1]:.2f} | "
            f"{times[1] / times[0]:.1f} | {faiss} | {recall:.3f} |"
        )
        yield share, line, times


def _numpy(values: Any, query: Any, k: int, rows: Any) -> Any:
    import numpy as np

    scores = values @ query
    rows = np.arange(len(values)) if rows is None else rows
    scores = scores[rows]
    top = np.argpartition(-scores, min(k, len(scores)) - 1)[:k]
    return rows[top[np.argsort(-scores[top])]]


def _faiss(values: Any, threads: int) -> Callable[[Any, int, Any], Any] | None:
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(values.shape[1])
    index.add(values)

    def search(query: Any, k: int, rows: Any) -> Any:
        if rows is None:
            return index.search(query[None], k)[1][0]
        chosen = faiss.SearchParameters(sel=faiss.IDSelectorBatch(rows))
        return index.search(query[None], k, params=chosen)[1][0]

    return search


def _medians(runs: list[Callable[[Any], Any]], queries: Any) -> list[float]:
    """Median milliseconds of each; they take turns, so that a busy moment hits all alike.

    Each turn has a query of its own, as an index may keep what it worked out for the last one.
    """
    times: list[list[float]] = [[] for _ in runs]
    for repeat, query in enumerate(queries):
        for run, found in zip(runs, times, strict=True):
            start = time.perf_counter()
            run(query)
            if repeat:  # the first warms up
                found.append(1000 * (time.perf_counter() - start))
    return [statistics.median(found) for found in times]


def _machine(options: argparse.Namespace) -> str:
    packages = ("numpy", "musicu", "faiss-cpu")
    versions = ", ".join(f"{name} {_version(name)}" for name in packages)
    return (
        f"top {options.k}, one query, median of {options.repeats}, {options.threads} thread(s), "
        f"seed {options.seed}; {_processor()}, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"


def _processor() -> str:
    if sys.platform == "linux":
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a real file
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
