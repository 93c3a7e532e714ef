"""A next-item model: a mixture of scorers, each of which says what follows a history."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.errors import ModelError, QueryError
from musicu.items.item_table import Floats, Ints
from musicu.sequences.content_neighbours import ContentNeighbours, ContentSettings
from musicu.sequences.item_regression import ItemRegression, RegressionSettings, gram_matrix
from musicu.sequences.play_counts import PlayCounts, Repeats
from musicu.sequences.sequential_rules import RuleSettings, SequentialRules, count_pairs
from musicu.sequences.session_neighbours import NeighbourSettings, SessionNeighbours
from musicu.sequences.session_table import ItemId, SessionTable, check_sessions, different_ids
from musicu.sequences.sparse_rows import grown
from musicu.sequences.transformer_scorer import TransformerScorer


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
        more, own = SessionCounts.of(new, items), self.grown(items)
        return SessionCounts(
            self.sessions.joined(new), own.pairs + more.pairs, own.gram + more.gram
        )

    def grown(self, items: int) -> SessionCounts:
        """With items at the end that no session has."""
        return SessionCounts(self.sessions, grown(self.pairs, items), grown(self.gram, items))


@dataclass(frozen=True, slots=True)
class SequenceSettings:
    """Settings of all scorers, the weight of each in the mixture, and whether items are repeated.

    weights: above 0, by the names of `make_scorer`.
    """

    rules: RuleSettings = field(default_factory=RuleSettings)
    ease: RegressionSettings = field(default_factory=RegressionSettings)
    neighbours: NeighbourSettings = field(default_factory=NeighbourSettings)
    content: ContentSettings = field(default_factory=ContentSettings)
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
    if name not in {"popularity", "recent"}:
        raise ModelError(f"the scorer {name!r} is learned and was not stored: train again")
    return PlayCounts.of(counts.sessions, counts.items, recent=name == "recent")


@dataclass(frozen=True, eq=False)
class NextItemModel:
    """Says what comes next.

    items: ids, in the order of the scores. report: what was measured while it was fitted. made:
    scorers that need not be made from the counts.
    """

    items: list[Any]
    counts: SessionCounts
    settings: SequenceSettings
    content: ContentNeighbours | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, NextItemScorer] = field(default_factory=dict)

    def scores(self, histories: Sequence[Sequence[ItemId]]) -> Floats:
        """How likely each item is the next: float32 [histories, items].

        histories: ids, the latest last; ids that are unknown count as if they were not there.
        Where the model has no repeats, what stands in a history gets -1, which is below all else.
        """
        check_sessions(histories, "histories")
        found = np.zeros((len(histories), len(self.items)), np.float32)
        for place, history in enumerate(histories):
            found[place] = self._scores(self.rows(history))
        return found

    def rows(self, history: Iterable[ItemId]) -> Ints:
        """The rows of a history's known ids: int64."""
        try:
            return np.array([self.row_of[i] for i in history if i in self.row_of], np.int64)
        except TypeError as error:
            raise QueryError(f"ids are text or whole numbers, and one is not: {error}") from None

    @cached_property
    def row_of(self) -> dict[Any, int]:
        """The row of each id."""
        return {name: row for row, name in enumerate(self.items)}

    @cached_property
    def scorers(self) -> dict[str, NextItemScorer]:
        """The scorers that have a weight."""
        return {
            name: self.made.get(name) or make_scorer(name, self.counts, self.settings)
            for name in self.settings.weights
        }

    @cached_property
    def played(self) -> NDArray[np.bool_]:
        """Whether an item is in any session: bool [items]."""
        return np.bincount(self.counts.sessions.item, minlength=len(self.items)) > 0

    def _scores(self, history: Ints) -> Floats:
        excluded = history[:0] if self.settings.repeats else history
        total = self.mixed(history, excluded)
        if self.content is not None:
            parts = self.content_parts(total, history, excluded)
            total = self.blended(parts)
            cold = ~self.played
            total[cold] = self.settings.content.level * self.by_content(parts)[cold]
        total[excluded] = -1
        return total

    def mixed(self, history: Ints, excluded: Ints) -> Floats:
        """The mixture of what was learned from sessions: float32 [items], shares."""
        if self.content is not None:
            history = self.content.stand_ins(history, self.played)
        total = np.zeros(len(self.items), np.float32)
        for name, scorer in self.scorers.items():
            total += self.settings.weights[name] * distribution(scorer.scores(history), excluded)
        return total

    def content_parts(self, mixed: Floats, history: Ints, excluded: Ints) -> dict[str, Floats]:
        """What is blended, by name: sessions (the mixture), alike and spread: float32 [items].

        The shares of the played items sum to 1, so that items without plays take nothing from
        them.
        """
        assert self.content is not None
        alike = self.content.alike(history, self.settings.content.decay)
        spread = self.content.spread(mixed)
        return {
            "sessions": mixed,
            "alike": distribution(alike, excluded, self.played),
            "spread": distribution(spread, excluded, self.played),
        }

    def blended(self, parts: Mapping[str, Floats]) -> Floats:
        """What played items score: float32 [items]."""
        total = np.zeros(len(self.items), np.float32)
        for name, weight in self.settings.content.weights.items():
            total += weight * parts[name]
        return total

    def by_content(self, parts: Mapping[str, Floats]) -> Floats:
        """What items without plays score, but for their level: float32 [items].

        Of the sessions only a scorer that reads content itself says something of them.
        """
        alike = np.float32(self.settings.content.alike)
        total: Floats = parts["sessions"] + alike * parts["alike"] + (1 - alike) * parts["spread"]
        return total

    def updated(self, sessions: Sequence[Sequence[ItemId]], times: Any = None) -> NextItemModel:
        """The model with new sessions counted, under the settings that it has.

        Nothing is chosen anew. Items that were unknown are added at the end.
        """
        check_sessions(sessions)
        names = different_ids(sessions)
        items = self.items + [name for name in names if name not in self.row_of]
        row_of = {name: row for row, name in enumerate(items)}
        new = SessionTable.of(sessions, row_of, times)
        counts = self.counts.added(new, len(items))
        content = None if self.content is None else self.content.grown(len(items))
        made: dict[str, NextItemScorer] = {}
        if isinstance(ease := self.scorers.get("ease"), ItemRegression):
            touched = np.unique(new.item)
            made["ease"] = ease.updated(counts.gram, self.settings.ease, touched)
        if isinstance(learned := self.scorers.get("transformer"), TransformerScorer):
            made["transformer"] = learned.grown(len(items))
        return NextItemModel(items, counts, self.settings, content, self.report, made)

    def extended(self, ids: Sequence[ItemId], vectors: Floats) -> NextItemModel:
        """The model with the items it does not have yet, which their content places.

        vectors: float32 [ids, dim], of all items that have content.
        """
        new = [name for name in ids if name not in self.row_of]
        if not new or self.content is None:
            return self
        items = self.items + new
        row_of = {name: row for row, name in enumerate(items)}
        placed = np.zeros((len(items), vectors.shape[1]), np.float32)
        placed[[row_of[name] for name in ids]] = vectors
        counts = self.counts.grown(len(items))
        played = np.append(self.played, np.zeros(len(new), bool))
        fresh = ContentNeighbours.of(placed, played, len(self.items)).near
        content = ContentNeighbours(self.content.grown(len(items)).near + fresh)
        made: dict[str, NextItemScorer] = {}
        if isinstance(ease := self.scorers.get("ease"), ItemRegression):
            made["ease"] = ease.grown(len(items))
        if isinstance(learned := self.scorers.get("transformer"), TransformerScorer):
            made["transformer"] = learned.extended(placed[len(self.items) :])
        return NextItemModel(items, counts, self.settings, content, self.report, made)


def distribution(scores: Floats, excluded: Ints, among: NDArray[np.bool_] | None = None) -> Floats:
    """Scores as shares of their sum, those of some items 0; all 0 where nothing scores.

    among: bool [items], the items whose shares sum to 1 (default: all).
    """
    scores[excluded] = 0
    total = 0.0 if among is None else scores[among].sum(dtype=np.float64)
    total = total or scores.sum(dtype=np.float64)
    return scores / np.float32(total) if total > 0 else scores
