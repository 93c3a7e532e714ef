"""Off-policy estimates against plain loops, known truths and the warnings that they must give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from musicu.errors import QueryError
from musicu.evaluation.off_policy import estimate
from musicu.evaluation.off_policy.estimators import ESTIMATORS
from musicu.ingest.table import read_table

OBD = Path(__file__).parents[2] / "shared/data/obd"


class World:
    """Listeners of three kinds, five actions, and the reward that each pair has on average."""

    def __init__(self, seed: int, rounds: int = 3000) -> None:
        self.rng = np.random.default_rng(seed)
        self.kind = self.rng.integers(3, size=rounds)
        self.truth = 1 / (1 + np.exp(-(np.linspace(-1.5, 0.5, 5) + self.kind[:, None] * 0.4)))
        self.logging = self._softmax(np.linspace(0.6, -0.6, 5) + 0.0 * self.truth)
        self.policy = self._softmax(6 * self.truth)

    def log(self) -> pa.Table:
        count = len(self.kind)
        action = (self.logging.cumsum(axis=1) > self.rng.random((count, 1))).argmax(axis=1)
        rows = np.arange(count)
        reward = self.rng.random(count) < self.truth[rows, action]
        return pa.table(
            {
                "action": action,
                "reward": reward.astype(float),
                "propensity": self.logging[rows, action],
                "listener": np.array(["new", "light", "heavy"])[self.kind],
            }
        )

    @property
    def value(self) -> float:
        return float((self.policy * self.truth).sum(axis=1).mean())

    @staticmethod
    def _softmax(scores: np.ndarray) -> np.ndarray:
        raised = np.exp(scores)
        return raised / raised.sum(axis=1, keepdims=True)


def plain(name: str, log: pa.Table, policy: np.ndarray, q: np.ndarray) -> float:
    """The formulas, a round at a time."""
    rows = log.to_pylist()
    direct, corrected, weighted, weights = 0.0, 0.0, 0.0, 0.0
    for i, row in enumerate(rows):
        w = policy[i, row["action"]] / row["propensity"]
        direct += sum(policy[i, a] * q[i, a] for a in range(policy.shape[1]))
        corrected += w * (row["reward"] - q[i, row["action"]])
        weighted += w * row["reward"]
        weights += w
    n = len(rows)
    return {
        "dm": direct / n,
        "ips": weighted / n,
        "snips": weighted / weights,
        "dr": (direct + corrected) / n,
        "sndr": direct / n + corrected / weights,
    }[name]


@pytest.mark.parametrize("name", ["dm", "ips", "snips", "dr", "sndr"])
def test_estimators_are_their_formulas(name: str) -> None:
    world = World(0, rounds=300)
    log, q = world.log(), world.rng.random((300, 5))
    found = estimate(log, world.policy, name, expected=q, draws=10)
    assert found.value == pytest.approx(plain(name, log, world.policy, q), abs=1e-12)


def test_switching_and_shrinking_lie_between_the_model_and_the_correction() -> None:
    world = World(0, rounds=300)
    log, q = world.log(), world.rng.random((300, 5))
    ends = sorted(estimate(log, world.policy, e, expected=q, draws=2).value for e in ("dm", "dr"))
    weights = estimate(log, world.policy, "dr", expected=q, draws=2)
    for name in ("switch-dr", "dros"):
        found = estimate(log, world.policy, name, expected=q, draws=2)
        assert ends[0] - 0.02 <= found.value <= ends[1] + 0.02
        assert found.effective_sample_size == weights.effective_sample_size


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_intervals_hold_the_truth_as_often_as_they_say(name: str) -> None:
    held, errors = 0, []
    runs = 30
    for seed in range(runs):
        world = World(seed, rounds=600)
        found = estimate(world.log(), world.policy, name, seed, draws=100)
        held += found.low <= world.value <= found.high
        errors.append(found.value - world.value)
    assert held >= 0.83 * runs
    assert abs(np.mean(errors)) < 0.03


def test_the_policy_of_the_log_earns_what_the_log_earned() -> None:
    world = World(1)
    log = world.log()
    mean = np.mean(log["reward"].to_numpy())
    for name in ("ips", "snips", "dr"):
        found = estimate(log, world.logging, name)
        assert found.value == pytest.approx(mean, abs=0.01)
        assert found.effective_sample_size == pytest.approx(len(log))
        assert found.reliable


def test_a_log_that_cannot_tell_says_so() -> None:
    world = World(2, rounds=400)
    log = world.log().set_column(2, "propensity", pa.array(np.full(400, 0.9)))
    rare = log["propensity"].to_numpy().copy()
    rare[7] = 1e-5
    log = log.set_column(2, "propensity", pa.array(rare))
    found = estimate(log, np.full((400, 5), 0.2), "ips")
    assert not found.reliable
    assert found.effective_sample_size < 2
    assert any("of all weight" in words for words in found.warnings)
    unseen = np.zeros((400, 6))
    unseen[:, 5] = 1.0
    assert any(
        "never made in the log" in words for words in estimate(world.log(), unseen, "dm").warnings
    )


@pytest.mark.skipif(not OBD.is_dir(), reason="the Open Bandit Dataset is not there")
def test_a_diagnostic_fires_on_real_logs_with_a_handful_of_rounds() -> None:
    log = read_table(OBD / "bts_all.csv.gz").select(
        ["item_id", "position", "click", "propensity_score"]
    )
    log = log.rename_columns(["action", "position", "reward", "propensity"])
    uniform = np.full((log.num_rows, 80), 1 / 80)
    found = estimate(log, uniform, "snips")
    assert found.largest_weight > 200
    assert not found.reliable


def lists(rng: np.random.Generator, count: int) -> tuple[pa.Table, np.ndarray, float]:
    """Lists of three among four items, read from the top; what is above changes what is below."""
    logging, policy = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
    worth = np.array([0.1, 0.3, 0.5, 0.7])

    def rewards(items: np.ndarray) -> np.ndarray:
        above = np.concatenate([np.zeros((len(items), 1)), worth[items[:, :-1]]], axis=1)
        return worth[items] * (1 - 0.5 * above)

    items = rng.choice(4, size=(count, 3), p=logging)
    reward = (rng.random((count, 3)) < rewards(items)).astype(float)
    wanted = rng.choice(4, size=(50_000, 3), p=policy)
    truth = float(rewards(wanted).sum(axis=1).mean())
    log = pa.table(
        {
            "action": items.ravel(),
            "position": np.tile([1, 2, 3], count),
            "reward": reward.ravel(),
            "propensity": logging[items.ravel()],
            "page": np.repeat(np.arange(count), 3),
        }
    )
    return log, np.tile(policy, (3 * count, 1)), truth


def test_lists_read_from_the_top_need_the_weights_of_what_is_above() -> None:
    rng = np.random.default_rng(5)
    errors = {name: [] for name in ("slate-ips", "iips", "rips", "cascade-dr")}
    for seed in range(20):
        log, policy, truth = lists(rng, 1000)
        for name, found in errors.items():
            value = estimate(log, policy, name, seed, slate="page", draws=2).value
            found.append(value - truth)
    deviation = {name: np.std(found) for name, found in errors.items()}
    for name in ("slate-ips", "rips", "cascade-dr"):
        assert abs(np.mean(errors[name])) < 3 * deviation[name] / np.sqrt(20)
    assert abs(np.mean(errors["iips"])) > 5 * deviation["iips"] / np.sqrt(20)
    assert deviation["cascade-dr"] < deviation["rips"] < deviation["slate-ips"]


def test_frames_and_named_actions_give_the_same() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    world = World(3, rounds=500)
    log = world.log()
    names = ["a", "b", "c", "d", "e"]
    named = log.set_column(0, "action", pa.array(np.array(names)[log["action"].to_numpy()]))
    first = estimate(log, world.policy)
    assert estimate(named.to_pandas(), world.policy, actions=names) == first
    assert estimate(polars.from_arrow(named), world.policy, actions=names) == first
    assert isinstance(log.to_pandas(), pandas.DataFrame)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"propensity": 0.0}, {}, "propensity is 0.0 in row 0: it has to be above 0"),
        ({"reward": float("nan")}, {}, "reward is nan in row 0"),
        ({"action": 9}, {}, "actions go from 9 to 9"),
        ({"action": "x"}, {}, "name them"),
        ({"action": "x"}, {"actions": ["a", "b", "c", "d", "e"]}, "the action 'x'"),
        ({}, {"estimator": "best"}, "no estimator 'best'"),
        ({}, {"estimator": "rips"}, "is for a list estimator"),
    ],
)
def test_wrong_logs_say_what_is_wrong(change: dict, options: dict, words: str) -> None:
    row = {"action": 1, "reward": 1.0, "propensity": 0.5, **change}
    with pytest.raises(QueryError, match=words):
        estimate(pa.Table.from_pylist([row] * 4), np.full((4, 5), 0.2), **options)


def test_probabilities_that_are_none_are_refused() -> None:
    log = World(0, rounds=4).log()
    with pytest.raises(QueryError, match=r"row 0 sum to 2"):
        estimate(log, np.full((4, 5), 0.4))
    with pytest.raises(QueryError, match=r"give \[4, actions\]"):
        estimate(log, np.full((3, 5), 0.2))
