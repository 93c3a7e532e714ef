"""Experiments: assignment, planning, analysis, looks, interleaving, against known answers."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scipy import stats

from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.experiments import (
    AnytimeValid,
    Assignment,
    GroupSequential,
    Metric,
    analyse,
    balanced,
    decide,
    optimised,
    plan,
    preference,
    team_draft,
)
from musicu.experiments.interleaving import _by_turns, _rank_credit, _unbiased
from musicu.experiments.sequential import boundaries
from musicu.ingest.table import read_table

#: The arms of the first users, control or new: they may never change.
GOLDEN = "cnccnncnnnnnncnnccnccnnn"
COOKIE_CATS = Path(__file__).parents[2] / "shared/data/cookie_cats/cookie_cats.csv.gz"


def listeners(
    rng: np.random.Generator, count: int = 400, effect: float = 0.0, streams: float = 20.0
) -> pa.Table:
    """A row a stream: heavy and light listeners, each with a skip rate of their own."""
    heavy = rng.gamma(0.7, streams / 0.7, count)
    sizes = rng.poisson(heavy) + 1
    arm = rng.integers(2, size=count)
    own = np.clip(rng.beta(2, 4, count) + 0.1 * (heavy > streams) + effect * arm, 0, 1)
    user = np.repeat(np.arange(count), sizes)
    return pa.table(
        {
            "user_id": pa.array(user).cast(pa.string()),
            "arm": np.where(arm[user] == 1, "treatment", "control"),
            "skipped": rng.random(len(user)) < own[user],
            "one": np.ones(len(user)),
        }
    )


@pytest.mark.skipif(not COOKIE_CATS.is_file(), reason="the Cookie Cats table is not there")
def test_a_published_experiment_has_its_known_answer() -> None:
    report = analyse(read_table(COOKIE_CATS), arm="version", metrics=["retention_7", "retention_1"])
    week, day = report.metrics["retention_7"], report.metrics["retention_1"]
    assert (week.difference, week.low, week.high) == pytest.approx(
        (-0.0082, -0.01328, -0.00312), abs=5e-6
    )
    assert week.p_value == pytest.approx(0.00156, abs=5e-6)
    assert day.p_value == pytest.approx(0.0744, abs=5e-5)
    assert report.sample_ratio_p == pytest.approx(0.0086, abs=5e-5)
    assert decide(report).kind == "invalid"


def test_a_plain_mean_is_tested_as_welch_tests_it() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(2, 1, 40), rng.normal(2.4, 3, 25)
    table = pa.table({"arm": ["a"] * 40 + ["b"] * 25, "minutes": np.concatenate([a, b])})
    found = analyse(table, metrics=["minutes"]).metrics["minutes"]
    theirs = stats.ttest_ind(b, a, equal_var=False)
    within = theirs.confidence_interval()
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((within.low, within.high), rel=1e-9)


def test_a_ratio_of_clustered_rows_covers_and_a_test_over_rows_does_not() -> None:
    rng = np.random.default_rng(11)
    by_unit, by_row = 0, 0
    runs = 400
    for _ in range(runs):
        table = listeners(rng, 200)
        by_unit += (
            analyse(table, metrics=["skipped"], unit="user_id").metrics["skipped"].p_value < 0.05
        )
        by_row += analyse(table, metrics=["skipped"]).metrics["skipped"].p_value < 0.05
    assert by_unit / runs == pytest.approx(0.05, abs=0.035)
    assert by_row / runs > 0.25


def test_rows_summed_by_unit_are_the_ratio_of_the_sums() -> None:
    table = listeners(np.random.default_rng(5))
    summed = table.group_by(["user_id", "arm"]).aggregate([("skipped", "sum"), ("one", "sum")])
    rows = analyse(table, metrics=["skipped"], unit="user_id").metrics["skipped"]
    ratio = analyse(summed, metrics=["skipped_sum/one_sum"]).metrics["skipped_sum/one_sum"]
    assert (rows.difference, rows.low, rows.p_value) == pytest.approx(
        (ratio.difference, ratio.low, ratio.p_value), rel=1e-9
    )


def test_a_covariate_narrows_the_interval_and_leaves_the_estimate_unbiased() -> None:
    rng = np.random.default_rng(7)
    differences, narrower = [], []
    for _ in range(200):
        before = rng.normal(10, 3, 400)
        arm = rng.integers(2, size=400)
        after = before + 0.5 * arm + rng.normal(0, 1, 400)
        table = pa.table({"arm": arm, "minutes": after, "before": before})
        plain = analyse(table, metrics=["minutes"]).metrics["minutes"]
        metric = Metric("minutes", covariate="before")
        corrected = analyse(table, metrics=[metric]).metrics["minutes"]
        differences.append(corrected.difference)
        narrower.append((corrected.high - corrected.low) / (plain.high - plain.low))
        assert corrected.variance_removed == pytest.approx(0.9, abs=0.05)
    assert np.mean(differences) == pytest.approx(0.5, abs=0.03)
    assert np.mean(narrower) == pytest.approx(np.sqrt(0.1), abs=0.03)


def test_boundaries_are_those_of_lan_and_demets() -> None:
    published = [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]
    assert boundaries([0.2, 0.4, 0.6, 0.8, 1.0], 0.05) == pytest.approx(published, abs=3e-4)


def paths(effect: float, looks: int, count: int = 20_000) -> np.ndarray:
    """Test statistics at even looks: float64 [count, looks]."""
    steps = np.random.default_rng(1).normal(effect / looks, looks**-0.5, (count, looks))
    return np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, looks + 1) / looks)


def test_fourteen_looks_keep_the_false_positives_and_the_power() -> None:
    fractions = np.arange(1, 15) / 14
    bounds = np.array(boundaries(list(fractions), 0.05))
    always = np.array([AnytimeValid(f).critical(0.05, 1e9) for f in fractions])
    nothing, something = paths(0.0, 14), paths(stats.norm.ppf(0.975) + stats.norm.ppf(0.8), 14)
    assert 0.045 <= (np.abs(nothing) >= bounds).any(axis=1).mean() <= 0.055
    assert (np.abs(something) >= bounds).any(axis=1).mean() >= 0.77
    assert (np.abs(nothing) >= always).any(axis=1).mean() < 0.05
    assert (np.abs(nothing) >= 1.96).any(axis=1).mean() > 0.2


@pytest.mark.parametrize("design", [GroupSequential.evenly(9, 14), AnytimeValid(0.7)])
def test_a_p_value_at_the_boundary_is_alpha(design: GroupSequential | AnytimeValid) -> None:
    reached = design.critical(0.05, 1e6)
    assert design.p_value(reached, 0.05, 1e6) == pytest.approx(0.05, rel=1e-3)
    assert design.p_value(reached + 1, 0.05, 1e6) < 0.05 < design.p_value(reached - 1, 0.05, 1e6)


def test_a_plan_has_the_power_that_it_says() -> None:
    planned = plan(mean=0.3, deviation=0.5, lift=0.2, units_per_day=100)
    assert planned.units_per_arm == pytest.approx(2 * (0.5 / 0.06) ** 2 * 2.80159**2, abs=1)
    assert planned.days == -(-2 * planned.units_per_arm // 100)
    looked = plan(mean=0.3, deviation=0.5, lift=0.2, looks=14)
    assert 1.01 < looked.units_per_arm / planned.units_per_arm < 1.1
    drift = 0.06 / 0.5 * np.sqrt(looked.units_per_arm / 2)
    bounds = np.array(boundaries([look / 14 for look in range(1, 15)], 0.05))
    assert (np.abs(paths(drift, 14)) >= bounds).any(axis=1).mean() == pytest.approx(0.8, abs=0.01)


def test_an_assignment_is_the_same_everywhere_and_layers_are_independent() -> None:
    ids = [f"user {i}" for i in range(20_000)]
    one = Assignment("mixes", {"control": 1, "new": 3})
    arms = np.array(one.assign(ids).to_pylist())
    assert arms[:6].tolist() == [one.arm_of(i) for i in ids[:6]]
    assert "".join(arm[0] for arm in arms[:24]) == GOLDEN
    assert (arms == "new").mean() == pytest.approx(0.75, abs=0.01)
    other = np.array(Assignment("order", {"a": 1, "b": 1}).assign(ids).to_pylist())
    table = [[((arms == a) & (other == b)).sum() for b in "ab"] for a in ("control", "new")]
    assert stats.chi2_contingency(table).pvalue > 0.001


def test_experiments_of_a_layer_share_nobody_and_a_holdout_is_in_none() -> None:
    ids = [str(i) for i in range(10_000)]
    halves = [
        Assignment(name, {"a": 1, "b": 1}, "page", within, holdout=0.1).assign(ids)
        for name, within in (("first", (0.0, 0.5)), ("second", (0.5, 1.0)))
    ]
    inside = np.array([[arm is not None for arm in half.to_pylist()] for half in halves])
    assert not inside.all(axis=0).any()
    assert inside.any(axis=0).mean() == pytest.approx(0.9, abs=0.02)


def test_units_in_several_arms_and_rows_without_an_arm_are_counted_and_left_out() -> None:
    table = pa.table(
        {
            "user_id": ["a", "a", "b", "c", "d", "e", "f"],
            "arm": ["x", "y", "x", "x", "y", "y", None],
            "plays": [1.0, 1, 2, 3, 5, 7, 9],
        }
    )
    report = analyse(table, metrics=["plays"], unit="user_id", smallest_group=1)
    assert report.left_out == {"rows without an arm or a unit": 1, "units in several arms": 1}
    assert report.arms == {"x": 2, "y": 2}
    assert report.metrics["plays"].difference == pytest.approx(3.5)


def test_a_guardrail_stops_a_treatment_and_an_open_one_makes_it_wait() -> None:
    arm = np.repeat(["control", "new"], 4000)
    spread = np.tile([-1.0, 1.0], 4000)
    better = 10 + 2 * spread + (arm == "new")
    for skips, noise, expected in ((0, 1, "treatment"), (0.4, 1, "control"), (0.2, 9, "open")):
        worse = 4 + noise * spread + skips * (arm == "new")
        report = analyse(
            pa.table({"arm": arm, "saves": better, "skips": worse}),
            metrics=["saves", Metric("skips", better="lower", margin=0.05)],
        )
        assert decide(report).kind == expected


def test_several_metrics_are_corrected_together() -> None:
    rng = np.random.default_rng(4)
    values = {f"m{i}": rng.normal(size=400) for i in range(5)}
    report = analyse(pa.table({"arm": ["a", "b"] * 200, **values}), metrics=list(values))
    raw = sorted(result.p_value for result in report.metrics.values())
    adjusted = sorted(result.adjusted_p_value for result in report.metrics.values())
    holm = np.minimum(1, np.maximum.accumulate([p * (5 - i) for i, p in enumerate(raw)]))
    assert adjusted == pytest.approx(holm.tolist())


def test_segments_with_few_units_are_not_shown() -> None:
    table = pa.table(
        {
            "arm": ["a", "b"] * 50,
            "plays": np.arange(100.0),
            "country": ["fi"] * 90 + ["is"] * 10,
        }
    )
    report = analyse(table, metrics=["plays"], segments=["country"])
    assert [segment.value for segment in report.segments] == ["fi"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metrics": ["nothing"]}, "no column 'nothing'"),
        ({"metrics": ["name"]}, "a metric needs numbers"),
        ({"metrics": ["plays"], "arm": "name"}, "two arms"),
        ({"metrics": ["plays"], "control": "z"}, "no unit is in the control 'z'"),
        ({"metrics": ["plays"], "shares": {"a": 1.0}}, "one above 0 for each arm"),
        ({"metrics": []}, "one metric or more"),
        ({"metrics": ["plays"], "alpha": 5}, "alpha is 5"),
    ],
)
def test_what_cannot_be_analysed_says_why(options: dict, words: str) -> None:
    table = pa.table({"arm": ["a", "b"] * 10, "plays": range(20), "name": ["n"] * 20})
    with pytest.raises(QueryError, match=words):
        analyse(table, **options)


def rankings(seed: int) -> tuple[list[str], list[str]]:
    first = [f"t{i}" for i in range(10)]
    second = list(first)
    np.random.default_rng(seed).shuffle(second)
    return first, second


@pytest.mark.parametrize("make", [team_draft, balanced, optimised])
def test_an_interleaved_list_prefers_the_ranking_whose_items_are_chosen(make) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    good, bad = [f"t{i}" for i in range(10)], [f"t{i}" for i in range(9, -1, -1)]
    scores = []
    for _ in range(200):
        shown = make([bad, good], 4, rng)
        assert len(set(shown.items)) == 4
        chosen = [item for item in shown.items if rng.random() < 1 / (1 + int(item[1:]))]
        scores.append(shown.scores(chosen))
    found = preference(scores)
    assert found.losses > found.wins
    assert found.high < 0.5


@pytest.mark.parametrize("seed", range(5))
def test_chance_choices_prefer_neither_ranking_in_an_optimised_list(seed: int) -> None:
    sides = rankings(seed)
    lists = sorted({tuple(_by_turns(sides, turns)) for turns in product((0, 1), repeat=5)})
    leans = np.array([[a - b for a, b in _rank_credit(items, sides)] for items in lists])
    chances = _unbiased(leans)
    assert chances.sum() == pytest.approx(1)
    assert np.abs(chances @ np.cumsum(leans, axis=1)).max() < 1e-9


def test_three_rankings_get_equal_turns() -> None:
    rng = np.random.default_rng(0)
    sides = [[f"{name}{i}" for i in range(9)] for name in "abc"]
    shown = team_draft(sides, 9, rng)
    assert np.sum(shown.credit, axis=0).tolist() == [3, 3, 3]
    assert shown.scores(["a0", "b0", "b1"]) == (1, 2, 0)


def test_the_command_analyses_writes_a_page_and_keeps_foreign_files(tmp_path: Path) -> None:
    table = tmp_path / "results.parquet"
    pq.write_table(listeners(np.random.default_rng(1), 400, effect=0.2), table)
    page = tmp_path / "report.html"
    options = ["experiment", "analyse", str(table), "--unit", "user_id", "-m", "skipped"]
    options += ["--lower-is-better", "skipped", "--look", "7", "14"]
    done = CliRunner().invoke(app, [*options, "-o", str(page), "--json"])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["decisions"]["treatment"]["kind"] == "control"
    assert "Keep control: skipped is worse" in page.read_text("utf-8")
    page.write_text("mine", "utf-8")
    assert CliRunner().invoke(app, [*options, "-o", str(page)]).exit_code != 0
    assert page.read_text("utf-8") == "mine"


def test_the_command_assigns_each_unit_once(tmp_path: Path) -> None:
    units = tmp_path / "users.csv"
    units.write_text("user_id\n" + "\n".join(f"u{i % 50}" for i in range(200)), "utf-8")
    out = tmp_path / "arms.parquet"
    done = CliRunner().invoke(
        app,
        f"experiment assign {units} --name x --arm a=1 --arm b=1 -o {out}".split(),
    )
    assert done.exit_code == 0, done.output
    written = pq.read_table(out)
    assert written.num_rows == 50
    assert written["arm"].to_pylist() == [
        Assignment("x", {"a": 1, "b": 1}).arm_of(user) for user in written["user_id"].to_pylist()
    ]
