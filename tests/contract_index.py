"""What every index keeps: inherit `IndexContract` and say its `name`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from musicu.errors import QueryError
from musicu.retrieval.indexes import INDEXES


class IndexContract:
    name: str
    dim = 12

    @pytest.fixture
    def values(self) -> Any:
        values = np.random.default_rng(0).standard_normal((300, self.dim)).astype(np.float32)
        return values / np.linalg.norm(values, axis=1, keepdims=True)

    @pytest.fixture
    def index(self, values: Any) -> Any:
        return INDEXES.make(self.name, values)

    def test_hits_are_the_cosines_best_first(self, index: Any, values: Any) -> None:
        hits = index.search(3 * values[:5], 20)
        assert len(index) == len(values)
        assert np.all(np.bincount(hits.query, minlength=5) <= 20)
        cosines = np.einsum("ij,ij->i", values[hits.query], values[hits.row])
        np.testing.assert_allclose(hits.score, cosines, atol=1e-5)
        for query in range(5):
            own = hits.of(query)
            assert len(set(own.row.tolist())) == len(own)
            assert np.all(np.diff(own.score) <= 0)

    def test_only_allowed_rows_are_found(self, index: Any, values: Any) -> None:
        allowed = np.array([250, 3, 17, 4])
        hits = index.search(values[3:5], 20, rows=allowed, exclude=[3, None])
        assert set(hits.row.tolist()) <= set(allowed.tolist())
        assert 3 not in hits.of(0).row
        assert len(index.search(values[:2], 5, rows=allowed[:0])) == 0

    def test_each_query_has_its_own_number_of_hits(self, index: Any, values: Any) -> None:
        hits = index.search(values[:2], np.array([1, 7]))
        assert np.all(np.bincount(hits.query, minlength=2) <= [1, 7])

    def test_a_batch_finds_what_single_queries_find(self, index: Any, values: Any) -> None:
        batch = index.search(values[:4], 9)
        for query in range(4):
            single = index.search(values[query], 9)
            assert single.row.tolist() == batch.of(query).row.tolist()

    def test_queries_of_another_dimension_are_refused(self, index: Any) -> None:
        with pytest.raises(QueryError):
            index.search(np.ones((1, self.dim + 1), np.float32), 3)
