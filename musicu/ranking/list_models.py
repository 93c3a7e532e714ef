"""Models that score rows of features so that lists come in a good order.

- `BoostedTrees`: LambdaRank (Burges, "From RankNet to LambdaRank to LambdaMART", 2010) by LightGBM,
  the extra `rank`. What each feature adds to a score is its Shapley value in the trees (Lundberg et
  al., Nature Machine Intelligence 2020).
- `LinearModel`: the softmax cross-entropy over a list, which bounds NDCG (Bruch et al., ICTIR
  2019), of a linear score; in NumPy and SciPy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from musicu.errors import MissingExtraError, QueryError
from musicu.ranking.graded_lists import Doubles, Floats, GradedLists, list_ndcg

_PENALTY = 1e-3  # on the squares of a linear model's weights, a list
_ROUNDS_WITHOUT_GAIN = 20
_CUT = 10  # the NDCG by which the number of trees is chosen


@dataclass(frozen=True, slots=True)
class BoostingOptions:
    """How trees are grown.

    trees: at most so many; where some lists are held out, as many as are best for them.
    leaves: of a tree. least_rows: in a leaf. least_hessian: of a leaf. bagging: share of the rows
    that each tree reads.
    """

    trees: int = 100
    learning_rate: float = 0.1
    leaves: int = 31
    least_rows: int = 50
    least_hessian: float = 5.0
    bagging: float = 0.9


class ListModel(Protocol):
    """Scores rows of features."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in their order."""

    def contributions(self, features: Floats) -> Doubles:
        """What each feature adds to a row's score, and the rest: float64 [rows, features + 1]."""

    def scores(self, features: Floats) -> Doubles:
        """float64 [rows], the higher the better."""


@dataclass(frozen=True)
class BoostedTrees:
    """Trees as LightGBM writes them: text."""

    text: str
    names: tuple[str, ...]

    @cached_property
    def _booster(self) -> Any:
        return lightgbm().Booster(model_str=self.text)

    @property
    def trees(self) -> int:
        """How many there are."""
        return int(self._booster.num_trees())

    def contributions(self, features: Floats) -> Doubles:
        """Shapley values, and the mean score."""
        if not len(features):
            return np.zeros((0, len(self.names) + 1))
        found = self._booster.predict(features, pred_contrib=True, num_threads=1)
        return np.asarray(found, np.float64)

    def scores(self, features: Floats) -> Doubles:
        """The sum of the trees."""
        if not len(features):
            return np.zeros(0)
        return np.asarray(self._booster.predict(features, num_threads=1), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class LinearModel:
    """weight · (x - middle) / spread; a feature that is unknown adds nothing."""

    names: tuple[str, ...]
    weight: Doubles
    middle: Doubles
    spread: Doubles

    def contributions(self, features: Floats) -> Doubles:
        """Each feature's term, and 0."""
        terms = self.weight * standardised(features, self.middle, self.spread)
        return np.concatenate([terms, np.zeros((len(terms), 1))], axis=1)

    def scores(self, features: Floats) -> Doubles:
        """The sum of the terms."""
        return np.asarray(self.contributions(features).sum(axis=1))


def has_lightgbm() -> bool:
    """Whether the extra `rank` is installed."""
    try:
        lightgbm()
    except MissingExtraError:
        return False
    return True


def lightgbm() -> Any:
    """The package; MissingExtraError where it is not installed or cannot be loaded."""
    try:
        import lightgbm as found
    except ImportError:
        raise MissingExtraError("boosted trees", "rank") from None
    except OSError as error:  # on macOS where libomp is missing
        what = f"boosted trees (LightGBM cannot be loaded: {error})"
        raise MissingExtraError(what, "rank") from error
    return found


def fit_trees(
    lists: GradedLists,
    held_out: GradedLists | None = None,
    options: BoostingOptions = BoostingOptions(),
    seed: int = 0,
) -> BoostedTrees:
    """LambdaRank on lists; held_out: lists by which the number of trees is chosen."""
    package = lightgbm()
    most = int(lists.sizes.max(initial=1))
    settings = {
        "objective": "lambdarank",
        "learning_rate": options.learning_rate,
        "num_leaves": options.leaves,
        "min_data_in_leaf": options.least_rows,
        "min_sum_hessian_in_leaf": options.least_hessian,
        "bagging_fraction": options.bagging,
        "bagging_freq": 1,
        "label_gain": lists.gains.tolist(),
        "lambdarank_truncation_level": min(max(most, 1), 30),
        "metric": "none",
        "verbosity": -1,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": seed,
    }
    train = package.Dataset(
        lists.features, lists.grade, group=lists.sizes, weight=lists.weight, free_raw_data=True
    )
    grown = package.train(settings, train, options.trees)
    trees = options.trees
    if held_out is not None and len(held_out):
        trees = _best_length(grown, held_out, options.trees)
    return BoostedTrees(grown.model_to_string(num_iteration=trees), lists.names)


def _best_length(grown: Any, held_out: GradedLists, most: int) -> int:
    """With how many trees the held-out lists are ordered best."""
    total, best, since, length = np.zeros(len(held_out.features)), -1.0, 0, 1
    for tree in range(most):
        total += grown.predict(
            held_out.features, start_iteration=tree, num_iteration=1, num_threads=1
        )
        value = float(np.nanmean(list_ndcg(total, held_out.gain, held_out.sizes, _CUT)))
        since += 1
        if value > best:
            best, length, since = value, tree + 1, 0
        if since > _ROUNDS_WITHOUT_GAIN:
            break
    return length


def fit_linear(lists: GradedLists, penalty: float = _PENALTY) -> LinearModel:
    """The linear score with the least softmax cross-entropy of the gains over each list."""
    known = np.isfinite(lists.features)
    counts = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, lists.features, 0).astype(np.float64)
    middle = filled.sum(axis=0) / counts
    squares = np.where(known, np.square(filled - middle), 0)
    spread = np.sqrt(squares.sum(axis=0) / counts)
    spread = np.where(spread > 1e-9, spread, np.inf)
    rows = standardised(lists.features, middle, spread)
    gain = lists.gain * lists.weight
    kept = lists.sizes > 0
    start = (np.cumsum(lists.sizes) - lists.sizes)[kept]
    owner = np.repeat(np.arange(len(start)), lists.sizes[kept])
    totals = np.add.reduceat(gain, start) if len(start) else np.zeros(0)
    if not totals.any():
        raise QueryError("no list has a row with a gain: nothing can be learned from them")
    scale = 1.0 / totals.sum()

    def loss(weight: Doubles) -> tuple[float, Doubles]:
        scores = rows @ weight
        top = np.maximum.reduceat(scores, start)
        raised = np.exp(scores - top[owner])
        sums = np.add.reduceat(raised, start)
        value = (totals * (np.log(sums) + top)).sum() - gain @ scores
        gradient = rows.T @ (totals[owner] * raised / sums[owner] - gain)
        value = scale * float(value) + 0.5 * penalty * float(weight @ weight)
        return value, scale * gradient + penalty * weight

    found = optimize.minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B")
    return LinearModel(lists.names, np.asarray(found.x), middle, spread)


def standardised(features: Floats, middle: Doubles, spread: Doubles) -> NDArray[np.float64]:
    """Features less their mean, over their deviation; 0 where they are unknown."""
    moved = (features - middle) / spread
    return np.where(np.isfinite(moved), moved, 0.0)
