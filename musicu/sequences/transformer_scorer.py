"""A trained transformer as a scorer: ONNX Runtime reads the history, NumPy scores the items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from musicu.items.item_table import Floats, Ints
from musicu.sequences.content_basis import ContentBasis


@dataclass(frozen=True, eq=False)
class TransformerScorer:
    """vectors: float32 [items, dim], 0 where nothing is known of an item. graph: ONNX, from the
    vectors of a history to its state. length: items of a history that are read, the latest.
    basis, projection: from content to vectors, float32 [numbers, dim]; None without content.
    """

    vectors: Floats
    graph: bytes
    length: int
    basis: ContentBasis | None = None
    projection: Floats | None = None

    def scores(self, history: Ints) -> Floats:
        """The probability of each item to be the next: float32 [items], 0 without a history."""
        known = history[self._known[history]][-self.length :]
        if not len(known):
            return np.zeros(len(self.vectors), np.float32)
        (state,) = self._session.run(None, {"items": self.vectors[known]})
        found: Floats = self.vectors @ state
        found = np.exp(found - found.max())
        found[~self._known] = 0
        shares: Floats = found / found.sum()
        return shares

    def grown(self, items: int) -> TransformerScorer:
        """With items at the end of which nothing is known."""
        more = items - len(self.vectors)
        return replace(self, vectors=np.pad(self.vectors, ((0, more), (0, 0))))

    def extended(self, content: Floats) -> TransformerScorer:
        """With items at the end that their content places: float32 [new items, content dim]."""
        if self.basis is None or self.projection is None:
            return self.grown(len(self.vectors) + len(content))
        new = self.basis(content) @ self.projection
        return replace(self, vectors=np.concatenate([self.vectors, new.astype(np.float32)]))

    @cached_property
    def _known(self) -> Any:
        return self.vectors.any(axis=1)

    @cached_property
    def _session(self) -> Any:
        from musicu.embeddings.onnx_session import open_graph

        return open_graph(self.graph, Path("transformer.onnx"))
