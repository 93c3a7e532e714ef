"""Experiments by group of creators and by activity: known answers, intervals that cover."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.experiments import ByCreator, ExperimentReport, analyse
from musicu.experiments.comparisons import MetricResult

TRACKS = 40  # the last ten are of the small label


def exposures(rng: np.random.Generator, effect: float = 0.0, users: int = 300) -> pa.Table:
    """A row an exposure; each listener's share of small tracks differs, `effect` is added."""
    sizes = rng.poisson(rng.gamma(2, 6, users)) + 2
    arm = np.arange(users) % 2
    share = np.clip(rng.beta(2, 6, users) + effect * arm, 0, 1)
    user = np.repeat(np.arange(users), sizes)
    small = rng.random(len(user)) < share[user]
    track = np.where(small, rng.integers(30, TRACKS, len(user)), rng.integers(30, size=len(user)))
    return pa.table(
        {
            "user_id": [f"u{n}" for n in user],
            "arm": np.where(arm[user] == 1, "new", "control"),
            "track_id": [f"t{n}" for n in track],
            "label": np.where(track >= 30, "small", "large"),
            "saved": rng.random(len(user)) < 0.2,
            "played": (rng.random(len(user)) < 0.5).astype(float),
            "before": sizes[user] % 7,
        }
    )


def asked(table: pa.Table, creators: ByCreator | str, **options: object) -> ExperimentReport:
    return analyse(table, metrics=["saved"], unit="user_id", creators=creators, **options)  # type: ignore[arg-type]


def of(report: ExperimentReport, group: str, kind: str) -> MetricResult:
    return next(c.result for c in report.creators if (c.group, c.kind) == (group, kind))


def test_shares_of_groups_are_those_of_the_rows() -> None:
    table = exposures(np.random.default_rng(0))
    report = asked(table, ByCreator(by="label", listening="played"))
    frame = table.to_pandas()
    small = frame["label"] == "small"
    for arm, value in (("control", "control"), ("new", "treatment")):
        own = frame["arm"] == arm
        shown, heard = (of(report, "small", f"{kind} share") for kind in ("exposure", "listening"))
        assert getattr(shown, value) == pytest.approx(small[own].mean())
        played = frame["played"][own]
        assert getattr(heard, value) == pytest.approx(played[small[own]].sum() / played.sum())
    parts = [of(report, group, "saved") for group in ("small", "large")]
    whole = report.metrics["saved"]
    assert sum(part.difference for part in parts) == pytest.approx(whole.difference)
    assert sum(part.control for part in parts) == pytest.approx(whole.control)


def test_shares_of_equal_arms_differ_no_more_often_than_the_level_says() -> None:
    wrong = covered = 0
    for seed in range(200):
        equal = of(
            asked(exposures(np.random.default_rng(seed)), "popularity"), "head", "exposure share"
        )
        wrong += equal.p_value < 0.05
        other = exposures(np.random.default_rng(1000 + seed), effect=0.1)
        moved = of(asked(other, "label"), "small", "exposure share")
        covered += moved.low <= 0.1 * 0.99 <= moved.high  # a few are clipped
    assert wrong <= 20  # 10 are expected
    assert covered >= 180


def test_groups_come_from_catalogs_tables_and_popularity(tmp_path: Path) -> None:
    table = exposures(np.random.default_rng(1), effect=0.2)
    ids = [f"t{n}" for n in range(TRACKS)]
    labels = ["large"] * 30 + ["small"] * 10
    tracks = pa.table({"track_id": ids, "publisher": labels})
    expected = of(asked(table, "label"), "small", "exposure share")
    for creators in (
        ByCreator(by="publisher", tracks=tracks),
        ByCreator(by=pa.table({"track_id": ids, "publisher": labels})),
    ):
        found = of(asked(table, creators), "small", "exposure share")
        assert (found.difference, found.p_value) == (expected.difference, expected.p_value)
    few = asked(table, ByCreator(by="publisher", tracks=tracks.slice(5)))
    assert few.folded["rows of an unknown track"] > 0
    groups = {c.group for c in asked(table, "popularity").creators}
    assert groups <= {"head", "tail", "cold"}


def test_small_groups_of_creators_are_folded_and_counted() -> None:
    table = exposures(np.random.default_rng(2))
    label = np.array(table["label"].to_pylist(), object)
    label[:4] = "own label"
    table = table.set_column(table.column_names.index("label"), "label", pa.array(label))
    report = asked(table, "label")
    assert {c.group for c in report.creators} == {"large", "other groups"}
    assert report.folded == {"groups of creators with fewer than 10 units in an arm": 2}
    few = exposures(np.random.default_rng(2), users=16)
    with pytest.raises(QueryError, match="10 units or more"):
        asked(few, "label")


def test_listeners_are_new_light_and_heavy_by_what_they_did_before() -> None:
    table = exposures(np.random.default_rng(3))
    report = analyse(table, metrics=["saved"], unit="user_id", activity="before")
    shown = {s.value: s.result for s in report.segments if s.segment == "activity"}
    assert set(shown) == {"new", "light", "heavy"}
    first = table.to_pandas().groupby("user_id")["before"].first()
    assert sum(shown["new"].units) == (first == 0).sum()
    assert sum(sum(each.units) for each in shown.values()) == len(first)


def test_small_segments_are_one_where_they_are_enough_together() -> None:
    table = pa.table(
        {
            "arm": ["a", "b"] * 60,
            "plays": np.arange(120.0),
            "country": ["fi"] * 80 + ["is"] * 16 + ["fo"] * 16 + ["no"] * 8,
        }
    )
    report = analyse(table, metrics=["plays"], segments=["country"])
    assert {s.value: s.result.units for s in report.segments} == {
        "fi": (40, 40), "other groups": (20, 20),
    }  # fmt: skip
    assert report.folded == {"values of segments with fewer than 10 units in an arm": 3}


@pytest.mark.parametrize(
    ("creators", "words"),
    [
        ("shape", "no column 'shape'"),
        (ByCreator(by="label", listening="none"), "no column 'none'"),
        (ByCreator(by="label", listening="user_id"), "numbers"),
        (ByCreator(track="none"), "no column 'none'"),
        (ByCreator(by="x", tracks=pa.table({"track_id": ["z"], "x": ["y"]})), "compare the ids"),
    ],
)
def test_groups_that_cannot_be_had_say_why(creators: ByCreator | str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        asked(exposures(np.random.default_rng(4)), creators)
    with pytest.raises(QueryError, match="need unit"):
        analyse(exposures(np.random.default_rng(4)), metrics=["saved"], creators="label")


def test_the_command_prints_groups_and_puts_them_on_the_page(tmp_path: Path) -> None:
    pq.write_table(exposures(np.random.default_rng(5), effect=0.2), tmp_path / "e.parquet")
    words = ["experiment", "analyse", str(tmp_path / "e.parquet"), "--unit", "user_id"]
    words += ["-m", "saved", "--creators", "label", "--listening", "played", "--activity", "before"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    for text in ("label: small", "exposure share", "listening share", "activity: heavy"):
        assert text in done.output
    assert "label: small, exposure share" in (tmp_path / "page.html").read_text("utf-8")
    done = CliRunner().invoke(app, [*words, "--json"])
    found = json.loads(done.stdout.splitlines()[-1])["creators"]
    assert {row["kind"] for row in found} == {"exposure share", "listening share", "saved"}
    done = CliRunner().invoke(app, [*words[:7], "--listening", "played"])
    assert done.exit_code == 2
