"""What content says: items like those of a history, and items like those that are likely next.

An item that nobody has played is in no rule, session or regression. But its nearest played items
are, so it scores what they score, weighted by likeness, on the same scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.errors import QueryError
from musicu.items.item_table import Floats, Ints
from musicu.records import Vectors
from musicu.sequences.content_basis import common_weights, weighted_rows
from musicu.sequences.session_table import different_ids, faded
from musicu.sequences.sparse_rows import grown, weighted_sum

NEAREST = 50
_LIKELIEST = 300  # items whose neighbours get a part of their shares
_MOST = 10  # items of a history
_POWER = 3  # of the cosine
_SPARSE = 0.05  # share of entries that are not 0 up to which content is multiplied as sparse
_BLOCK = 512
_LARGEST = 1e12  # of content: its squares and their sums stay finite


@dataclass(frozen=True, slots=True)
class ContentSettings:
    """decay: of a history, for each step. weights: of sessions, alike and spread, of sum 1.

    An item without plays scores the share `alike` of alike and the rest of spread, times `level`.
    """

    decay: float = 0.8
    weights: Mapping[str, float] = field(default_factory=lambda: {"sessions": 1.0})
    alike: float = 0.5
    level: float = 1.0


@dataclass(frozen=True, eq=False)
class ContentNeighbours:
    """near: float32 [items, items], sparse: of each item (row) the nearest played items.

    Rows are weights of sum 1, or empty where an item has no content.
    """

    near: csr_matrix

    @classmethod
    def of(cls, vectors: Floats, played: NDArray[np.bool_], since: int = 0) -> ContentNeighbours:
        """Neighbours by cosine, of the items from `since` on.

        vectors: float32 [items, dim], 0 for unknown. played: bool [items].

        Raises QueryError where no played item has content.
        """
        unit = weighted_rows(vectors, common_weights(vectors))
        rows = np.flatnonzero(played & (unit.getnnz(axis=1) > 0))
        if not len(rows):
            raise QueryError("no item of the sessions has content: give vectors under their ids")
        if unit.nnz > _SPARSE * vectors.size:
            dense = unit.toarray().astype(np.float32)
            parts = [
                _nearest_rows(dense[a : a + _BLOCK] @ dense[rows].T, a, rows)
                for a in range(since, len(dense), _BLOCK)
            ]
        else:
            other = unit[rows].T.tocsr()
            parts = [
                _nearest_rows((unit[a : a + _BLOCK] @ other).toarray(), a, rows)
                for a in range(since, unit.shape[0], _BLOCK)
            ]
        item, near, weight = (np.concatenate(each) for each in zip(*parts, strict=True))
        return cls(csr_matrix((weight, (item, near)), shape=(len(vectors), len(vectors))))

    @cached_property
    def _to(self) -> csr_matrix:
        """From a played item to the items that it is a neighbour of."""
        return self.near.T.tocsr()

    def alike(self, history: Ints, decay: float) -> Floats:
        """Items like those of a history: float32 [items]."""
        return weighted_sum(self._to, *faded(history, decay, _MOST))

    def spread(self, shares: Floats) -> Floats:
        """Each item's neighbours' shares, the weighted mean: float32 [items]."""
        rows = np.arange(len(shares))
        if len(shares) > _LIKELIEST:
            rows = np.argpartition(-shares, _LIKELIEST)[:_LIKELIEST]
        rows = rows[shares[rows] > 0]
        return weighted_sum(self._to, rows, shares[rows].astype(np.float64))

    def stand_ins(self, history: Ints, played: NDArray[np.bool_]) -> Ints:
        """A history in which the nearest played item stands for each that nobody has played."""
        found = history.copy()
        for place in np.flatnonzero(~played[history]).tolist():
            row = slice(*self.near.indptr[history[place] : history[place] + 2])
            if row.stop > row.start:
                found[place] = self.near.indices[row][self.near.data[row].argmax()]
        known: Ints = found[played[found]]
        return known

    def grown(self, items: int) -> ContentNeighbours:
        """With items at the end of which nothing is known."""
        return ContentNeighbours(grown(self.near, items))


def content_table(content: Any) -> tuple[list[Any], Floats]:
    """Content as ids and float32 [items, dim].

    content: `Vectors`, ids and vectors in either order, or vectors by id. Raises QueryError for
    other things.
    """
    if isinstance(content, Vectors):
        content = content.ids, content.values
    if isinstance(content, Mapping):
        content = list(content), _rows(list(content.values()))
    if not isinstance(content, Sequence) or isinstance(content, str) or len(content) != 2:
        raise QueryError("content is not (ids, vectors): give both, or a mapping of ids to vectors")
    first, second = content
    ids, vectors = (second, first) if np.ndim(first) == 2 else (first, second)
    vectors = _rows(vectors)
    if vectors.ndim != 2 or len(ids) != len(vectors) or not np.isfinite(vectors).all():
        raise QueryError(
            f"content has {len(ids):,} ids and vectors of shape {vectors.shape}: give one row of "
            "finite numbers an id"
        )
    names = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if twice := len(names) - len(different_ids([names])):
        raise QueryError(f"{twice:,} ids of the content are there twice: give each id one vector")
    if np.abs(vectors).max(initial=0) > _LARGEST:
        raise QueryError(f"content has numbers above {_LARGEST:g}: scale its vectors down")
    return names, vectors


def _rows(vectors: Any) -> Floats:
    try:
        return np.asarray(vectors, np.float32)
    except (TypeError, ValueError):
        raise QueryError("the content's vectors are not numbers, or not of one length") from None


def _nearest_rows(cosines: Floats, first: int, rows: Ints) -> tuple[Ints, Ints, Floats]:
    """Of a block of items from `first` on: item, neighbour and weight, an entry each."""
    block = np.arange(first, first + len(cosines))
    column = np.searchsorted(rows, block)
    own = (
        np.flatnonzero(rows[np.minimum(column, len(rows) - 1)] == block) if len(rows) else block[:0]
    )
    cosines[own, column[own]] = 0
    most = min(NEAREST, cosines.shape[1])
    best = (
        np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        if most
        else np.empty((len(block), 0), np.int64)
    )
    weight = np.maximum(np.take_along_axis(cosines, best, 1), 0) ** _POWER
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    kept = weight.ravel() > 0
    item = np.repeat(block, most)[kept]
    return item, rows[best.ravel()[kept]], weight.ravel()[kept].astype(np.float32)
