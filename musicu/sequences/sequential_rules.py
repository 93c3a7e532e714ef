"""Sequential rules: what followed an item within a few steps, the nearer the more.

After Kamehkhosh, Jannach and Ludewig, A comparison of frequent pattern techniques and a deep
learning method for session-based recommendation (2017): pairs of items at most REACH steps apart
weigh 1 / steps; backward pairs weigh less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags

from musicu.items.item_table import Floats, Ints
from musicu.sequences.session_table import SessionTable, faded
from musicu.sequences.sparse_rows import weighted_sum

REACH = 10
_MOST = 50  # items of a history


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """backward: the weight of a pair seen the other way round. source_power, target_power: a rule
    is divided by the totals of its two items to these powers. decay: of a history, for each step.
    """

    backward: float = 0.5
    source_power: float = 0.5
    target_power: float = 0.3
    decay: float = 0.8


@dataclass(frozen=True, eq=False)
class SequentialRules:
    """The rules of some sessions: float32 [items, items], sparse."""

    rules: csr_matrix
    decay: float

    @classmethod
    def of(cls, pairs: csr_matrix, settings: RuleSettings) -> SequentialRules:
        """Rules from counted pairs."""
        both = (pairs + settings.backward * pairs.T).tocsr()
        source = _powers(both.sum(axis=1), settings.source_power)
        target = _powers(both.sum(axis=0), settings.target_power)
        return cls((source @ both @ target).tocsr().astype(np.float32), settings.decay)

    def scores(self, history: Ints) -> Floats:
        """How strongly a history leads to each item: float32 [items], 0 where no rule does."""
        return weighted_sum(self.rules, *faded(history, self.decay, _MOST))


def count_pairs(sessions: SessionTable, items: int, same: bool = False) -> csr_matrix:
    """Pairs of items, the first before the second: float32 [items, items], sparse.

    A pair at most REACH steps apart counts 1 / steps. same: count pairs of an item with itself.
    """
    total = csr_matrix((items, items), dtype=np.float32)
    for steps in range(1, REACH + 1):
        first, second = sessions.item[:-steps], sessions.item[steps:]
        pair = sessions.session[:-steps] == sessions.session[steps:]
        pair &= same | (first != second)
        weights = np.full(int(pair.sum()), 1 / steps, np.float32)
        places = first[pair], second[pair]
        total = total + csr_matrix((weights, places), shape=(items, items))
    return total.tocsr()


def _powers(totals: np.matrix, power: float) -> csr_matrix:
    flat = np.asarray(totals, np.float64).ravel()
    return diags(np.where(flat > 0, np.maximum(flat, 1e-12) ** -power, 0.0))
