from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from contract_index import IndexContract
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import musicu.retrieval.exact_index as index_module
import musicu.retrieval.int8 as int8_module
from musicu.errors import QueryError
from musicu.retrieval import ExactIndex, Hits
from musicu.retrieval.hits import undecided

Floats = NDArray[np.float32]


class TestExactIndex(IndexContract):
    name = "exact"


def unit(rng: np.random.Generator, rows: int, dim: int, *, coarse: bool = False) -> Floats:
    """Unit rows; coarse ones repeat often, so that scores tie and nearly tie."""
    values = rng.integers(-1, 2, (rows, dim)) if coarse else rng.standard_normal((rows, dim))
    values = values.astype(np.float64)
    values[~values.any(axis=1), 0] = 1
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def plain(
    values: Floats,
    queries: Floats,
    k: int,
    rows: NDArray[np.int64] | None,
    exclude: list[int | None] | None,
) -> list[tuple[int, int, np.float32]]:
    """The definition, one row at a time, in plain Python sorting."""
    found = []
    for number, query in enumerate(queries.astype(np.float64)):
        direction = query / np.sqrt((query * query).sum())
        allowed = range(len(values)) if rows is None else sorted(set(rows.tolist()))
        scored = [
            (
                -np.float32(np.einsum("ij,ij->i", values[[row]].astype(float), direction[None])[0]),
                row,
            )
            for row in allowed
            if exclude is None or row != exclude[number]
        ]
        found += [(number, row, -score) for score, row in sorted(scored)[:k]]
    return found


def listed(hits: Hits) -> list[tuple[int, int, np.float32]]:
    return list(zip(hits.query.tolist(), hits.row.tolist(), hits.score, strict=True))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 60),
    dim=st.integers(1, 40),
    asked=st.integers(0, 5),
    k=st.integers(1, 70),
    coarse=st.booleans(),
    filtered=st.booleans(),
    excluding=st.booleans(),
    block=st.sampled_from([3, 16, 4096]),
    packed=st.booleans(),
)
def test_hits_are_those_of_the_plain_definition_bit_for_bit(
    seed: int,
    count: int,
    dim: int,
    asked: int,
    k: int,
    coarse: bool,
    filtered: bool,
    excluding: bool,
    block: int,
    packed: bool,
) -> None:
    rng = np.random.default_rng(seed)
    values = unit(rng, count, dim, coarse=coarse)
    queries = unit(rng, asked, dim, coarse=coarse)
    rows = rng.integers(0, count, rng.integers(0, 2 * count)) if filtered and count else None
    exclude: list[int | None] | None = None
    if excluding and count:
        exclude = [None if rng.random() < 0.3 else int(rng.integers(count)) for _ in queries]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_module, "_GATHERED_ROWS", block)
        patch.setattr(int8_module, "BLOCK_ROWS", block)
        patch.setattr(index_module, "_BLOCK_SCORES", 64 * block)
        index = ExactIndex(values)
        if packed:
            index.prepare()
        hits = index.search(queries, k, rows=rows, exclude=exclude)
        near = index.ranked(queries, k)
    assert listed(hits) == plain(values, queries, k, rows, exclude)
    assert listed(index.scored(queries, near)) == plain(values, queries, k, None, None)
    np.testing.assert_allclose(near.score, index.scored(queries, near).score, atol=1e-5)


@pytest.mark.parametrize("dim", [7, 256])
def test_batch_equals_single_bit_for_bit(dim: int) -> None:
    rng = np.random.default_rng(5)
    index = ExactIndex(unit(rng, 9_000, dim))
    index.prepare()  # a single query is then proposed by bytes, a batch by float32
    queries = unit(rng, 33, dim)
    rows = np.flatnonzero(rng.random(9_000) < 0.2)
    for allowed in (None, rows):
        batch = index.search(queries, 50, rows=allowed)
        for number, query in enumerate(queries):
            single = index.search(query, 50, rows=allowed)
            part = batch.of(number)
            assert single.row.tolist() == part.row.tolist()
            assert single.score.tobytes() == part.score.tobytes()


def test_a_query_finds_the_same_whatever_was_asked_before() -> None:
    rng = np.random.default_rng(6)
    values = unit(rng, 9_000, 32)
    half, thirds = np.arange(0, 9_000, 2), np.arange(0, 9_000, 3)
    asked = [(n, rows) for n in (0, 0, 1, 0) for rows in (half, None, thirds, half)]
    queries, used = unit(rng, 2, 32), ExactIndex(values)
    used.prepare()
    for number, rows in asked:
        fresh = ExactIndex(values)
        fresh.prepare()
        expected = fresh.search(queries[number], 50, rows=rows)
        assert listed(used.search(queries[number], 50, rows=rows)) == listed(expected)


@pytest.mark.parametrize("dim", [1, 2, 33, 300, 4096])
@pytest.mark.parametrize("spiky", [False, True])
def test_no_score_exceeds_what_its_bytes_say(dim: int, spiky: bool) -> None:
    rng = np.random.default_rng(dim)
    values = rng.standard_normal((500, dim)) ** (9 if spiky else 1)
    values = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    units = np.concatenate([values[:20], -values[20:30]]).astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    bounds = int8_module.Int8Rows(values).bounds(int8_module.Int8Queries(units), 0)
    scores = units @ values.astype(np.float64).T
    assert np.all(bounds >= scores)
    assert np.all(bounds - scores < 0.1)  # and they say something


def test_large_index_packs_itself_when_it_is_asked_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_WORTH_PACKING", 1)
    rng = np.random.default_rng(3)
    values, packings = unit(rng, 300, 16), []
    monkeypatch.setattr(
        index_module, "Int8Rows", lambda v: packings.append(len(v)) or int8_module.Int8Rows(v)
    )
    index = ExactIndex(values)
    few = [listed(index.search(values[:1], 9)) for _ in range(index_module._OFTEN - 1)]
    assert packings == []
    more = [listed(index.search(values[:1], 9)) for _ in range(2)]
    assert packings == [300]
    assert all(hits == few[0] for hits in few + more)


def test_near_ties_that_float32_cannot_tell_apart_are_ordered_by_the_true_score() -> None:
    rng = np.random.default_rng(6)
    base = unit(rng, 1, 512)
    values = base + rng.normal(0, 1e-7, (5_000, 512)).astype(np.float32)
    values = (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)
    values[7::100] = base
    index = ExactIndex(values)
    expected = plain(values, base, 60, None, None)
    assert listed(index.search(base, 60)) == expected
    assert listed(index.scored(base, index.ranked(base, 60))) == expected


def test_only_scores_that_could_change_places_are_undecided() -> None:
    query = np.array([0, 0, 0, 0, 1, 1, 1])
    score = np.array([0.9, 0.8, 0.75, 0.1, 0.6, 0.5, 0.45], np.float32)
    hits = Hits(query, np.arange(7), score)
    places, group = undecided(hits, np.float32(0.03))
    assert places.tolist() == [1, 2, 5, 6]
    assert group[0] == group[1] != group[2] == group[3]
    assert undecided(hits.take(np.arange(0)), np.float32(1))[0].tolist() == []


def test_equal_rows_come_in_row_order() -> None:
    values = np.repeat(unit(np.random.default_rng(7), 1, 16), 20_000, axis=0)
    hits = ExactIndex(values).search(values[:2], 5, exclude=[0, 3])
    assert hits.row.tolist() == [1, 2, 3, 4, 5, 0, 1, 2, 4, 5]
    assert hits.rank().tolist() == [1, 2, 3, 4, 5] * 2


def test_memory_map_is_read_in_place_and_gives_the_same_hits(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    values, query = unit(rng, 5_000, 32), unit(rng, 3, 32)
    np.save(tmp_path / "v.npy", values)
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    index = ExactIndex(mapped)
    assert np.shares_memory(index.values, mapped)
    assert listed(index.search(query, 9)) == listed(ExactIndex(values).search(query, 9))


def test_column_order_and_strides_change_no_bit() -> None:
    rng = np.random.default_rng(9)
    values, query = unit(rng, 600, 24), unit(rng, 2, 24)
    expected = listed(ExactIndex(values).search(query, 9))
    assert listed(ExactIndex(np.asfortranarray(values)).search(query, 9)) == expected
    assert listed(ExactIndex(values.repeat(2, axis=0)[::2]).search(query, 9)) == expected


def test_length_of_a_query_does_not_matter() -> None:
    rng = np.random.default_rng(10)
    index, query = ExactIndex(unit(rng, 50, 8)), unit(rng, 1, 8)
    for factor in (2.0**-100, 2.0**100):
        scaled = index.search(query * np.float32(factor), 50)
        assert listed(scaled) == listed(index.search(query, 50))


def test_nothing_allowed_gives_no_hits_and_none_are_padded() -> None:
    index = ExactIndex(unit(np.random.default_rng(0), 4, 3))
    query = np.array([[1.0, 0, 0], [0, 1, 0]], np.float32)
    assert len(index.search(query, 3, rows=np.array([], np.int64))) == 0
    assert index.search(query, 3, rows=np.array([2]), exclude=[2, None]).query.tolist() == [1]
    assert len(ExactIndex(np.empty((0, 3), np.float32)).search(query, 3)) == 0
    assert len(index.search(np.empty((0, 3), np.float32), 3)) == 0


@pytest.mark.parametrize(
    ("query", "k", "options", "message"),
    [
        ([np.nan, 0, 0], 1, {}, "query 0 has the length nan"),
        ([0, 0, 0], 1, {}, "query 0 has the length 0"),
        ([1, 0], 1, {}, r"shape \[2\].*\[queries, 3\]"),
        ([1, 0, 0], 0, {}, "k is 0"),
        ([1, 0, 0], 1, {"rows": np.array([4])}, "row 4 is not among the 4 rows"),
        ([1, 0, 0], 1, {"rows": np.array([-1, 2])}, "row -1 is not among"),
        ([1, 0, 0], 1, {"rows": np.array([True] * 4)}, "rows are int64"),
        ([1, 0, 0], 1, {"exclude": [9]}, "row 9 is not among"),
        ([1, 0, 0], 1, {"exclude": [1, 2]}, "exclude has 2 rows for 1 queries"),
    ],
)
def test_question_without_an_answer_is_refused(
    query: list[float], k: int, options: dict[str, object], message: str
) -> None:
    index = ExactIndex(unit(np.random.default_rng(0), 4, 3))
    with pytest.raises(QueryError, match=message):
        index.search(np.array(query, np.float32), k, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 2), np.float32), "row 0 has the length 1.41421"),
        (np.array([[1, 0], [np.nan, 0]], np.float32), "row 1 has the length nan"),
        (np.eye(3), "takes float32"),
        (np.ones(3, np.float32), "takes float32"),
    ],
)
def test_rows_that_are_not_unit_float32_are_refused(values: Floats, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        ExactIndex(values)


def test_product_that_ships_is_the_one_that_onnx_writes() -> None:
    onnx = pytest.importorskip("onnx", reason="the extra of training")
    helper, kinds = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b", "z"], ["y"])],
        "product",
        [helper.make_tensor_value_info("a", kinds.UINT8, ["n", "dim"])],
        [helper.make_tensor_value_info("y", kinds.INT32, ["n", "rows"])],
        [helper.make_tensor("z", kinds.UINT8, [], [64])],
    )
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    assert (Path(int8_module.__file__).parent / "int8_product.onnx").read_bytes() == (
        model.SerializeToString()
    )
    weights = np.arange(-6, 6, dtype=np.int8).reshape(3, 4)
    whole = onnx.load_from_string(int8_module._product_of(weights))
    onnx.checker.check_model(whole, full_check=True)
    held = {t.name: onnx.numpy_helper.to_array(t) for t in whole.graph.initializer}
    np.testing.assert_array_equal(held["b"], weights)
