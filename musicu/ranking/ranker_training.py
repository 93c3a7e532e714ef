"""Learning an order from a log: which way of reading it is chosen by lists that are held out.

Ways to read a log whose first places are seen more often (variants):

- naive: a track without a reward was not liked.
- position: the place is a feature, and every track is first when ranking.
- ipw: rewards weigh 1 / examination of their place (Joachims et al., WSDM 2017; Wang et al., SIGIR
  2016), where chance or interventions in the log tell the examination.

The latest quarter of the lists is held out. Of naive and position the one that orders them better
is taken; ipw only where it is clearly ahead of that, as corrections often gain nothing. Where the
winner is not clearly ahead of the unlearned order by taste, that stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.special import expit

from musicu.bootstrap import Interval, Resamples, interval
from musicu.errors import QueryError
from musicu.ingest.arrow_tables import TableLike
from musicu.items.item_table import ItemTable
from musicu.ranking.examination import Examination, examination, randomised
from musicu.ranking.graded_lists import Doubles, GradedLists, Ints, list_ndcg
from musicu.ranking.learned_ranker import POSITION, LearnedRanker, features_for
from musicu.ranking.list_models import (
    BoostedTrees,
    BoostingOptions,
    ListModel,
    fit_linear,
    fit_trees,
    has_lightgbm,
)
from musicu.ranking.ranking_examples import ShownLists, shown_lists
from musicu.ranking.ranking_features import FEATURES, FeatureMaker
from musicu.rewards import RewardTerm

KINDS = ("auto", "trees", "linear")
FEWEST_LISTS = 100  # that earned something, to learn from at all
HELD_OUT, INNER = 0.25, 0.2  # of all lists, and of the others for the number of trees
CUT = 10  # NDCG@CUT decides
_FEWEST_RANDOM = 100  # held-out lists in random order, to measure on them alone
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class _Variant:
    """A way to read the log, with the model that it gave on what is not held out."""

    name: str
    model: ListModel
    scores: Doubles
    ndcg: Doubles


def train_ranker(
    items: ItemTable,
    exposures: TableLike,
    outcomes: TableLike,
    listens: TableLike | None = None,
    *,
    maker: FeatureMaker | None = None,
    terms: Sequence[RewardTerm] | None = None,
    kind: str = "auto",
    seed: int = 0,
) -> LearnedRanker:
    """Learn a ranker from EXPOSURES and OUTCOMES.

    listens: what the listeners heard, in the columns of LISTENS, with the same user ids; None: the
    plays among the outcomes. maker: features, with a next-item model or descriptors. terms: of
    rewards. kind: "trees" (LightGBM, the extra `rank`), "linear", or "auto": trees where they are
    installed. The answer's `note` says why where it ranks by taste, and `report` what was measured.
    Raises QueryError for tables that do not fit.
    """
    if kind not in KINDS:
        raise QueryError(f"the kind of ranker is {kind!r}: {', '.join(KINDS)}")
    made = maker or FeatureMaker(items)
    lists = shown_lists(items, exposures, outcomes, listens, made, terms)
    about = {"lists": len(lists), "rewarded": lists.rewarded, "left_out": lists.left_out}
    if lists.rewarded < FEWEST_LISTS:
        note = (
            f"only {lists.rewarded:,} of {len(lists):,} lists earned anything, and a ranker needs "
            f"{FEWEST_LISTS}: ranked by taste until there are more"
        )
        return LearnedRanker(note=note, report=about)
    return _Trainer(lists, kind, seed).ranker(made, about)


def examination_of(ranker: LearnedRanker) -> Examination | None:
    """How likely places are looked at, as it was found when a ranker was trained."""
    told = ranker.report.get("examination")
    if told is None:
        return None
    rows, slots = np.array(told["rows"]), np.array(told["slots"])
    return Examination(rows, slots, told["basis"], told["rewards"])


class _Trainer:
    """The lists, divided by time, and how an order of those held out is measured."""

    def __init__(self, lists: ShownLists, kind: str, seed: int) -> None:
        self.lists, self.seed = lists, seed
        self.trees = kind == "trees" or (kind == "auto" and has_lightgbm())
        order = np.argsort(lists.at, kind="stable")
        cut = round(len(order) * (1 - HELD_OUT))
        inner = round(cut * (1 - INNER))
        self.fit, self.inner, self.held = order[:inner], order[inner:cut], order[cut:]
        self.owner = np.repeat(np.arange(len(lists)), lists.sizes)
        self.examined = examination(lists.places)
        known = np.isfinite(lists.features)
        low = np.where(known, lists.features, np.inf).min(axis=0)
        high = np.where(known, lists.features, -np.inf).max(axis=0)
        self.used = np.flatnonzero(high > low)  # features that differ between tracks
        self.gain, self.basis = self._measure()

    def _measure(self) -> tuple[Doubles, str]:
        """What each row is worth on held-out lists, and in words how that was read."""
        gain = np.maximum(self.lists.reward, 0)
        held = np.isin(self.owner, self.held)
        chance = randomised(self.lists.places) & held
        told = np.bincount(self.owner, chance & (gain > 0), len(self.lists)) > 0
        if np.count_nonzero(told) >= _FEWEST_RANDOM:
            return np.where(chance, gain, 0.0), "lists in random order"
        if self.examined is not None:
            at = self.examined.at(self.lists.places.row, self.lists.places.slot)
            return gain / at, "rewards over the examination of their places"
        return gain, "rewards as they came, which favours the order that was shown"

    def ranker(self, maker: FeatureMaker, about: Mapping[str, Any]) -> LearnedRanker:
        """The best variant fitted on all lists, calibrated, or the order by taste."""
        names = ["naive", "position"] + (["ipw"] if self.examined is not None else [])
        variants = {name: self._variant(name) for name in names}
        chosen = max((variants["naive"], variants["position"]), key=_mean)
        if "ipw" in variants:
            ahead = self._difference(variants["ipw"].ndcg, chosen.ndcg)
            chosen = variants["ipw"] if ahead is not None and ahead.low > 0 else chosen
        taste = self._ndcg(self.lists.features[:, list(FEATURES).index("taste_fit")])
        shown = self._ndcg(-self.lists.places.slot.astype(np.float64))
        over = self._difference(chosen.ndcg, taste)
        slope, intercept = self._calibration(chosen)
        report = {
            **about,
            "kind": "trees" if self.trees else "linear",
            "variant": chosen.name,
            "measured_on": self.basis,
            "held_out": len(self.held),
            "ndcg": {name: _mean(found) for name, found in variants.items()},
            "taste": _mean_of(taste),
            "shown": _mean_of(shown),
            "over_taste": None if over is None else [over.low, over.high],
            "examination": _told(self.examined),
            "calibration_error": self._calibration_error(chosen, slope, intercept),
        }
        if over is None or over.low <= 0:
            note = (
                f"the learned order is not clearly better than that by taste on "
                f"{len(self.held):,} lists held out (NDCG@{CUT} {_mean(chosen):.3f} against "
                f"{_mean_of(taste):.3f}): ranked by taste until there are more exposures"
            )
            return LearnedRanker(note=note, report=report)
        return LearnedRanker(
            self._final(chosen), slope, intercept, self.lists.rates, "", report,
            maker.next_model, maker.descriptors, vectors=maker.items.fingerprint,
        )  # fmt: skip

    def _variant(self, name: str) -> _Variant:
        model = self._fitted(name, self.fit, self.inner)
        scores = model.scores(features_for(model, self.lists.features))
        return _Variant(name, model, scores, self._ndcg(scores))

    def _fitted(
        self, name: str, lists: Ints, held: Ints | None, trees: int | None = None
    ) -> ListModel:
        graded = self._graded(name)
        if not self.trees:
            every = lists if held is None else np.concatenate([lists, held])
            return fit_linear(graded.take(every))
        rows = int(self.lists.sizes[lists].sum())
        options = BoostingOptions(
            trees=trees or 300, learning_rate=0.05, leaves=15,
            least_rows=max(20, rows // 500), least_hessian=1e-3,
        )  # fmt: skip
        inner = None if held is None else graded.take(held)
        return fit_trees(graded.take(lists), inner, options, self.seed)

    def _final(self, chosen: _Variant) -> ListModel:
        model = chosen.model
        trees = model.trees if isinstance(model, BoostedTrees) else None
        return self._fitted(chosen.name, np.arange(len(self.lists)), None, trees)

    def _graded(self, name: str) -> GradedLists:
        lists = self.lists
        names = tuple(np.array(list(FEATURES))[self.used].tolist())
        features = lists.features[:, self.used]
        if name == "position":
            place = lists.places.slot.astype(np.float32)[:, None]
            names, features = (*names, POSITION), np.concatenate([features, place], axis=1)
        grade, gains = _grades(lists.reward)
        graded = GradedLists.of(features, grade, lists.sizes, names, gains)
        if name == "ipw" and self.examined is not None:
            at = self.examined.at(lists.places.row, lists.places.slot)
            weight = np.where(lists.reward > 0, 1 / at, 1.0)
            graded = replace(graded, weight=weight)
        return graded

    def _ndcg(self, scores: NDArray[np.floating[Any]]) -> Doubles:
        """Of each held-out list, NaN where nothing was earned."""
        return list_ndcg(scores, self.gain, self.lists.sizes, CUT)[self.held]

    def _difference(self, one: Doubles, other: Doubles) -> Interval | None:
        """The 95 % interval of the mean difference, by drawing listeners; None without one."""
        told = np.flatnonzero(np.isfinite(one) & np.isfinite(other))
        drawn = Resamples(self.lists.user[self.held][told], _DRAWS, self.seed)
        return interval(drawn.means((one - other)[told])) if len(told) else None

    def _calibration(self, chosen: _Variant) -> tuple[float, float]:
        """Slope and intercept of the log-odds, on held-out lists."""
        scores, earned, at = self._held_rows(chosen)

        def loss(given: NDArray[np.float64]) -> float:
            likely = np.clip(at * expit(given[0] * scores + given[1]), 1e-9, 1 - 1e-9)
            return float(-np.mean(earned * np.log(likely) + (1 - earned) * np.log1p(-likely)))

        start = np.array([1.0, np.log(max(earned.mean(), 1e-6))])
        bounds = [(1e-3, None), (None, None)]
        found = optimize.minimize(loss, start, method="L-BFGS-B", bounds=bounds)
        return float(found.x[0]), float(found.x[1])

    def _calibration_error(self, chosen: _Variant, slope: float, intercept: float) -> float:
        """The mean distance of told and found rates over ten parts of the held-out rows."""
        scores, earned, at = self._held_rows(chosen)
        likely = at * expit(slope * scores + intercept)
        parts = np.array_split(np.argsort(likely, kind="stable"), 10)
        apart = [len(p) * abs(likely[p].mean() - earned[p].mean()) for p in parts if len(p)]
        return float(sum(apart) / len(likely))

    def _held_rows(self, chosen: _Variant) -> tuple[Doubles, Doubles, Doubles]:
        rows = np.flatnonzero(np.isin(self.owner, self.held))
        places = self.lists.places
        seen = np.ones(len(rows))
        if self.examined is not None:
            seen = self.examined.at(places.row[rows], places.slot[rows])
        return chosen.scores[rows], (self.lists.reward[rows] > 0).astype(np.float64), seen


def _grades(reward: Doubles) -> tuple[Ints, Doubles]:
    """Rewards in levels (below 0, none, and two above), and the mean reward of each level."""
    above = reward[reward > 0]
    middle = float(np.median(above)) if len(above) else 0.0
    level = np.searchsorted([-1e-9, 1e-9, middle + 1e-9], reward)
    each, grade = np.unique(level, return_inverse=True)
    means = np.bincount(grade, reward) / np.bincount(grade)
    return grade.astype(np.int64), np.asarray(means - means.min() if len(each) else means)


def _mean(variant: _Variant) -> float:
    return _mean_of(variant.ndcg)


def _mean_of(values: Doubles) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _told(examined: Examination | None) -> dict[str, Any] | None:
    if examined is None:
        return None
    return {
        "basis": examined.basis,
        "rewards": examined.rewards,
        "slots": np.round(examined.slots, 4).tolist(),
        "rows": np.round(examined.rows, 4).tolist(),
    }
