"""Building an index on the disk, in a stream; adding to it; measuring what it finds.

Rows are appended to files; `index.json`, replaced in one step, says how many of them count. What a
killed run wrote behind them is cut off by the next.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.files import plain_errors, write_atomically
from musicu.errors import QueryError
from musicu.progress import tell
from musicu.retrieval.coarse_groups import fitted_centroids, group_of
from musicu.retrieval.disk_index import DiskIndex
from musicu.retrieval.exact_index import ExactIndex
from musicu.retrieval.hits import Hits, joined
from musicu.retrieval.index_state import (
    ROW_FILES,
    SKETCHER,
    STATE,
    IndexState,
    read_centroids,
    read_sketcher,
    read_state,
)
from musicu.retrieval.int8 import UNIT_TOLERANCE
from musicu.retrieval.sketches import Sketcher

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

K = 100  # the recall that is measured is of so many
RECALL = 0.99
_AIM = 0.995  # of the queries that choose the margin
_MARGINS = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
_QUERIES = 100  # that choose the margin, and as many others that verify it
_SAMPLE = 16_384  # rows that the centre is the mean of
_ROWS_AT_ONCE = 8192
_EXACT_ROWS = 1 << 15
_LEAST_ROWS = 1 << 17  # from which groups spare more than they cost
_GROWTH = 1.25  # rows are verified again when there are so many times as many


def build_index(
    folder: str | Path,
    batches: Iterable[Floats],
    *,
    fingerprint: str = "",
    seed: int = 0,
) -> DiskIndex:
    """Write an index of unit vectors into a new folder, and open it.

    batches: float32 [rows, dim] each, as many as they may be; they are read once. fingerprint: of
    the model whose vectors they are. The recall that was measured is in `state.recall`.

    Raises QueryError where there are no vectors, or they are not of one length and of unit length,
    where the folder holds something, and where recall@100 is below .99.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise QueryError(f"{folder} is not empty: choose a new folder, or `append_to_index`")
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    tell("writing vectors")
    rows, dim = _append_vectors(folder, batches, IndexState(0, 0, fingerprint))
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(rows, min(rows, _SAMPLE), replace=False))
    some = _sampled(folder, dim, sample)
    _write_sketcher(folder, Sketcher.fitted(some, rng), fitted_centroids(some, rng))
    tell("coding vectors")
    _append_codes(folder, dim, slice(0, rows))
    return _committed(folder, IndexState(rows, dim, fingerprint), seed)


def append_to_index(folder: str | Path, batches: Iterable[Floats], *, seed: int = 0) -> DiskIndex:
    """Add unit vectors to an index, behind those that it has, and open it.

    What was opened before goes on as it was. Recall is measured again where the index has grown by
    a quarter since. Raises QueryError as `build_index` does.
    """
    folder = Path(folder)
    state = read_state(folder)
    rows, dim = _append_vectors(folder, batches, state)
    _append_codes(folder, dim, slice(state.rows, rows))
    state = replace(state, rows=rows)
    if rows < _GROWTH * state.verified_rows:
        _write_state(folder, state)
        return DiskIndex(folder)
    return _committed(folder, state, seed)


def temporary_index(values: Floats) -> DiskIndex:
    """An index of vectors in memory, in a folder that goes with it: for trying it out."""
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype != np.float32 or not values.shape[1]:
        raise QueryError(
            f"an index takes float32 [rows, dim], not {values.dtype} {list(values.shape)}"
        )
    # Windows removes no file that is still mapped
    room = tempfile.TemporaryDirectory(prefix="musicu-index-", ignore_cleanup_errors=True)
    index = build_index(Path(room.name) / "index", [values])
    index.room = room  # removed with the index
    return index


def _committed(folder: Path, state: IndexState, seed: int) -> DiskIndex:
    """Measure an index, commit it with the margin that it needs, and open it."""
    _write_state(folder, replace(state, margin=_MARGINS[-1], reach=None))
    index = DiskIndex(folder)
    tell("measuring recall")
    measured = measured_state(index, np.random.default_rng(seed))
    _write_state(folder, measured)
    if measured.recall < RECALL:
        raise QueryError(
            f"the index in {folder} finds {measured.recall:.4f} of the {K} nearest, below "
            f"{RECALL}: its vectors do not suit its codes, so use the exact index"
        )
    return DiskIndex(folder)


def measured_state(index: DiskIndex, rng: np.random.Generator) -> IndexState:
    """The state of an index with the least margin that suffices, and the recall it then has.

    Half of the queries, rows of the index, choose the margin, the others say the recall.
    """
    rows = np.sort(rng.choice(len(index), min(len(index), 2 * _QUERIES), replace=False))
    rows = rng.permutation(rows)
    queries = index.vectors(rows)
    true = _nearest(index, queries, rows)
    halves = np.arange(len(rows)) % 2 == 0
    index.reach = _reach(index, queries, true, halves)
    measured = index.state
    for margin in _MARGINS:
        index.margin = margin
        shares = []
        for half in (halves, ~halves):
            places = np.flatnonzero(half)
            shares.append(_recall(index, queries, rows, true, places))
            if shares[0] < _AIM:
                break
        recall = shares[-1]
        measured = replace(
            index.state,
            margin=margin,
            reach=index.reach,
            recall=round(float(recall), 5),
            queries=int((~halves).sum()),
            verified_rows=len(index),
        )
        if shares[0] >= _AIM and recall >= RECALL:
            break
    return measured


def _reach(
    index: DiskIndex, queries: Floats, true: Hits, halves: NDArray[np.bool_]
) -> float | None:
    """How far the neighbours of half of the queries lie from their groups."""
    asked = halves[true.query]
    if len(index) < _LEAST_ROWS or not asked.any():
        return None
    floors = np.full(len(queries), np.inf, np.float32)
    np.minimum.at(floors, true.query, true.score)
    query, row = true.query[asked], true.row[asked]
    numbers = np.cumsum(halves) - 1  # of a query among its half
    return index.groups.reach(queries[halves], floors[halves], numbers[query], row)


def _recall(index: DiskIndex, queries: Floats, rows: Ints, true: Hits, places: Ints) -> float:
    """The share of true hits of some queries that the index finds."""
    if not len(places):
        return 1.0
    pairs: set[tuple[int, int]] = set()
    for place in places.tolist():  # one at a time: a search holds arrays of the rows that it keeps
        found = index.search(queries[place : place + 1], K, exclude=[int(rows[place])])
        pairs.update((place, row) for row in found.row.tolist())
    asked = np.isin(true.query, places)
    wanted = set(zip(true.query[asked].tolist(), true.row[asked].tolist(), strict=True))
    return len(wanted & pairs) / len(wanted) if wanted else 1.0


def _nearest(index: DiskIndex, queries: Floats, rows: Ints) -> Hits:
    """The true nearest rows of each query, without itself: all vectors are read once."""
    best = joined([])
    for start in range(0, len(index), _EXACT_ROWS):
        part = np.arange(start, min(start + _EXACT_ROWS, len(index)))
        own = [int(row) - start if start <= row <= part[-1] else None for row in rows]
        found = ExactIndex(index.vectors(part)).search(queries, K, exclude=own)
        found = Hits(found.query, found.row + start, found.score)
        best = joined([best, found]).best(np.full(len(queries), K))
    return best


def _append_vectors(folder: Path, batches: Iterable[Floats], state: IndexState) -> tuple[int, int]:
    """Write vectors behind the committed ones; returns how many there are then, and their length.

    What a killed run left behind the committed rows is cut off first.
    """
    path, rows, dim = folder / "vectors", state.rows, state.dim
    with plain_errors(path), path.open("ab") as file:
        file.truncate(rows * dim * 4)
        for batch in batches:
            values = np.ascontiguousarray(batch, np.dtype("<f4"))
            _check(values, dim)
            dim = values.shape[1]
            file.write(values.data)
            rows += len(values)
    if not rows:
        raise QueryError("there are no vectors to index")
    return rows, dim


def _check(values: Floats, dim: int) -> None:
    if values.ndim != 2 or not values.shape[1] or (dim and values.shape[1] != dim):
        raise QueryError(
            f"vectors have the shape {list(values.shape)}, the index wants [rows, {dim or 'dim'}]"
        )
    lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
    bad = np.flatnonzero(~(np.abs(lengths - 1) <= UNIT_TOLERANCE))
    if len(bad):
        raise QueryError(
            f"a vector has the length {lengths[bad[0]]:.6g}, not 1: divide each vector by its "
            "length before indexing"
        )


def _append_codes(folder: Path, dim: int, rows: slice) -> None:
    """Write the codes of some rows behind those of the rows before."""
    sketcher = read_sketcher(folder)
    words = dict(zip(("first", "rest", "second"), sketcher.words, strict=True))
    widths = {**words, "factors": 3, "groups": 1}
    centroids = read_centroids(folder)
    for name, width in widths.items():
        path = folder / name
        with plain_errors(path), path.open("ab") as file:
            file.truncate(rows.start * width * ROW_FILES[name].itemsize)
    for start in range(rows.start, rows.stop, _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, rows.stop))
        values = _vectors(folder, dim, part)
        coded = sketcher.codes(values)
        columns = {name: getattr(coded, name) for name in (*words, "factors")}
        columns["groups"] = group_of(values, centroids)
        for name, column in columns.items():
            path = folder / name
            with plain_errors(path), path.open("ab") as file:
                file.write(np.ascontiguousarray(column, ROW_FILES[name]).data)


def _vectors(folder: Path, dim: int, rows: slice) -> Floats:
    """Some rows of the vectors; they are read, as the pages of a map would stay resident."""
    path, count = folder / "vectors", (rows.stop - rows.start) * dim
    found: Floats = np.fromfile(path, np.dtype("<f4"), count, offset=rows.start * dim * 4)
    return found.reshape(-1, dim)


def _sampled(folder: Path, dim: int, rows: Ints) -> Floats:
    """Single rows of the vectors."""
    found = np.empty((len(rows), dim), np.dtype("<f4"))
    with (folder / "vectors").open("rb", buffering=0) as file:
        for place, row in enumerate(rows.tolist()):
            file.seek(row * dim * 4)
            file.readinto(found[place].data)
    return found


def _write_sketcher(folder: Path, sketcher: Sketcher, centroids: Floats) -> None:
    from safetensors.numpy import save_file

    held = {
        "centre": sketcher.centre,
        "rotation": sketcher.rotation,
        "spread": np.array(sketcher.spread, np.float64),
        "centroids": centroids,
    }
    write_atomically(folder / SKETCHER, lambda path: save_file(held, path))


def _write_state(folder: Path, state: IndexState) -> None:
    """Sync the rows, then say that they count."""
    for name in ROW_FILES:
        descriptor = os.open(folder / name, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    write_atomically(folder / STATE, lambda path: path.write_text(state.text(), encoding="utf-8"))
