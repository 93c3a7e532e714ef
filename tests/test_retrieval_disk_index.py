from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from contract_index import IndexContract
from numpy.typing import NDArray

import musicu.retrieval.disk_index as index_module
import musicu.retrieval.disk_index_build as build_module
import musicu.retrieval.sketches as sketches
from musicu import scan
from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.retrieval import (
    DiskIndex,
    ExactIndex,
    append_to_index,
    build_index,
    open_index,
    update_index,
)
from musicu.retrieval.sketches import Sketcher, counted_bits

Floats = NDArray[np.float32]


class TestDiskIndex(IndexContract):
    name = "disk"


@pytest.fixture(scope="module", autouse=True)
def few_queries() -> Iterator[None]:
    """Building measures its recall with fewer queries."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build_module, "_QUERIES", 16)
        yield


@pytest.fixture(scope="module")
def values() -> Floats:
    """Eight thousand vectors in groups, of which some are near to each other."""
    rng = np.random.default_rng(1)
    groups = rng.standard_normal((400, 96)) + 0.5
    made = groups[rng.integers(0, 400, 8_000)] + 0.8 * rng.standard_normal((8_000, 96))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def built(values: Floats, tmp_path_factory: pytest.TempPathFactory) -> DiskIndex:
    folder = tmp_path_factory.mktemp("index") / "built"
    return build_index(folder, np.array_split(values, 7), fingerprint="abc")


@pytest.fixture(autouse=True)
def codes_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small indexes go through their codes too."""
    monkeypatch.setattr(index_module, "_FEW", 64)
    monkeypatch.setattr(index_module, "_SPAN", 1500)


def share_found(index: DiskIndex, values: Floats, rows: Any, k: int = 50) -> float:
    queries = values[::200]
    exact = ExactIndex(values).search(queries, k, rows=rows)
    found = index.search(queries, k, rows=rows)
    pairs = set(zip(found.query.tolist(), found.row.tolist(), strict=True))
    wanted = set(zip(exact.query.tolist(), exact.row.tolist(), strict=True))
    score = dict(zip(zip(exact.query, exact.row, strict=True), exact.score, strict=True))
    told = dict(zip(zip(found.query, found.row, strict=True), found.score, strict=True))
    assert all(score[pair] == told[pair] for pair in score.keys() & told.keys())
    return len(pairs & wanted) / len(wanted)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.05, 0.004])
def test_recall_is_as_promised_under_any_filter(
    built: DiskIndex, values: Floats, share: float
) -> None:
    assert built.state.recall >= 0.99
    rng = np.random.default_rng(2)
    rows = None if share == 1 else np.flatnonzero(rng.random(len(values)) < share)
    assert share_found(built, values, rows) >= 0.99


def test_codes_spare_most_rows(
    built: DiskIndex, values: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    plain = DiskIndex.vectors
    monkeypatch.setattr(DiskIndex, "vectors", lambda s, r: read.append(len(r)) or plain(s, r))
    built.search(values[5], 20)
    assert sum(read) < 0.1 * len(values)


def test_what_spans_find_spares_the_later_ones_rows(
    built: DiskIndex, values: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighed: list[int] = []
    plain = DiskIndex.bounds

    def bounds(self: DiskIndex, query: Any, code: int, span: slice, rows: Any, *more: Any) -> Any:
        weighed.append(len(rows) if code == 0 else 0)
        return plain(self, query, code, span, rows, *more)

    monkeypatch.setattr(index_module, "_SPAN", 256)
    monkeypatch.setattr(DiskIndex, "bounds", bounds)
    monkeypatch.setattr(built, "_most", {})
    built.search(values[5], 20)
    in_stages = sum(weighed)
    monkeypatch.setattr(index_module, "_STAGE", len(values))
    built.search(values[5], 20)
    assert in_stages < sum(weighed) - in_stages


def test_recall_is_measured_by_one_search_at_a_time(
    values: Floats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    plain = DiskIndex.search

    def search(self: DiskIndex, queries: Floats, *given: Any, **more: Any) -> Any:
        asked.append(len(queries))
        return plain(self, queries, *given, **more)

    monkeypatch.setattr(DiskIndex, "search", search)
    build_index(tmp_path / "index", [values])
    assert set(asked) == {1}


def test_measured_recall_is_told_and_not_hoped_for(
    built: DiskIndex, values: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built, "margin", -3.0)
    assert share_found(built, values, None) < 0.99
    monkeypatch.setattr(build_module, "_MARGINS", (-3.0,))
    with pytest.raises(QueryError, match=r"finds 0\.\d+ of the 100 nearest, below 0\.99"):
        build_module._committed(built.folder, built.state, 0)
    monkeypatch.undo()
    build_module._write_state(built.folder, built.state)


def test_appended_vectors_are_found(values: Floats, tmp_path: Path) -> None:
    build_index(tmp_path / "index", [values[:6_000]])
    index = append_to_index(tmp_path / "index", [values[6_000:7_000], values[7_000:]])
    assert len(index) == len(values)
    assert index.state.verified_rows == len(values)  # grown by a third
    assert share_found(index, values, None) >= 0.99
    assert index.search(values[7_999], 1).row.tolist() == [7_999]


def test_what_a_killed_run_wrote_does_not_count(values: Floats, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build_index(folder, [values[:3000]])
    with pytest.raises(RuntimeError):
        append_to_index(folder, killed(values[3000:3500]))
    with (folder / "first").open("ab") as file:
        file.write(b"half of a row")
    assert len(DiskIndex(folder)) == 3000
    index = append_to_index(folder, [values[6000:7000]])
    assert len(index) == 4000
    assert index.search(values[6500], 1).row.tolist() == [3500]


def killed(batch: Floats) -> Any:
    yield batch
    raise RuntimeError


def test_counted_bits_are_a_product() -> None:
    rng = np.random.default_rng(3)
    for width in (2, 4, 6):
        bits = rng.random((300, 64 * width)) < 0.5
        bits[0], bits[1] = True, False
        query = rng.integers(-4, 4, 64 * width)
        query[:] = -4 if width == 4 else query
        planes = np.stack([sketches._words(((query & 7) >> n & 1)[None] > 0)[0] for n in range(3)])
        found = counted_bits(sketches._words(bits), planes)
        np.testing.assert_array_equal(found, bits @ query)


def test_old_numpy_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.random.default_rng(4).integers(0, 1 << 63, 50, np.uint64)
    found, wanted = np.empty(50, np.uint8), [int(word).bit_count() for word in words]
    sketches._count_by_table(words, found)
    assert found.tolist() == wanted
    sketches._count(words, found)
    assert found.tolist() == wanted


def test_estimates_are_right_on_average(values: Floats) -> None:
    """Errors of each code have the mean 0 and the deviation that is told."""
    sketcher = Sketcher.fitted(values[:4000], np.random.default_rng(0))
    coded = sketcher.codes(values[:4000])
    rng = np.random.default_rng(5)
    errors: list[list[Floats]] = [[], [], []]
    for _ in range(20):
        unit = rng.standard_normal(96)
        unit /= np.linalg.norm(unit)
        query = sketcher.query(unit)
        half = sketcher.words[0]
        first = counted_bits(coded.first, query.planes[:, :half]).astype(float)
        both = first + counted_bits(coded.rest, query.planes[:, half:])
        second = counted_bits(coded.second, query.planes)
        sums = [
            2 * query.step * first - query.sums[0],
            2 * query.step * both - query.sums[1],
            query.step * (2 * both + second) - 1.5 * query.sums[1],
        ]
        for code, told in enumerate(sums):
            wrong = told * coded.factors[:, code] + query.base - values[:4000] @ unit
            errors[code].append(
                wrong / (coded.factors[:, code].astype(float) * sketcher.deviation(query, code))
            )
    for code in range(3):
        whole = np.concatenate(errors[code])
        assert abs(whole.mean()) < 0.2
        assert 0.6 < whole.std() < 1.2


def test_wrong_vectors_are_refused(values: Floats, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="no vectors"):
        build_index(tmp_path / "none", [])
    with pytest.raises(QueryError, match="divide each vector by its"):
        build_index(tmp_path / "long", [2 * values[:9]])
    build_index(tmp_path / "index", [values[:9]])
    with pytest.raises(QueryError, match="not empty"):
        build_index(tmp_path / "index", [values[:9]])
    with pytest.raises(QueryError, match=r"wants \[rows, 96\]"):
        append_to_index(tmp_path / "index", [values[:9, :5]])
    with pytest.raises(QueryError, match="has no index"):
        DiskIndex(tmp_path / "nothing")


def test_far_groups_are_left_out_where_vectors_have_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "_LEAST_ROWS", 1)
    monkeypatch.setattr(index_module, "_SPAN", 2048)
    monkeypatch.setattr(index_module, "_FEW", 64)
    rng = np.random.default_rng(2)
    noise = rng.standard_normal((12_000, 64)).astype(np.float32)
    styles = 2 * rng.standard_normal((20, 64)).astype(np.float32)
    grouped = noise + styles[rng.integers(0, 20, len(noise))]
    read: list[int] = []
    counted = index_module.counted_bits
    monkeypatch.setattr(
        index_module, "counted_bits", lambda w, p: (read.append(len(w)), counted(w, p))[1]
    )
    for name, some, uses in (("noise", noise, False), ("grouped", grouped, True)):
        unit = some / np.linalg.norm(some, axis=1, keepdims=True)
        index = build_index(tmp_path / name, [unit[:9000]])
        index = append_to_index(tmp_path / name, [unit[9000:]])
        assert (index.state.reach is not None) == uses
        assert index.state.recall >= 0.99
        exact, queries = ExactIndex(unit), unit[::600]
        for rows in (None, np.arange(0, len(unit), 2), np.arange(0, len(unit), 20)):
            read.clear()
            found = index.search(queries, 50, rows=rows)
            assert (sum(read) < 0.6 * len(queries) * len(unit)) == uses or rows is not None
            true = exact.search(queries, 50, rows=rows)
            pairs = [set(zip(h.query.tolist(), h.row.tolist(), strict=True)) for h in (found, true)]
            assert len(pairs[0] & pairs[1]) >= 0.98 * len(pairs[1])


def test_a_newer_or_damaged_index_is_refused(values: Floats, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build_index(folder, [values[:9]])
    told = (folder / "index.json").read_text()
    (folder / "index.json").write_text(told.replace('"format": 2', '"format": 3'))
    with pytest.raises(QueryError, match="pip install --upgrade musicu"):
        DiskIndex(folder)
    (folder / "index.json").write_text(told.replace('"format": 2', '"format": 1'))
    with pytest.raises(QueryError, match="build the index anew"):
        DiskIndex(folder)
    (folder / "index.json").write_text("{")
    with pytest.raises(QueryError, match="build it anew"):
        DiskIndex(folder)
    (folder / "index.json").write_text(told)
    (folder / "second").write_bytes(b"")
    with pytest.raises(QueryError, match="second is damaged"):
        DiskIndex(folder)


@pytest.fixture
def add(tmp_path: Path, values: Floats, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Catalog]:
    """Scan a table of the first tracks into one catalog, and add their vectors.

    Its index is so small that every row is scored, so answers are the exact ones.
    """
    monkeypatch.setattr(index_module, "_FEW", 4096)

    def scanned(count: int, version: str = "1", turn: int = 0) -> Catalog:
        ids = [f"{(n * 7919) % 10_007:05d}" for n in range(count)]
        table = {"track_id": ids, "title": [f"Song {n}" for n in range(count)],
                 "genre": ["jazz" if n % 3 else "folk" for n in range(count)]}  # fmt: skip
        scan(pa.table(table), tmp_path / "catalog")
        matrix = np.roll(values[:count], turn, axis=1)
        catalog = Catalog.open(tmp_path / "catalog")
        catalog.add_vectors("mine", ids, matrix, version=version, replace=version != "1")
        return Catalog.open(tmp_path / "catalog")

    return scanned


def answers(catalog: Catalog, index: str, **options: Any) -> list[dict[str, Any]]:
    seeds = catalog.tracks()["track_id"].to_pylist()[:5]
    rows: list[dict[str, Any]] = catalog.similar(seeds, k=7, index=index, **options).to_pylist()
    return rows


def test_a_catalogs_index_answers_as_the_exact_one(add: Callable[..., Catalog]) -> None:
    catalog = add(900)
    with pytest.raises(QueryError, match="musicu index"):
        catalog.similar("00000", index="disk")
    index = update_index(catalog)
    assert (len(index), index.index.state.recall) == (900, 1.0)
    assert answers(catalog, "disk") == answers(catalog, "exact")
    wanted = {"where": "genres = folk"}
    assert answers(catalog, "disk", **wanted) == answers(catalog, "exact", **wanted)


def test_a_catalogs_index_follows_the_catalog(add: Callable[..., Catalog]) -> None:
    update_index(add(600))
    catalog = add(900)
    with pytest.raises(QueryError, match="has changed since"):
        open_index(catalog)
    index = update_index(catalog)
    assert len(index) == len(index.index) == 900
    assert index.ids.tolist() == catalog.vectors().ids.tolist()
    np.testing.assert_array_equal(index.vectors(np.arange(900)), catalog.vectors().values)
    assert answers(catalog, "disk") == answers(catalog, "exact")


def test_another_training_builds_the_index_anew(add: Callable[..., Catalog]) -> None:
    update_index(add(600))
    catalog = add(600, version="2", turn=5)
    with pytest.raises(QueryError, match="has changed since"):
        open_index(catalog)
    index = update_index(catalog)
    assert len(index.index) == 600
    assert index.index.state.fingerprint == catalog.model_entry("mine")[1].fingerprint
    assert answers(catalog, "disk") == answers(catalog, "exact")


def test_the_command_prints_the_recall(add: Callable[..., Catalog], tmp_path: Path) -> None:
    add(300)
    done = CliRunner().invoke(app, ["index", str(tmp_path / "catalog")])
    assert done.exit_code == 0, done.output
    assert "recall@100 1.0000 of 16 queries" in done.output
    again = CliRunner().invoke(app, ["index", str(tmp_path / "catalog"), "-o", str(tmp_path / "i")])
    assert again.exit_code == 0, again.output
    assert open_index(Catalog.open(tmp_path / "catalog"), folder=tmp_path / "i").ids[0] == "00000"
