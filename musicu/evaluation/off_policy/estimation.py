"""What a policy would have earned, with an interval, and whether the log can tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from musicu.bootstrap import interval
from musicu.errors import QueryError
from musicu.evaluation.off_policy.estimators import ESTIMATORS, Terms, WeightedRounds
from musicu.evaluation.off_policy.logged_rounds import LoggedRounds, logged_rounds
from musicu.evaluation.off_policy.reward_model import RewardModel
from musicu.evaluation.off_policy.slates import SLATE_ESTIMATORS, slate_terms
from musicu.ingest.arrow_tables import TableLike, as_table, is_table
from musicu.records import check_count, counted, short

Floats = NDArray[np.float64]

#: What a log must have for an estimate to be reliable.
SMALLEST_SAMPLE = 100  # effective rounds
SMALLEST_SHARE = 0.005  # of all rounds
LARGEST_SHARE = 0.05  # of all weight, in one round
SMALLEST_SUPPORT = 0.99  # of the policy's choices: actions that the log has at that position
FEWEST_CLUSTERS = 10  # drawn for the interval
FEWEST_REWARDS = 10  # effective rounds in which something was earned


@dataclass(frozen=True, slots=True)
class OffPolicyEstimate:
    """A policy's expected reward a round, or a slate.

    value, low, high: with a 95 % bootstrap interval. effective_sample_size: of the weights (Kish,
    1965). largest_weight. support: the share of the policy's choices that the log ever made at
    that position. reliable: whether the log can tell; warnings say why not.
    """

    estimator: str
    value: float
    low: float
    high: float
    rounds: int
    effective_sample_size: float
    largest_weight: float
    support: float
    warnings: tuple[str, ...]

    @property
    def reliable(self) -> bool:
        """Whether nothing speaks against the estimate."""
        return not self.warnings


def estimate(
    log: TableLike,
    action_probabilities: Any,
    estimator: str = "dr",
    seed: int = 0,
    *,
    actions: Sequence[object] | None = None,
    slate: str | None = None,
    cluster: str | None = None,
    expected: ArrayLike | None = None,
    draws: int = 1000,
) -> OffPolicyEstimate:
    """Estimate what a policy would have earned on the rounds of a log.

    log: columns action, reward, propensity (the probability with which the log's policy chose the
    action at that position), position where a list was shown, and any context; of any library, or a
    file. action_probabilities: float [rounds, actions], or [rounds, actions, positions], of which
    the round's position counts; or a table whose columns are named after the actions. Rows are in
    the order of the log. estimator: dm, ips, snips, dr, sndr, switch-dr, dros; and
    for whole lists, whose column `slate` names, slate-ips, iips, rips, cascade-dr. actions: the
    action of each column, by default the numbers from 0. cluster: the column of what is drawn
    together for the interval, such as user_id. expected: rewards expected of every action, float
    [rounds, actions], by default of a model fitted on the log.

    Raises QueryError for logs and probabilities that cannot be.
    """
    names = (*ESTIMATORS, *SLATE_ESTIMATORS)
    if estimator not in names:
        raise QueryError(f"there is no estimator {estimator!r}: {', '.join(names)}")
    if cluster is not None and slate is not None:
        raise QueryError("slates are drawn whole: give `slate` or `cluster`, not both")
    if (estimator in SLATE_ESTIMATORS) != (slate is not None):
        raise QueryError(f"{estimator}: `slate`, the column of lists, is for a list estimator")
    table = as_table(log, "the log")
    if is_table(action_probabilities):
        probable = as_table(action_probabilities, "the table of action probabilities")
        actions = _action_names(probable, actions)
        action_probabilities = np.stack([column.to_numpy() for column in probable.columns], axis=1)
    whole = _numbers(action_probabilities, "action probabilities")
    check_count("draws", draws)
    check_count("seed", seed, 0)
    if whole.ndim not in (2, 3) or len(whole) != table.num_rows:
        raise QueryError(
            f"action probabilities are {whole.shape}: give [{table.num_rows}, actions], or "
            f"[{table.num_rows}, actions, positions]"
        )
    rounds = logged_rounds(table, actions, whole.shape[1], slate or cluster)
    probabilities = _at_positions(whole, rounds)
    _check(probabilities)
    if slate is not None:
        terms, weight = slate_terms(rounds, probabilities, estimator, seed)
        groups, reward, moved = np.arange(len(weight)), terms.top, np.zeros(len(weight))
    else:
        weighted, model = _weighted(rounds, probabilities, expected, estimator, seed)
        terms, weight = ESTIMATORS[estimator](weighted), weighted.weight
        groups, reward, moved = rounds.cluster, weighted.reward, np.zeros(len(weight))
        if model is not None:
            moved = model.influence(probabilities, terms.used, weighted.expected)
    support = _support(rounds, probabilities)
    low, high = _bounds(terms, moved, groups, draws, seed)
    return OffPolicyEstimate(
        estimator=estimator,
        value=terms.value,
        low=low,
        high=high,
        rounds=len(weight),
        effective_sample_size=_effective(weight),
        largest_weight=float(weight.max()),
        support=support,
        warnings=tuple(_warnings(weight, reward, support, int(groups.max()) + 1)),
    )


def _action_names(table: pa.Table, actions: Sequence[object] | None) -> Sequence[object]:
    """The actions of the columns of a table: their names, as numbers where all are numbers."""
    names = table.column_names
    if actions is not None and list(map(str, actions)) != names:
        raise QueryError(f"the columns are {short(names)}, and the actions {short(actions)}")
    return [int(name) for name in names] if all(map(str.isdecimal, names)) else names


def _numbers(given: Any, what: str) -> Floats:
    try:
        return np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise QueryError(f"{what} are {short(given)}: give an array of numbers") from None


def _at_positions(whole: Floats, rounds: LoggedRounds) -> Floats:
    if whole.ndim == 2:
        return whole
    if whole.shape[2] != rounds.positions:
        raise QueryError(
            f"the log has {rounds.positions} positions, the probabilities {whole.shape[2]}"
        )
    return whole[np.arange(len(rounds)), :, rounds.position]


def _check(probabilities: Floats) -> None:
    totals = probabilities.sum(axis=1)
    wrong = (probabilities < 0).any(axis=1) | ~(np.abs(totals - 1) < 1e-3)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise QueryError(
            f"the action probabilities of row {row} sum to {totals[row]:.4g}, with a least of "
            f"{probabilities[row].min():.4g}: each row has to sum to 1, with none below 0"
        )


def _weighted(
    rounds: LoggedRounds,
    probabilities: Floats,
    expected: ArrayLike | None,
    estimator: str,
    seed: int,
) -> tuple[WeightedRounds, RewardModel | None]:
    weight = rounds.of_log(probabilities) / rounds.propensity
    model = None
    if expected is not None:
        rewards = _numbers(expected, "expected rewards")
        if rewards.shape != probabilities.shape or not np.isfinite(rewards).all():
            raise QueryError(
                f"expected rewards are {rewards.shape}: give finite ones {probabilities.shape}"
            )
    elif estimator in ("ips", "snips"):
        return WeightedRounds(weight, rounds.reward, weight, weight), None
    else:
        model = RewardModel(rounds, rounds.reward, seed)
        rewards = model.expected
    direct = np.einsum("ij,ij->i", probabilities, rewards)
    return WeightedRounds(weight, rounds.reward, direct, rounds.of_log(rewards)), model


def _bounds(
    terms: Terms, moved: Floats, groups: NDArray[np.int64], draws: int, seed: int
) -> tuple[float, float]:
    """The percentile interval over draws of clusters with replacement.

    moved: what each round changes through the reward model, which is not fitted again.
    """
    base = terms.base + moved
    columns = np.stack([base, terms.top, terms.bottom, np.ones(len(base))], axis=1)
    count = int(groups.max()) + 1
    sums = np.zeros((count, 4))
    np.add.at(sums, groups, columns)
    rng = np.random.default_rng(seed)
    values = np.empty(draws)
    for draw in range(draws):
        first, top, bottom, rows = sums[rng.integers(count, size=count)].sum(axis=0)
        values[draw] = first / rows + (top / bottom if bottom else np.nan)
    found = interval(values)
    return (found.low, found.high) if found else (np.nan, np.nan)


def _effective(weight: Floats) -> float:
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def _support(rounds: LoggedRounds, probabilities: Floats) -> float:
    seen = np.zeros((rounds.positions, rounds.actions), dtype=bool)
    seen[rounds.position, rounds.action] = True
    return float((probabilities * seen[rounds.position]).sum() / len(rounds))


def _warnings(weight: Floats, reward: Floats, support: float, clusters: int) -> Iterator[str]:
    if clusters < FEWEST_CLUSTERS:
        yield f"{counted(clusters, 'cluster')}: the interval is too narrow"
    size = _effective(weight)
    if size < max(SMALLEST_SAMPLE, SMALLEST_SHARE * len(weight)):
        yield f"the effective sample is {size:,.1f} of {len(weight):,} rounds: too few to tell"
    largest = float(weight.max())
    if largest > LARGEST_SHARE * float(weight.sum()):
        yield f"one round has {largest / weight.sum():.0%} of all weight ({largest:,.4g})"
    if support < SMALLEST_SUPPORT:
        yield f"{1 - support:.1%} of the policy's choices were never made in the log"
    earned = _effective(weight * (reward != 0))
    if earned < FEWEST_REWARDS:
        yield f"only {earned:,.1f} effective rounds earned anything"
