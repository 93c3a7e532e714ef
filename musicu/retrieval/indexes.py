"""The role of an index: which of many vectors are nearest to a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from musicu.registry import Registry
from musicu.retrieval.hits import Hits


class Index(Protocol):
    """Finds the nearest of some unit vectors; made of them, float32 [rows, dim].

    An index may miss rows that are near; the scores of those that it finds are their cosines.
    """

    def __len__(self) -> int:
        """How many vectors it holds."""

    def search(
        self,
        queries: NDArray[np.float32],
        k: int | NDArray[np.int64],
        *,
        rows: NDArray[np.int64] | None = None,
        exclude: Sequence[int | None] | None = None,
    ) -> Hits:
        """At most k rows near to each query, best first, ties by row.

        queries: [queries, dim], or [dim] for one, of any length above 0. k: one for all, or
        int64 [queries]. rows: the only ones that may be found, in any order; all where None.
        exclude: a row for each query that it must not find, or None. A query's hits do not depend
        on the others. Raises QueryError for queries of another dimension.
        """


#: Indexes by name.
INDEXES: Registry[type[Index]] = Registry(
    "index",
    "musicu.indexes",
    {
        "exact": "musicu.retrieval.exact_index:ExactIndex",
        "disk": "musicu.retrieval.disk_index_build:temporary_index",
    },
)
