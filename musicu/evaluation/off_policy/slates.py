"""A whole list at once: what a policy's lists would have earned, summed over their positions.

One row a position. The weight of a position says which part of the list its reward depends on:

- slate-ips: on the whole list: the product of all positions' weights
- iips: on its own item alone (Li et al., KDD 2018)
- rips: on its own item and those above it, as somebody reads who goes from top to bottom
  (McInerney, Brost, Chandar, Mehrotra and Carterette, KDD 2020)
- cascade-dr: the same, with a model of what is still to come (Kiyohara et al., WSDM 2022)

A policy's probabilities are those of each position's item given the context.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.evaluation.off_policy.estimators import Terms
from musicu.evaluation.off_policy.logged_rounds import LoggedRounds
from musicu.evaluation.off_policy.reward_model import RewardModel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLATE_ESTIMATORS = ("slate-ips", "iips", "rips", "cascade-dr")


def slate_terms(
    rounds: LoggedRounds, probabilities: Floats, estimator: str, seed: int
) -> tuple[Terms, Floats]:
    """The terms of an estimator, one row a slate, and each slate's largest weight.

    rounds: `cluster` is the slate. Slates may differ in length.
    """
    slates = int(rounds.cluster.max()) + 1
    grid: Ints = np.full((slates, rounds.positions), -1, np.int64)
    grid[rounds.cluster, rounds.position] = np.arange(len(rounds))
    there = grid >= 0
    if there.sum() < len(rounds):
        raise QueryError(
            "a list has two rows at one position: give a column `position`, and each row its own"
        )
    own = rounds.of_log(probabilities) / rounds.propensity
    weight = np.where(there, own[grid], 1.0)
    above: Floats = np.cumprod(weight, axis=1, dtype=np.float64)
    used = {
        "slate-ips": np.repeat(above[:, -1:], rounds.positions, axis=1),
        "iips": weight,
    }.get(estimator, above)
    if estimator == "cascade-dr":
        parts = _cascade(rounds, probabilities, grid, above, seed)
    else:
        parts = np.where(there, used * rounds.reward[grid], 0.0)
    top = parts.sum(axis=1)
    weights = np.asarray(used.max(axis=1))
    return Terms(np.zeros(slates), top, np.ones(slates), weights), weights


def _cascade(
    rounds: LoggedRounds, probabilities: Floats, grid: Ints, above: Floats, seed: int
) -> Floats:
    """Each position's part of the doubly robust cascade: float64 [slates, positions].

    From the last position up, a model learns what is earned from there on.
    """
    parts = np.zeros(grid.shape)
    to_come = np.zeros(len(grid))  # expected of the policy from the position below on
    before = np.concatenate([np.ones((len(grid), 1)), above[:, :-1]], axis=1)
    for place in range(grid.shape[1] - 1, -1, -1):
        slates = np.flatnonzero(grid[:, place] >= 0)
        rows = grid[slates, place]
        here = _rows_of(rounds, rows)
        expected = RewardModel(here, here.reward + to_come[slates], seed).expected
        policy = (probabilities[rows] * expected).sum(axis=1)
        logged = here.of_log(expected)
        parts[slates, place] = above[slates, place] * (here.reward - logged)
        parts[slates, place] += before[slates, place] * policy
        to_come = np.zeros(len(grid))
        to_come[slates] = policy
    return parts


def _rows_of(rounds: LoggedRounds, rows: Ints) -> LoggedRounds:
    return LoggedRounds(
        rounds.action[rows],
        np.zeros(len(rows), np.int64),
        rounds.reward[rows],
        rounds.propensity[rows],
        rounds.context[rows],
        np.arange(len(rows)),
        rounds.actions,
        1,
    )
