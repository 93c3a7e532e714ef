"""A run saves often at first, then seldom."""

from __future__ import annotations

import itertools

import pytest

from musicu.pipeline import commit_interval as pace


def test_a_commit_is_due_after_two_percent_of_the_time_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(pace.time, "monotonic", lambda: now)
    paced = pace.CommitInterval()
    taken = []
    for tick in range(40_000):
        now = float(tick)
        if paced.due():
            taken.append(now)
    gaps = {start: end - start for start, end in itertools.pairwise(taken)}
    assert all(2 <= gap <= 60 for gap in gaps.values())
    assert [gaps[t] for t in taken if t < 90] == [2.0] * sum(t < 90 for t in taken)
    assert all(gap == 60 for t, gap in gaps.items() if t > 3000)
    middle = [gap / t for t, gap in gaps.items() if 500 < t < 2000]
    assert all(0.02 <= share < 0.025 for share in middle)
