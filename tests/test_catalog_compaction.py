"""A table's final form depends on what it holds, and little of it is rewritten."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from musicu.catalog import compaction
from musicu.catalog.compaction import Fix, compact, rows_by_key
from musicu.catalog.rows import latest
from musicu.catalog.store import Change, Store


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MIN_ROWS", 40)
    monkeypatch.setattr(compaction, "MAX_ROWS", 90)
    monkeypatch.setattr(compaction, "_LAST", "0")
    monkeypatch.setattr(compaction, "FAN_IN", 3)


def key(i: int) -> str:
    return hashlib.blake2b(str(i).encode()).hexdigest()[:16]


def rows(ids: Sequence[int], version: int = 0) -> pa.Table:
    columns = {"k": [key(i) for i in ids], "v": [version] * len(ids), "l": [[i] for i in ids]}
    return latest(pa.table(columns), "k")


def store(folder: Path, *parts: pa.Table) -> Store:
    made = Store.create(folder)
    for part in parts:
        made.commit([Change("descriptors/x", part)])
    compact(made, "descriptors/x", "k")
    return made


def contents(made: Store) -> list[bytes]:
    return [(made.folder / name).read_bytes() for name in made.manifest.tables["descriptors/x"]]


@pytest.mark.parametrize("seed", range(4))
def test_the_files_do_not_tell_how_the_rows_came(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    ids = rng.sample(range(10_000), rng.choice([5, 300, 900]))
    other = Store.create(tmp_path / "pieces")
    for _ in range(rng.choice([2, 12])):
        chosen = rng.sample(ids, rng.randint(1, len(ids)))
        other.commit([Change("descriptors/x", rows(chosen, rng.randint(1, 9)))])
        if rng.random() < 0.4:
            compact(other, "descriptors/x", "k")
    other.commit([Change("descriptors/x", rows(ids))])  # what is written last counts
    compact(other, "descriptors/x", "k")
    assert contents(other) == contents(store(tmp_path / "whole", rows(ids)))
    assert other.files("descriptors/x")[1] == []


def test_one_row_more_touches_one_file_or_two(tmp_path: Path) -> None:
    made = store(tmp_path / "c", rows(range(1500)))
    before = made.files("descriptors/x")[0]
    made.commit([Change("descriptors/x", rows([7777]))])
    compact(made, "descriptors/x", "k")
    assert len(before) > 12
    assert len(set(made.files("descriptors/x")[0]) - set(before)) <= 2
    assert contents(made) == contents(store(tmp_path / "d", rows([*range(1500), 7777])))


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    made = store(tmp_path / "c", rows(range(200)))
    written = made.manifest.sequence
    compact(made, "descriptors/x", "k", Fix(["v"], lambda table: table))
    assert made.manifest.sequence == written


def test_a_fix_that_drops_rows_leaves_the_form_of_what_is_left(tmp_path: Path) -> None:
    made = store(tmp_path / "c", rows(range(800)))
    gone = pa.array([key(i) for i in range(0, 800, 7)])
    fix = Fix(["k"], lambda table: table.filter(pc.invert(pc.is_in(table["k"], gone))))
    compact(made, "descriptors/x", "k", fix)
    left = store(tmp_path / "d", rows([i for i in range(800) if i % 7]))
    assert contents(made) == contents(left)


def test_rows_come_by_key_whether_compacted_or_not(tmp_path: Path) -> None:
    made = store(tmp_path / "c", rows(range(300)))
    made.commit([Change("descriptors/x", rows(range(250, 350), 2))])
    seen = pa.concat_tables(list(rows_by_key(made, "descriptors/x", "k", ["k", "v"])))
    assert seen["k"].to_pylist() == sorted(key(i) for i in range(350))
    assert sum(seen["v"].to_pylist()) == 2 * 100


def test_columns_that_came_later_are_null_before(tmp_path: Path) -> None:
    later = rows(range(30, 60)).append_column("w", pa.array([1] * 30, pa.int16()))
    made = store(tmp_path / "c", rows(range(30)), later)
    table = made.read("descriptors/x")
    assert table is not None
    assert table["w"].null_count == 30
    assert table.num_rows == 60


def test_pieces_of_no_order_are_sorted(tmp_path: Path) -> None:
    shuffled = rows(range(100)).take(random.Random(0).sample(range(100), 100))
    made = store(tmp_path / "c", shuffled)
    assert contents(made) == contents(store(tmp_path / "d", rows(range(100))))
