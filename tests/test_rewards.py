"""Rewards count what their definitions say, and the filter knows long-term value early."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import spearmanr

from musicu.errors import QueryError
from musicu.listening.feedback import OUTCOMES
from musicu.rewards import DelayedReward, progressive_traces, reward_table, reward_terms
from musicu.rewards.skip_kinds import plays_before, skip_kinds

NOON = datetime(2026, 5, 21, 12, tzinfo=timezone.utc)


def table(*rows: tuple[str, str, str, int | None, float]) -> pa.Table:
    """Outcomes as (user, track, kind, milliseconds, seconds since noon), one exposure each pair."""
    records: list[dict[str, Any]] = [
        {
            "event_id": f"e{number}",
            "exposure_id": f"{user}-{track}",
            "user_id": user,
            "track_id": track,
            "kind": kind,
            "milliseconds": milliseconds,
            "at": NOON + timedelta(seconds=seconds),
        }
        for number, (user, track, kind, milliseconds, seconds) in enumerate(rows)
    ]
    return pa.Table.from_pylist(records, OUTCOMES)


def test_skips_are_told_apart() -> None:
    plays = [("a", "worn", "played", 200_000, 60.0 * i) for i in range(5)]
    found = skip_kinds(
        table(
            *plays,
            ("a", "worn", "skipped", 50_000, 400),
            ("a", "x", "skipped", 3_000, 1000),
            ("a", "y", "skipped", 2_000, 1005),
            ("a", "z", "played", 180_000, 1010),
            ("a", "w", "skipped", 3_000, 5000),
            ("b", "x", "skipped", 3_000, 1002),
        )
    )
    assert found.to_pylist() == [
        *[None] * 5, "fatigue", "search", "search", None, "dislike", "dislike"
    ]  # fmt: skip


def test_the_order_of_the_rows_changes_no_kind() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"u{rng.integers(3)}", f"t{rng.integers(4)}", str(rng.choice(["played", "skipped"])),
         int(rng.integers(40_000)), float(second))
        for second in np.cumsum(rng.integers(1, 300, 200))
    ]  # fmt: skip
    whole = table(*rows)
    order = rng.permutation(200)
    kinds, shuffled = skip_kinds(whole), skip_kinds(whole.take(order))
    assert shuffled.to_pylist() == kinds.take(pa.array(order)).to_pylist()
    before = [sum(r[:2] == rows[i][:2] and r[2] == "played" for r in rows[:i]) for i in range(200)]
    assert plays_before(whole).tolist() == before


def test_each_reward_counts_what_its_definition_says() -> None:
    day = 86_400.0
    found = reward_table(
        table(
            ("a", "long", "played", 30_000, 0),
            ("a", "short", "played", 29_999, 10),
            ("a", "whole", "played", 95_000, 20),
            ("a", "kept", "saved", None, 30),
            ("a", "kept", "added_to_playlist", None, 40),
            ("a", "again", "played", 40_000, 50),
            ("a", "again", "played", 40_000, 3 * day),
            ("a", "late", "played", 40_000, 60),
            ("a", "late", "played", 40_000, 9 * day),
            ("a", "away", "dismissed", None, 70),
        ),
        reward_terms(),
        {"whole": 100.0, "long": 100.0},
    )
    rows = {row["track_id"]: row for row in found.to_pylist()}
    assert (rows["long"]["stream"], rows["long"]["completion"]) == (1, 0)
    assert rows["short"]["reward"] == 0
    assert (rows["whole"]["completion"], rows["whole"]["reward"]) == (1, 2)
    assert rows["kept"]["reward"] == 6
    assert (rows["again"]["stream"], rows["again"]["return"]) == (1, 2)
    assert rows["late"]["return"] == 0
    assert rows["away"]["reward"] == -3
    assert all(term.about and term.source for term in reward_terms())


def test_a_skip_by_who_skips_everything_says_less() -> None:
    rows = [("patient", f"t{i}", "played", 100_000, 500.0 * i) for i in range(40)]
    rows += [("restless", f"t{i}", "skipped", 20_000, 500.0 * i) for i in range(40)]
    rows += [("patient", "bad", "skipped", 20_000, 30_000.0)]
    found = reward_table(table(*rows), reward_terms())
    worth = {(r["user_id"], r["track_id"]): r["dislike"] for r in found.to_pylist()}
    assert worth["patient", "bad"] < -0.8
    assert -0.2 < worth["restless", "t1"] < 0


def test_one_exposure_is_one_row_and_outcomes_without_one_stay_apart() -> None:
    outcomes = table(("a", "t", "played", 40_000, 0), ("a", "t", "saved", None, 9))
    assert reward_table(outcomes, reward_terms()).num_rows == 1
    none = outcomes.set_column(1, "exposure_id", pa.nulls(2, pa.string()))
    assert reward_table(none, reward_terms()).num_rows == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[x]\nvalue = 1", "needs value, kinds and about"),
        ("[x]\nvalue = 1\nkinds = ['liked']\nabout = ''", "'liked' is none of"),
        ("[x]\nvalu = 1", "no setting 'valu'"),
        ("x = 1", "is no table"),
        ("[x", "is no TOML"),
    ],
)
def test_wrong_definitions_say_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rewards.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(QueryError, match=words):
        reward_terms(path)


class Shows:
    """Shows whose listeners come back on some of 60 days, more or less and for longer or not."""

    days = 60

    def __init__(self, count: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        level = self.rng.normal(-1.6, 0.5, count)
        decay = self.rng.gamma(2.0, 0.012, count)
        day = np.arange(self.days)
        self.logits = level[:, None] - decay[:, None] * day

    def listeners(self, show: int, count: int) -> np.ndarray:
        own = self.rng.normal(0, 1.2, (count, 1))
        chance = 1 / (1 + np.exp(-(self.logits[show] + own)))
        return (self.rng.random((count, self.days)) < chance).astype(float)

    def truth(self) -> np.ndarray:
        own = np.random.default_rng(9).normal(0, 1.2, (400, 1))
        return np.array(
            [(1 / (1 + np.exp(-(row + own)))).sum(axis=1).mean() for row in self.logits]
        )


def fitted(seed: int = 1) -> DelayedReward:
    past = Shows(100, seed)
    traces = [past.listeners(show, 60) for show in range(100)]
    return DelayedReward.fit(np.concatenate(traces), np.repeat(np.arange(100), 60))


def test_long_term_value_is_known_early_and_better_every_day() -> None:
    model, shows = fitted(), Shows(150, 2)
    truth = shows.truth()
    everybody = [shows.listeners(show, 20 * 60) for show in range(150)]
    known: dict[int, float] = {}
    first_day: dict[int, float] = {}
    for today in (3, 7, 14, 30, 60):
        values, proxy = [], []
        for traces in everybody:
            begun = traces[: 20 * today].copy()
            age = today - np.arange(20 * today) // 20
            begun[np.arange(shows.days) >= age[:, None]] = np.nan
            values.append(model.value(begun).mean)
            proxy.append(np.nanmean(begun[:, 0]))
        known[today] = spearmanr(values, truth)[0]
        first_day[today] = spearmanr(proxy, truth)[0]
    targets = {3: 0.34, 7: 0.61, 14: 0.80, 30: 0.92, 60: 0.97}
    assert all(known[day] >= target for day, target in targets.items())
    assert all(known[day] >= first_day[day] for day in targets)


def test_intervals_of_the_value_hold_the_truth_as_often_as_they_say() -> None:
    model, shows = fitted(), Shows(150, 3)
    held = []
    for show, truth in enumerate(shows.truth()):
        begun = shows.listeners(show, 60)
        begun[np.arange(shows.days) >= (10 - np.arange(60) // 6)[:, None]] = np.nan
        value = model.value(begun)
        held.append(abs(value.mean - truth) <= 1.645 * value.deviation)
    assert 0.82 <= np.mean(held) <= 0.97
    assert model.prior().deviation > model.value(shows.listeners(0, 5)).deviation


def test_traces_are_read_off_outcomes() -> None:
    day = 86_400.0
    outcomes = table(
        ("a", "t", "played", 1, 0),
        ("a", "t", "played", 1, 2 * day),
        ("a", "t", "skipped", 1, 3 * day),
        ("b", "t", "played", 1, 2.6 * day),
    )
    items, traces = progressive_traces(outcomes, NOON + timedelta(days=4), days=5)
    assert items == ["t", "t"]
    np.testing.assert_array_equal(
        traces, [[0, 1, 0, 0, np.nan], [0, np.nan, np.nan, np.nan, np.nan]]
    )


def test_a_trace_with_a_hole_is_refused() -> None:
    with pytest.raises(QueryError, match="NaN from there on"):
        fitted().value(np.where(np.arange(60) == 5, np.nan, 1.0))
