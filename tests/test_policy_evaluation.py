"""Policies of the registry, judged on a log whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from click.testing import CliRunner

from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.evaluation.off_policy.policy_evaluation import distribution_of, evaluate_policy
from musicu.policies.epsilon_greedy import EpsilonGreedy

RATES = np.array([[0.1, 0.3, 0.2], [0.4, 0.1, 0.2]])  # by segment and action


def random_log(rounds: int = 4000, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    kind, action = rng.integers(2, size=rounds), rng.integers(3, size=rounds)
    reward = (rng.random(rounds) < RATES[kind, action]).astype(float)
    names = np.array(["new", "deep", "hits"])[action]
    return pa.table(
        {
            "action": names,
            "reward": reward,
            "propensity": np.full(rounds, 1 / 3),
            "kind": np.array(["light", "heavy"])[kind],
        }
    )


def test_a_policy_that_reads_segments_earns_what_the_best_actions_do() -> None:
    log = random_log()
    found = evaluate_policy(log, "item-thompson", segment="kind")
    assert found.trained == 2000
    assert found.estimate.low < 0.35 < found.estimate.high
    assert found.estimate.reliable
    assert found.estimate.value > found.logged + 0.05
    blind = evaluate_policy(log, "item-thompson")
    assert blind.estimate.value < found.estimate.value


def test_random_earns_what_a_random_log_earned() -> None:
    found = evaluate_policy(random_log(), "random", "ips")
    assert found.estimate.value == pytest.approx(found.logged)


def test_a_table_of_probabilities_is_judged_on_all_rounds() -> None:
    log = random_log(300)
    always = {"new": 1.0, "deep": 0.0, "hits": 0.0}
    wanted = pa.table({name: np.full(300, chance) for name, chance in always.items()})
    found = evaluate_policy(log, wanted, "snips")
    rewards = [row["reward"] for row in log.to_pylist() if row["action"] == "new"]
    assert found.estimate.value == pytest.approx(np.mean(rewards))


def test_probabilities_of_any_policy_are_found_by_asking_it() -> None:
    found = distribution_of(EpsilonGreedy(0.4), {}, list("abcd"), np.random.default_rng(0))
    assert found == pytest.approx([0.7, 0.1, 0.1, 0.1])


def test_the_command_prints_an_estimate_and_what_speaks_against_it(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    pyarrow.csv.write_csv(random_log(400), path)
    words = ["evaluate", "policy", str(path), "--policy", "squarecb"]
    done = CliRunner().invoke(app, [*words, "--segment", "kind", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["estimate"]["rounds"] == 200
    assert "the log earned" in CliRunner().invoke(app, words).output


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(QueryError, match="no column 'reward'"):
        evaluate_policy(random_log().drop_columns("reward"), "random")
    with pytest.raises(QueryError, match="no column 'mood'"):
        evaluate_policy(random_log(), "random", segment="mood")
