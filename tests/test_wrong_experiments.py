"""Odd tables given to experiments, estimates and policies: an error that says what to do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from musicu.cli.app import app
from musicu.errors import MusicuError, QueryError
from musicu.evaluation.off_policy import estimate
from musicu.evaluation.off_policy.policy_evaluation import evaluate_policy
from musicu.experiments import Metric, analyse

ROWS = 60
NAN = float("nan")
ZONED = pa.array(
    [datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(hours=n) for n in range(ROWS)],
    pa.timestamp("us", "Europe/Berlin"),
)


def table(**columns: Any) -> pa.Table:
    given = {
        "user_id": [f"u{n // 2}" for n in range(ROWS)],
        "arm": ["new" if n // 2 % 2 else "control" for n in range(ROWS)],
        "plays": np.arange(ROWS) % 7 * 1.0,
        "streams": np.ones(ROWS),
        "country": ["is", "no"] * (ROWS // 2),
        "before": np.arange(ROWS) % 5,
    }
    return pa.table({**given, **columns})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (table().slice(0, 0), "two arms or more"),
        (table().slice(0, 1), "two arms or more"),
        (table(arm=["control"] * ROWS), "two arms or more"),
        (table(arm=pa.nulls(ROWS, pa.string())), "two arms or more"),
        (table(arm=[NAN] * ROWS), "two arms or more"),
        (table().drop_columns(["arm"]), "no column 'arm'"),
        (table(arm=[["a"]] * ROWS), "give one text or number a row"),
        (table(arm=[b"\xff"] * ROWS), "give one text or number a row"),
        (table(user_id=[{"a": 1}] * ROWS), "give one text or number a row"),
        (table(country=[[1]] * ROWS), "give one text or number a row"),
        (table(user_id=pa.nulls(ROWS)), "two arms or more"),
        (table(user_id=["one"] * ROWS), "units or more"),
        (table(arm=["control", "new"] * (ROWS // 2)), "units or more"),
        (table(plays=[NAN] * ROWS), "nothing to divide by"),
        (table(plays=pa.nulls(ROWS)), "a metric needs numbers"),
        (table(plays=["1"] * ROWS), "a metric needs numbers"),
        (table(plays=ZONED), "a metric needs numbers"),
        (table(plays=[float("inf")] * ROWS), "infinite values"),
        (table(plays=[1e300] * ROWS), "give a larger unit"),
        (table(streams=np.zeros(ROWS)), "nothing to divide by"),
        (table(before=["x"] * ROWS), "a metric needs numbers"),
        (table(before=[NAN] * ROWS), "nothing to divide by"),
        (table().append_column("arm", table()["arm"]), "two columns 'arm'"),
        ("nothing.csv", "cannot be read"),
        (None, "give a table"),
    ],
)
def test_an_experiment_that_cannot_be_analysed_says_what_to_do(given: Any, words: str) -> None:
    metrics = [Metric("plays/streams", "plays", over="streams", covariate="before")]
    with pytest.raises(MusicuError, match=words):
        analyse(given, unit="user_id", metrics=metrics, segments=["country"])


def test_what_is_missing_or_twice_is_left_out_and_counted() -> None:
    arms = [None, None, *table()["arm"].to_pylist()[2:]]
    plays = [NAN if n < 10 else float(n) for n in range(ROWS)]
    report = analyse(table(arm=arms, plays=plays), unit="user_id", metrics=["plays"])
    assert report.left_out == {"rows without an arm or a unit": 2}
    assert report.metrics["plays"].left_out == 4
    zoned = analyse(table(country=ZONED), metrics=["plays"], segments="country")
    assert zoned.segments == []  # a moment each, none of which has ten units
    assert zoned.folded
    as_numbers = table(arm=[NAN if n < 4 else float(n // 2 % 2) for n in range(ROWS)])
    assert set(analyse(as_numbers, metrics=["plays"]).arms) == {"0", "1"}


def log(**columns: Any) -> pa.Table:
    given = {
        "action": ["x", "y"] * (ROWS // 2),
        "propensity": [0.5] * ROWS,
        "reward": np.arange(ROWS) % 3 / 2,
        "kind": ["k", "l"] * (ROWS // 2),
        "user_id": [f"u{n % 9}" for n in range(ROWS)],
    }
    return pa.table({**given, **columns})


LOGS: list[tuple[pa.Table, str]] = [
    (log().slice(0, 0), "is empty|left to judge"),
    (log().slice(0, 1), "1 round"),
    (log().drop_columns(["propensity"]), "no column 'propensity'"),
    (log().append_column("reward", log()["reward"]), "two columns 'reward'"),
    (log(propensity=[0.0] * ROWS), "above 0 and at most 1"),
    (log(propensity=[1.5] * ROWS), "above 0 and at most 1"),
    (log(propensity=[-0.5] * ROWS), "above 0 and at most 1"),
    (log(propensity=[1e-300] * ROWS), "above 0 and at most 1"),
    (log(propensity=[NAN] * ROWS), "above 0 and at most 1"),
    (log(propensity=["half"] * ROWS), "has to be numbers"),
    (log(reward=[NAN] * ROWS), "has to be a number"),
    (log(reward=[None] + [1.0] * (ROWS - 1)), "has to be a number"),
    (log(reward=[1e308] * ROWS), "has to be a number"),
    (log(reward=ZONED), "has to be numbers"),
    (log(reward=[[1.0]] * ROWS), "has to be numbers"),
    (log(action=pa.nulls(ROWS)), "actions are null"),
    (log(action=[None] + ["x"] * (ROWS - 1)), "1 round without an action"),
    (log(action=[["x"]] * ROWS), "actions are list"),
    (log(action=[{"a": 1}] * ROWS), "actions are struct"),
    (log(action=ZONED), "actions are timestamp"),
]


@pytest.mark.parametrize(("given", "words"), LOGS)
def test_a_log_that_cannot_be_read_says_what_to_do(given: pa.Table, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        estimate(given, np.full((given.num_rows, 2), 0.5), actions=["x", "y"], draws=5)
    with pytest.raises(QueryError, match=words):
        evaluate_policy(given, "item-thompson")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"policy": "nobody"}, "no policy 'nobody'"),
        ({"policy": None}, "give a registered name"),
        ({"policy": int}, "give a registered name"),
        ({"policy": [[0.5, 0.5]]}, "give a registered name"),
        ({"policy": np.full((ROWS, 2), 0.5)}, "give a registered name"),
        ({"trained": 1}, "below 1"),
        ({"trained": "half"}, "trained is 'half'"),
        ({"trained": 0.999}, "left to judge"),
        ({"seed": -1}, "0 or more"),
        ({"segment": "mood"}, "no column 'mood'"),
        ({"cluster": "mood"}, "no column 'mood'"),
    ],
)
def test_a_policy_that_cannot_be_judged_says_why(options: dict[str, Any], words: str) -> None:
    with pytest.raises(MusicuError, match=words):
        evaluate_policy(log(), **{"policy": "random", **options})
    nested = log(kind=[["k"]] * ROWS)
    with pytest.raises(QueryError, match="one value a row"):
        evaluate_policy(nested, "item-thompson", segment="kind")


@pytest.mark.parametrize("words", [["experiment", "analyse"], ["evaluate", "policy"]])
def test_the_commands_print_no_traceback(tmp_path: Path, words: list[str]) -> None:
    options = ["-m", "plays"] if words[0] == "experiment" else ["--policy", "random"]
    odd = [table().slice(0, 0), table(arm=["a"] * ROWS), *(given for given, _ in LOGS[:9:2])]
    for number, given in enumerate(odd):
        names = given.column_names
        if len(set(names)) < len(names):
            continue
        path = tmp_path / f"{number}.parquet"
        pq.write_table(given, path)
        done = CliRunner().invoke(app, [*words, str(path), *options])
        assert done.exit_code != 0
        assert isinstance(done.exception, MusicuError), done.exception
