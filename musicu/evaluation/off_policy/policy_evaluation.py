"""A policy of the registry on a log: it learns from the first part and is judged on the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.evaluation.off_policy.estimation import OffPolicyEstimate, estimate
from musicu.evaluation.off_policy.logged_rounds import (
    FEWEST_ROUNDS,
    LARGEST,
    NEEDED,
    check_actions,
    check_columns,
    numbers_of,
)
from musicu.ingest.arrow_tables import TableLike, as_table, is_table
from musicu.policies.bandit import LearningPolicy, Round
from musicu.policies.policy import POLICIES, Policy
from musicu.records import check_count, check_number, counted, short

Floats = NDArray[np.float64]

_TRIES = 400  # draws by which the probabilities of a policy without `distribution` are found


@dataclass(frozen=True, slots=True)
class PolicyFindings:
    """What a policy would have earned, beside what the log's earned on the same rounds.

    trained: rounds that the policy learned from before.
    """

    policy: str
    estimate: OffPolicyEstimate
    logged: float
    trained: int


def evaluate_policy(
    log: TableLike,
    policy: Policy | str | TableLike,
    estimator: str = "dr",
    *,
    segment: str | None = None,
    cluster: str | None = None,
    trained: float = 0.5,
    seed: int = 0,
) -> PolicyFindings:
    """Estimate what a policy would have earned on the later rounds of a log.

    log: as `estimate` takes it, in the order of time. policy: a policy, its registered name, or a
    table of action probabilities, one row a round of the log. segment: a column that the policy may
    read as `segment`. trained: the share of the rounds that the policy learns from first, 0 for a
    table; its actions are ordered by what they earned there. Raises QueryError for what does not
    fit.
    """
    table = as_table(log, "the log")
    check_columns(table, [*NEEDED, segment, cluster])
    if not 0 <= check_number("trained", trained) < 1:
        raise QueryError(f"trained is {trained}: the share of the rounds to learn from, below 1")
    check_count("seed", seed, 0)
    asked: Any = policy
    if is_table(asked):
        given = as_table(asked, "the table of action probabilities")
        found = estimate(table, given, estimator, seed, cluster=cluster)
        return PolicyFindings("probabilities", found, _mean(table), 0)
    made: Policy = POLICIES.make(asked) if isinstance(asked, str) else asked
    if isinstance(made, type) or not (hasattr(made, "choose") and hasattr(made, "name")):
        raise QueryError(
            f"the policy is {short(made)}: give a registered name, a policy such as "
            "ItemThompson(), or a table of action probabilities"
        )
    check_actions(table["action"])
    numbers_of(table["reward"], "reward", -LARGEST, LARGEST)
    if segment is not None and pa.types.is_nested(table[segment].type):
        raise QueryError(f"column {segment!r} holds {table[segment].type}: give one value a row")
    cut = round(trained * table.num_rows)
    if table.num_rows - cut < FEWEST_ROUNDS:
        raise QueryError(
            f"{counted(table.num_rows - cut, 'round')} left to judge a policy on of "
            f"{table.num_rows:,}: give a longer log, or learn from a smaller share (trained)"
        )
    first, rest = table.slice(0, cut), table.slice(cut)
    actions = sorted(set(table["action"].to_pylist()), key=str)
    earned = _earned(first, actions)
    order = [actions[n] for n in np.argsort(-earned, kind="stable")]
    names = [str(action) for action in order]
    contexts = _contexts(table, segment)
    if isinstance(made, LearningPolicy):
        rows = zip(first["action"].to_pylist(), first["reward"].to_pylist(), contexts, strict=False)
        made.update([Round(str(action), float(reward), c) for action, reward, c in rows])
    known: dict[Any, Floats] = {}
    whole = np.empty((rest.num_rows, len(order)))
    for row, context in enumerate(contexts[cut:]):
        key = context.get("segment")
        if key not in known:
            known[key] = distribution_of(made, context, names, np.random.default_rng(seed))
        whole[row] = known[key]
    found = estimate(rest, whole, estimator, seed, actions=order, cluster=cluster)
    return PolicyFindings(made.name, found, _mean(rest), cut)


def distribution_of(
    policy: Policy, context: dict[str, Any], actions: list[str], rng: np.random.Generator
) -> Floats:
    """How likely a policy takes each action: float64 [actions], which sums to 1.

    Where it does not say so itself, by the propensities that it tells when it is asked often; what
    it never took shares what is left.
    """
    if isinstance(policy, LearningPolicy):
        return policy.distribution(context, actions)
    found = np.zeros(len(actions))
    for _ in range(_TRIES):
        choice = policy.choose(context, actions, rng)
        found[choice.action] = choice.propensity
        if found.sum() > 1 - 1e-9:
            break
    unseen = found == 0
    if unseen.any():
        found[unseen] = max(1 - found.sum(), 0) / unseen.sum()
    return np.asarray(found / found.sum())


def _contexts(table: pa.Table, segment: str | None) -> list[dict[str, Any]]:
    if segment is None:
        return [{}] * table.num_rows
    return [{"segment": value} for value in table[segment].to_pylist()]


def _earned(table: pa.Table, actions: list[Any]) -> Floats:
    """The mean reward of each action, shrunk to that of all by ten rounds."""
    place = {action: n for n, action in enumerate(actions)}
    code = np.array([place[action] for action in table["action"].to_pylist()], np.int64)
    reward = table["reward"].cast(pa.float64()).to_numpy()
    usual = float(reward.mean()) if len(reward) else 0.0
    total = np.bincount(code, reward, len(actions))
    return np.asarray((total + 10 * usual) / (np.bincount(code, minlength=len(actions)) + 10))


def _mean(table: pa.Table) -> float:
    return float(table["reward"].cast(pa.float64()).to_numpy().mean())
