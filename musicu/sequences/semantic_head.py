"""Generating semantic ids digit by digit: beam search among the codes that exist.

A prefix of a code is a node; sequential rules between nodes say at each depth where a history
leads, and a child that no rule leads to has a part of its parent's score. So every track can be
generated, new ones too. Measured beside rules between tracks in benchmarks/next_item.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from musicu.items.item_table import Floats, Ints
from musicu.sequences.sequential_rules import RuleSettings, SequentialRules, count_pairs
from musicu.sequences.session_table import SessionTable

BEAM = 50
_PARENT = 0.1  # of a parent's score, shared among its children


@dataclass(frozen=True, eq=False)
class SemanticHead:
    """nodes: int64 [depths, items], the node of each item at each depth. rules: at each depth."""

    nodes: Ints
    rules: list[SequentialRules]

    @classmethod
    def of(cls, codes: Ints, sessions: SessionTable, settings: RuleSettings) -> SemanticHead:
        """Rules between the nodes of codes, int64 [items, digits]."""
        depths = range(1, codes.shape[1] + 1)
        nodes = np.stack(
            [np.unique(codes[:, :d], axis=0, return_inverse=True)[1].ravel() for d in depths]
        )
        rules = []
        for depth in nodes:
            table = SessionTable(depth[sessions.item], sessions.start)
            pairs = count_pairs(table, int(depth.max()) + 1, same=depth is not nodes[-1])
            rules.append(SequentialRules.of(pairs, settings))
        return cls(nodes, rules)

    def scores(self, history: Ints, beam: int = BEAM) -> Floats:
        """Scores of the items that beam search reaches, 0 for the others: float32 [items]."""
        alive = np.arange(self.nodes.shape[1])  # items below the nodes that are kept
        density = np.full(len(alive), 1 / max(len(alive), 1))  # of a node's score, for each item
        for depth, rules in zip(self.nodes, self.rules, strict=True):
            found = rules.scores(depth[history]).astype(np.float64)
            found /= max(float(found.sum()), 1e-12)
            node = depth[alive]
            kept, first, size = np.unique(node, return_index=True, return_counts=True)
            score = found[kept] + _PARENT * density[first] * size
            best = np.argsort(-score, kind="stable")[:beam]
            among = np.isin(node, kept[best])
            alive = alive[among]
            density = (score / size)[np.searchsorted(kept, node[among])]
        total = np.zeros(self.nodes.shape[1], np.float32)
        total[alive] = density
        return total
