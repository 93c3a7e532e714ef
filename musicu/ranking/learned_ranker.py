"""A ranker that was learned from exposures and rewards.

Its score is the log-odds that a track earns a reward where it is looked at; what each feature adds
to that are its parts, and the largest of them are the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from musicu.errors import ModelError, QueryError
from musicu.items.item_table import Floats
from musicu.ranking.list_models import ListModel
from musicu.ranking.ranker import Pool, PoolScores
from musicu.ranking.ranking_features import FEATURES, FeatureMaker, Shown
from musicu.ranking.taste import TasteRanker
from musicu.sequences.next_item_model import NextItemModel

#: A feature that models of the variant "position" read too; when ranking, every track is first.
POSITION = "position"
USUAL = "usual"  # the part of a score that is the same for all tracks


@dataclass(frozen=True, eq=False)
class LearnedRanker:
    """Ranks by a model of exposures and rewards; by taste, where `note` says why there is none.

    slope, intercept: of the log-odds over the model's scores (Platt, 1999). rates: see
    `FeatureMaker`. report: what was measured when it was trained. fingerprint: of the model.
    vectors: the fingerprint of the vectors that it was trained with.
    """

    model: ListModel | None = None
    slope: float = 1.0
    intercept: float = 0.0
    rates: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    report: Mapping[str, Any] = field(default_factory=dict)
    next_model: NextItemModel | None = None
    descriptors: pa.Table | None = None
    fingerprint: str = ""
    vectors: str = ""
    name: ClassVar[str] = "learned"

    def __post_init__(self) -> None:
        """Room for the features of the item table last asked about."""
        object.__setattr__(self, "_makers", {})

    @property
    def phrases(self) -> Mapping[str, str]:
        """What a reason says of each part; nothing where it ranks by taste."""
        return {} if self.model is None else FEATURES

    def __repr__(self) -> str:
        return f"LearnedRanker({self.fingerprint or self.note!r})"

    def rank(self, pool: Pool) -> PoolScores:
        """Log-odds of a reward, in parts by feature; they sum to it.

        Raises QueryError without a model, ModelError for vectors that it was not trained with.
        """
        if self.model is None:
            if not self.note:
                raise QueryError(
                    "the ranker learned has no model: run `musicu train ranker`, then "
                    "open_ranker(catalog)"
                )
            return TasteRanker().rank(pool)
        if pool.items.fingerprint != self.vectors:
            raise ModelError(
                f"the ranker was trained with other vectors than those of {pool.items.model!r}: "
                "run `musicu train ranker` for them"
            )
        made = self._maker(pool).features(pool, Shown(pool.source, "", pool.at))
        terms = self.slope * self.model.contributions(features_for(self.model, made))
        parts = {
            name: terms[:, place].astype(np.float32)
            for place, name in enumerate(self.model.names)
            if name != POSITION
        }
        score = terms.sum(axis=1) + self.intercept
        parts[USUAL] = (score - sum(parts.values())).astype(np.float32)
        fit = TasteRanker(head=1).rank(pool)
        return PoolScores(score.astype(np.float32), parts, fit.interest, fit.likeness)

    def probabilities(self, pool: Pool) -> NDArray[np.float64]:
        """How likely each entry earns a reward where it is looked at: float64 [entries]."""
        return np.asarray(expit(self.rank(pool).score.astype(np.float64)))

    def _maker(self, pool: Pool) -> FeatureMaker:
        makers: dict[int, FeatureMaker] = self.__dict__["_makers"]
        found = makers.get(id(pool.items))
        if found is None:
            found = FeatureMaker(pool.items, self.next_model, self.descriptors, self.rates)
            makers.clear()
            makers[id(pool.items)] = found  # it holds the items, so that the id stays theirs
        return found


def features_for(model: ListModel, made: Floats) -> Floats:
    """The columns that a model reads of those of FEATURES, every track in the first place."""
    place = {name: n for n, name in enumerate(FEATURES)}
    columns = [
        np.zeros(len(made), np.float32) if name == POSITION else made[:, place[name]]
        for name in model.names
    ]
    return np.stack(columns, axis=1)
