"""Numbers about fewer than ten listeners are not shown, wherever numbers are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.experiments import analyse
from musicu.listening.small_groups import is_shown, shown_count, shown_groups


def people(**sizes: int) -> pa.Table:
    """Two rows for each of so many listeners of each group, the groups mixed."""
    rows = [(name, f"{name}{n}") for name, size in sizes.items() for n in range(size)] * 2
    return pa.table({"group": [r[0] for r in rows], "user_id": [r[1] for r in rows]})


def test_ten_listeners_are_shown_and_nine_are_not() -> None:
    table = people(nine=9, ten=10)
    shown, hidden = shown_groups(table, "group")
    assert set(shown["group"].to_pylist()) == {"ten"}
    assert shown.num_rows == 20  # rows are not listeners
    assert hidden == 1
    assert shown_groups(table, "group", smallest=9)[1] == 0
    assert shown_groups(people(nine=9), [])[0].num_rows == 0
    assert shown_groups(people(ten=10), [])[0].num_rows == 20
    assert (is_shown(9), is_shown(10)) == (False, True)
    assert (shown_count(9), shown_count(1234)) == ("fewer than 10", "1,234")


def test_rows_keep_their_order() -> None:
    table = people(b=12, a=11, few=2)
    expected = [row for row in table.to_pylist() if row["group"] != "few"]
    assert shown_groups(table, ["group"])[0].to_pylist() == expected


def experiment(**sizes: int) -> pa.Table:
    arms = [arm for arm, size in sizes.items() for _ in range(size)]
    plays = np.random.default_rng(2).normal(5, 1, len(arms))
    return pa.table({"arm": arms, "plays": plays, "country": ["is"] * 5 + ["no"] * (len(arms) - 5)})


def test_small_arms_and_segments_are_not_in_a_report() -> None:
    report = analyse(
        experiment(control=30, new=30, tiny=9), metrics=["plays"], segments="country",
        shares={"control": 1, "new": 1, "tiny": 1},
    )  # fmt: skip
    assert report.arms == {"control": 30, "new": 30}
    assert report.left_out == {"arms of fewer than 10 units": 1}
    assert {segment.value for segment in report.segments} == {"no"}
    for small in ({"control": 9, "new": 30}, {"control": 30, "new": 9}):
        with pytest.raises(QueryError, match="10 units or more"):
            analyse(experiment(**small), metrics=["plays"])
    assert analyse(experiment(control=9, new=9), metrics=["plays"], smallest_group=9).arms


def test_a_metric_that_few_units_have_is_not_told() -> None:
    table = experiment(control=30, new=30)
    known = pa.array([None if n % 4 else float(n) for n in range(60)])
    with pytest.raises(QueryError, match="fewer than 10 units with a value"):
        analyse(table.append_column("rare", known), metrics=["rare"])


def test_an_assignment_does_not_count_few_listeners(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [f"u{n}" for n in range(12)]}), tmp_path / "u.parquet")
    words = ["experiment", "assign", str(tmp_path / "u.parquet"), "--name", "x", "--arm", "a=1"]
    done = CliRunner().invoke(app, [*words, "--arm", "b=1", "-o", str(tmp_path / "arms.parquet")])
    assert done.exit_code == 0, done.output
    assert done.output.count("fewer than 10") == 2
