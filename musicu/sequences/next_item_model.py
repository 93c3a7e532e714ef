"""A next-item model: a mixture of scorers, each of which says what follows a history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from scipy.sparse import csr_matrix

from musicu.items.item_table import Floats, Ints
from musicu.sequences.item_regression import ItemRegression, RegressionSettings, gram_matrix
from musicu.sequences.play_counts import PlayCounts, Repeats
from musicu.sequences.sequential_rules import RuleSettings, SequentialRules, count_pairs
from musicu.sequences.session_neighbours import NeighbourSettings, SessionNeighbours
from musicu.sequences.session_table import ItemId, SessionTable


class NextItemScorer(Protocol):
    """Scores all items as the next of a history."""

    def scores(self, history: Ints) -> Floats:
        """float32 [items], 0 or more, 0 where nothing speaks for an item. history: oldest first."""


@dataclass(frozen=True, eq=False)
class SessionCounts:
    """What scorers are made from; new sessions are added to it, and nothing is counted again.

    pairs: of `count_pairs`. gram: of `gram_matrix`.
    """

    sessions: SessionTable
    pairs: csr_matrix
    gram: csr_matrix

    @classmethod
    def of(cls, sessions: SessionTable, items: int) -> SessionCounts:
        """Counted sessions."""
        return cls(sessions, count_pairs(sessions, items), gram_matrix(sessions, items))

    @property
    def items(self) -> int:
        """How many items there are."""
        return int(self.pairs.shape[0])

    def added(self, new: SessionTable, items: int) -> SessionCounts:
        """With new sessions, after which there may be more items."""
        more = SessionCounts.of(new, items)
        shape = items, items
        return SessionCounts(
            self.sessions.joined(new),
            _grown(self.pairs, shape) + more.pairs,
            _grown(self.gram, shape) + more.gram,
        )


def _grown(matrix: csr_matrix, shape: tuple[int, int]) -> csr_matrix:
    grown = matrix.copy()
    grown.resize(shape)
    return grown


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """Settings of all scorers, the weight of each in the mixture, and whether items are repeated.

    weights: above 0, by the names of `make_scorer`.
    """

    rules: RuleSettings = field(default_factory=RuleSettings)
    ease: RegressionSettings = field(default_factory=RegressionSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)
    weights: Mapping[str, float] = field(default_factory=dict)
    repeats: bool = False


def make_scorer(name: str, counts: SessionCounts, settings: SequenceSettings) -> NextItemScorer:
    """One of the scorers: rules, ease, neighbours, popularity, recent or repeats."""
    if name == "rules":
        return SequentialRules.of(counts.pairs, settings.rules)
    if name == "ease":
        return ItemRegression.of(counts.gram, settings.ease)
    if name == "neighbours":
        return SessionNeighbours(counts.sessions, counts.items, settings.neighbours)
    if name == "repeats":
        return Repeats(counts.items)
    return PlayCounts.of(counts.sessions, counts.items, recent=name == "recent")


@dataclass(frozen=True, eq=False)
class NextItemModel:
    """Says what comes next.

    items: ids, in the order of the scores. report: what was measured while it was fitted.
    """

    items: list[Any]
    counts: SessionCounts
    settings: SequenceSettings
    report: Mapping[str, Any] = field(default_factory=dict)

    def scores(self, histories: Sequence[Iterable[ItemId]]) -> Floats:
        """How likely each item is the next: float32 [histories, items].

        histories: ids, the latest last; ids that are unknown count as if they were not there.
        Where the model has no repeats, what stands in a history gets -1, which is below all else.
        """
        found = np.zeros((len(histories), len(self.items)), np.float32)
        for place, history in enumerate(histories):
            found[place] = self._scores(self.rows(history))
        return found

    def rows(self, history: Iterable[ItemId]) -> Ints:
        """The rows of a history's known ids: int64."""
        return np.array([self.row_of[i] for i in history if i in self.row_of], np.int64)

    @cached_property
    def row_of(self) -> dict[Any, int]:
        """The row of each id."""
        return {name: row for row, name in enumerate(self.items)}

    @cached_property
    def scorers(self) -> dict[str, NextItemScorer]:
        """The scorers that have a weight."""
        weights = self.settings.weights
        return {name: make_scorer(name, self.counts, self.settings) for name in weights}

    def _scores(self, history: Ints) -> Floats:
        excluded = history[:0] if self.settings.repeats else history
        total = np.zeros(len(self.items), np.float32)
        for name, scorer in self.scorers.items():
            total += self.settings.weights[name] * distribution(scorer.scores(history), excluded)
        total[excluded] = -1
        return total

    def updated(self, sessions: Sequence[Sequence[ItemId]], times: Any = None) -> NextItemModel:
        """The model with new sessions counted, under the settings that it has.

        Nothing is chosen anew. Items that were unknown are added at the end.
        """
        names = dict.fromkeys(i for session in sessions for i in session)
        items = self.items + [name for name in names if name not in self.row_of]
        row_of = {name: row for row, name in enumerate(items)}
        new = SessionTable.of(sessions, row_of, times)
        counts = self.counts.added(new, len(items))
        return NextItemModel(items, counts, self.settings, self.report)


def distribution(scores: Floats, excluded: Ints) -> Floats:
    """Scores as shares of their sum, those of some items 0; all 0 where nothing scores."""
    scores[excluded] = 0
    total = scores.sum(dtype=np.float64)
    return scores / np.float32(total) if total > 0 else scores
