"""What listeners' outcomes were worth, together, where enough of them speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicu.ingest.arrow_tables import TableLike
from musicu.listening.small_groups import SMALLEST_GROUP, is_shown
from musicu.rewards.reward_table import reward_table
from musicu.rewards.reward_terms import RewardTerm, reward_terms


@dataclass(frozen=True, slots=True)
class TermSummary:
    """A reward term over some outcomes.

    count: rows of `reward_table` in which it counts. total: what they are worth together. mean:
    over all rows, those in which it does not count as 0.
    """

    name: str
    about: str
    count: int
    total: float
    mean: float


def reward_summary(
    outcomes: TableLike,
    terms: Sequence[RewardTerm] | None = None,
    durations: Mapping[str, float] | None = None,
    *,
    smallest_group: int = SMALLEST_GROUP,
) -> list[TermSummary]:
    """The terms of `reward_table`, each over all outcomes.

    smallest_group: a term that counts for fewer listeners is left out, and so it is in no total.
    Raises QueryError as `reward_table` does.
    """
    terms = reward_terms() if terms is None else terms
    rows = reward_table(outcomes, terms, durations)
    found = [_summary(rows, term, smallest_group) for term in terms]
    return [each for each in found if each is not None]


def _summary(rows: pa.Table, term: RewardTerm, smallest: int) -> TermSummary | None:
    worth = rows[term.name].to_numpy()
    counts = np.flatnonzero(worth)
    listeners = pc.count_distinct(rows["user_id"].take(pa.array(counts))).as_py()
    if not len(counts) or not is_shown(listeners, smallest):
        return None
    return TermSummary(term.name, term.about, len(counts), float(worth.sum()), float(worth.mean()))
