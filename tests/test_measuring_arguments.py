"""What measures listeners refuses wrong arguments by name, and answers right ones in any form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from musicu.errors import QueryError, SourceError
from musicu.evaluation.off_policy import estimate
from musicu.experiments import (
    Assignment,
    ExperimentReport,
    FixedHorizon,
    GroupSequential,
    Interleaved,
    Metric,
    analyse,
    balanced,
    decide,
    optimised,
    plan,
    preference,
    team_draft,
)  # fmt: skip
from musicu.listening.feedback import OUTCOMES, FeedbackLog, read
from musicu.rewards import DelayedReward, RewardTerm, progressive_traces, reward_table

NOON = datetime(2026, 5, 21, 12, tzinfo=timezone.utc)
EVEN = {"a": 0.5, "b": 0.5}
any_: Any = None


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def log(count: int = 400) -> pd.DataFrame:
    actions = rng().integers(0, 3, count)
    return pd.DataFrame(
        {
            "action": actions,
            "reward": (actions == 2) * 1.0,
            "propensity": 1 / 3,
            "user_id": np.arange(count) % 50,
        }
    )


def always(action: int, count: int = 400) -> np.ndarray:
    return np.tile(np.eye(3)[action], (count, 1))


def outcomes(days: int = 4) -> pa.Table:
    rows = [
        {
            "event_id": f"e{n}",
            "exposure_id": None,
            "user_id": "u",
            "track_id": "t",
            "kind": "played",
            "milliseconds": 40_000,
            "at": NOON + timedelta(days=n),
        }
        for n in range(days)
    ]
    return pa.Table.from_pylist(rows, OUTCOMES)


def results() -> pd.DataFrame:
    arms = rng().choice(["control", "new"], 200)
    return pd.DataFrame({"arm": arms, "saves": rng().poisson(2, 200)})


# --- assignment


def test_an_id_has_one_arm_however_it_is_written() -> None:
    split = Assignment("x", EVEN)
    whole = split.assign(list(range(100)))
    assert split.assign([str(n) for n in range(100)]) == whole
    assert split.assign(pd.Series(range(100), dtype=float)) == whole
    assert split.assign(pl.Series(range(100))) == whole


@pytest.mark.parametrize("ids", ["anna", pd.DataFrame({"user_id": ["a"]}), [None], [float("nan")]])
def test_what_is_no_list_of_ids_gets_no_arm(ids: Any) -> None:
    with pytest.raises(QueryError, match="id"):
        Assignment("x", EVEN).assign(ids)


@pytest.mark.parametrize(
    "settings",
    [
        {"arms": ["a", "b"]},
        {"arms": {"a": float("inf"), "b": 1}},
        {"arms": {"a": "0.5", "b": 0.5}},
        {"within": (0, 0.5, 1)},
        {"within": "ab"},
        {"holdout": "0.1"},
    ],
)
def test_shares_are_numbers(settings: Any) -> None:
    with pytest.raises(QueryError):
        Assignment(**{"name": "x", "arms": EVEN, **settings})


# --- interleaving


def test_chosen_items_count_in_any_column() -> None:
    shown = Interleaved(("a", "b"), ((1.0, 0.0), (0.0, 1.0)))
    assert shown.scores(["b"]) == shown.scores(pd.Series(["b"])) == (0.0, 1.0)
    with pytest.raises(QueryError, match="several"):
        shown.scores("ab")


def test_rankings_are_read_in_their_order_whatever_their_index() -> None:
    first, second = list("abcd"), list("dcba")
    turned = pd.Series(second[::-1])[::-1]  # its index falls
    assert balanced([first, turned], 4, rng()) == balanced([first, second], 4, rng())
    for wrong in (["abc", "bca"], None, ["a", "b"]):
        with pytest.raises(QueryError):
            team_draft(wrong, 3, rng())


def test_optimised_lists_go_on_with_the_longer_ranking() -> None:
    shown = optimised([["a"], ["b"]], 4, rng())
    assert sorted(shown.items) == ["a", "b"]


@pytest.mark.parametrize("scores", [[(1, 0, 0)], [1, 0], [(float("nan"), 1)], "ab"])
def test_a_preference_is_between_two_known_credits(scores: Any) -> None:
    with pytest.raises(QueryError, match="credits"):
        preference(scores)


# --- analysis


def test_one_metric_one_segment_and_arms_of_numbers_will_do() -> None:
    table = results().assign(arm=lambda t: (t["arm"] == "new") * 1, country="se")
    found = analyse(table, metrics="saves", segments="country", shares={0: 0.5, 1: 0.5}, control=1)
    assert found.control == "1"
    assert len(found.segments) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"metrics": [Metric]},
        {"metrics": None},
        {"shares": [0.5, 0.5]},
        {"design": FixedHorizon},
        {"design": "sequential"},
        {"alpha": "0.05"},
    ],
)
def test_analyse_says_what_is_wrong(wrong: Any) -> None:
    with pytest.raises(QueryError):
        analyse(results(), **{"metrics": ["saves"], **wrong})


def test_only_a_treatment_of_the_report_is_decided() -> None:
    report = analyse(results(), metrics=["saves"])
    with pytest.raises(QueryError, match="no treatment"):
        decide(report, "control")
    with pytest.raises(QueryError, match="class ExperimentReport"):
        decide(ExperimentReport)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"mean": float("inf")}, {"mean": "2"}, {"looks": 2.5}, {"lift": 1e-300}]
)
def test_a_plan_takes_finite_numbers_and_whole_looks(wrong: Any) -> None:
    with pytest.raises(QueryError):
        plan(**{"mean": 2.0, "deviation": 1.0, "lift": 0.1, **wrong})
    with pytest.raises(QueryError):
        GroupSequential([float("nan")])


# --- off-policy evaluation


def test_columns_of_a_table_are_the_actions_that_they_are_named_after() -> None:
    named = log().assign(action=lambda t: t["action"].map({0: "a", 1: "b", 2: "c"}))
    table = pd.DataFrame(always(2), columns=list("abc"))
    right = estimate(log(), always(2), "ips").value
    assert estimate(named, table[["c", "a", "b"]], "ips").value == right
    assert estimate(log(), pl.DataFrame(always(2), ["0", "1", "2"]), "ips").value == right
    with pytest.raises(QueryError, match="columns are"):
        estimate(named, table, "ips", actions=["c", "b", "a"])


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(position=np.where(t["user_id"] > 3, 1, np.nan)),
        lambda t: t.assign(position="10"),
        lambda t: t.assign(user_id=t["user_id"].where(t["user_id"] > 3)),
        lambda t: t.drop(columns="user_id"),
        lambda t: t.assign(reward="x"),
        lambda t: t.assign(context=np.inf),
    ],
)
def test_a_log_with_gaps_is_refused(change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    with pytest.raises(QueryError):
        estimate(change(log()), always(2), "dr", cluster="user_id")


def test_a_list_has_one_row_at_each_position() -> None:
    with pytest.raises(QueryError, match="two rows at one position"):
        estimate(log(), always(2), "rips", slate="user_id")
    with pytest.raises(QueryError, match="not both"):
        estimate(log(), always(2), "rips", slate="user_id", cluster="user_id")


def test_one_cluster_gives_no_reliable_interval() -> None:
    found = estimate(log().assign(user_id=1), always(2), "ips", cluster="user_id")
    assert any("1 cluster" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"expected": np.full((400, 3), np.nan)},
        {"draws": 0},
        {"actions": [0, 1, 1]},
        {"actions": ["0", "1", "2"]},
    ],
)
def test_estimates_are_never_of_missing_numbers_or_doubled_actions(wrong: Any) -> None:
    with pytest.raises(QueryError):
        estimate(log(), always(2), "dr", **wrong)


# --- rewards


def test_rewards_and_traces_are_the_same_of_any_library_and_unit() -> None:
    table = outcomes()
    right = reward_table(table)
    fine = table.set_column(6, "at", table["at"].cast(pa.timestamp("ns", "UTC")))
    ids, traces = progressive_traces(table, NOON + timedelta(days=5), 5)
    assert traces[0].tolist() == [1, 1, 1, 0, 0]
    forms: list[Any] = [table.to_pandas(), pl.from_arrow(table), fine, fine.to_pandas()]
    for form in forms:
        assert reward_table(form).equals(right)
        again = progressive_traces(form, NOON + timedelta(days=5), 5)
        assert again[0] == ids
        np.testing.assert_array_equal(again[1], traces)


def test_a_track_of_no_length_is_not_heard_to_its_end() -> None:
    end = [RewardTerm("end", 1.0, ["played"], "x", at_least_share=0.9)]  # type: ignore[arg-type]
    for seconds in (0, float("nan"), None):
        assert reward_table(outcomes(), end, {"t": seconds})["end"].to_pylist() == [0] * 4  # type: ignore[dict-item]
    assert reward_table(outcomes(), end, pd.Series({"t": 40.0}))["end"].to_pylist() == [1] * 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"kinds": "played"},
        {"kinds": ("playd",)},
        {"name": "reward"},
        {"value": float("nan")},
        {"at_least_share": 90},
        {"baseline": "me"},
    ],
)
def test_a_term_that_would_count_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(QueryError):
        RewardTerm(**{"name": "a", "value": 1.0, "kinds": ("played",), "about": "x", **wrong})


def test_outcomes_lack_no_column_and_have_known_kinds() -> None:
    for wrong in (outcomes().drop(["kind"]), outcomes().to_pandas().assign(kind="playd")):
        with pytest.raises(QueryError, match="kind"):
            reward_table(wrong)
    with pytest.raises(QueryError, match="kinds"):
        progressive_traces(outcomes(), NOON, kinds="played")


def test_traces_have_the_days_that_the_filter_was_fitted_on() -> None:
    complete = (rng().random((30, 10)) < 0.4).astype(float)
    model = DelayedReward.fit(complete, np.repeat(list("abcdef"), 5))
    assert model.value(complete[0]) == model.value(complete[:1])
    for wrong in (np.ones((2, 5)), np.full(10, np.inf)):
        with pytest.raises(QueryError, match="traces"):
            model.value(wrong)
    with pytest.raises(QueryError, match="weights"):
        DelayedReward.fit(complete, np.repeat(list("abcdef"), 5), np.ones(3))


# --- feedback


def test_a_record_that_does_not_fit_never_reaches_the_log(tmp_path: Path) -> None:
    good = outcomes(1).to_pylist()[0]
    with FeedbackLog(tmp_path) as feedback:
        assert feedback.outcomes.append([good | {"at": "2026-05-21T12:00:00Z"}]) == 1
        for wrong in ({"kind": "playd"}, {"at": "noon"}, {"milliseconds": "9"}):
            with pytest.raises(SourceError, match=f"record 1: {next(iter(wrong))}"):
                feedback.outcomes.append([good | {"event_id": "n"}, good | wrong])
        with pytest.raises(SourceError, match="list of dictionaries"):
            feedback.outcomes.append(pd.DataFrame([good]))  # type: ignore[arg-type]
    (kept,) = read(tmp_path, "outcomes").to_pylist()
    assert kept == good | {"user_id": kept["user_id"]}  # which is a pseudonym


@pytest.mark.parametrize(
    "wrong", [("forget", None), ("forget", 5), ("expire", -1), ("expire", "3")]
)
def test_a_slip_removes_no_feedback(tmp_path: Path, wrong: tuple[str, Any]) -> None:
    with FeedbackLog(tmp_path) as feedback:
        feedback.outcomes.append(outcomes(3).to_pylist())
        with pytest.raises(QueryError):
            getattr(feedback, wrong[0])(wrong[1])
    assert read(tmp_path, "outcomes").num_rows == 3


def test_reading_feedback_names_the_tables(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="exposures, outcomes"):
        read(tmp_path, "outcome")
    with pytest.raises(QueryError, match="folder"):
        FeedbackLog(any_)
