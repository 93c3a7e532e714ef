"""Next-item models: what is counted, how it is mixed, and what the contract promises."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from musicu.errors import QueryError
from musicu.sequences import fit
from musicu.sequences.heldout_sessions import hold_out, rank_of
from musicu.sequences.item_regression import closed_form, gram_matrix, neighbour_form
from musicu.sequences.mixture import mixture
from musicu.sequences.sequential_rules import RuleSettings, SequentialRules, count_pairs
from musicu.sequences.session_neighbours import NeighbourSettings, SessionNeighbours
from musicu.sequences.session_table import SessionTable, faded

KINDS = ("auto", "rules", "ease")


def chains(count: int = 60, items: int = 30, seed: int = 0) -> list[list[str]]:
    """Sessions that walk along a ring of items: after t07 comes t08."""
    rng = np.random.default_rng(seed)
    starts, lengths = rng.integers(items, size=count), rng.integers(3, 9, count)
    return [
        [f"t{(start + step) % items:02d}" for step in range(length)]
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]


def table(*sessions: list[int]) -> SessionTable:
    top = max(item for session in sessions for item in session)
    return SessionTable.of(list(sessions), {item: item for item in range(top + 1)})


@pytest.mark.parametrize("kind", KINDS)
def test_batch_equals_single(kind: str) -> None:
    model = fit(chains(), kind=kind)
    histories = [["t03"], [], ["t05", "t06"], ["nobody"], ["t29", "t00", "t01"]]
    batch = model.scores(histories)
    assert batch.dtype == np.float32
    assert batch.shape == (5, len(model.items))
    single = np.concatenate([model.scores([history]) for history in histories])
    np.testing.assert_array_equal(batch, single)


@pytest.mark.parametrize("kind", ["auto", "rules"])
def test_what_always_follows_is_first(kind: str) -> None:
    model = fit(chains(), kind=kind)
    assert model.items[model.scores([["t05", "t06"]])[0].argmax()] == "t07"


def test_a_history_that_says_nothing_falls_back_on_popularity() -> None:
    model = fit([*chains(), ["hit", "t01"], ["hit", "t02"], ["hit", "t09"]] + [["hit"]] * 30)
    for history in ([], ["never seen"]):
        assert model.items[model.scores([history])[0].argmax()] == "hit"


def test_a_pair_counts_one_over_its_steps() -> None:
    pairs = count_pairs(table([0, 1, 2, 0], [1, 2]), 3).toarray()
    np.testing.assert_allclose(pairs, [[0, 1, 1 / 2], [1 / 2, 0, 2], [1, 0, 0]])


def test_rules_are_divided_by_powers_of_their_totals() -> None:
    pairs = count_pairs(table([0, 1], [0, 1], [0, 2]), 3)
    rules = SequentialRules.of(pairs, RuleSettings(backward=0, source_power=1, target_power=0))
    np.testing.assert_allclose(rules.scores(np.array([0])), [0, 2 / 3, 1 / 3], rtol=1e-6)
    even = SequentialRules.of(pairs, RuleSettings(backward=0, source_power=1, target_power=1))
    np.testing.assert_allclose(even.scores(np.array([0])), [0, 1 / 3, 1 / 3], rtol=1e-6)


def test_ease_is_the_ridge_regression_of_each_item_on_all_others() -> None:
    rng = np.random.default_rng(0)
    held = rng.random((40, 6)) < 0.4
    gram = gram_matrix(
        SessionTable.of([np.flatnonzero(r).tolist() for r in held], {i: i for i in range(6)}), 6
    )
    x = held.astype(float)
    np.testing.assert_allclose(gram.toarray(), x.T @ x)
    weights = closed_form(gram, 3.0)
    for item in range(6):
        others = np.delete(np.arange(6), item)
        a = x[:, others]
        plain = np.linalg.solve(a.T @ a + 3 * np.eye(5), a.T @ x[:, item])
        np.testing.assert_allclose(weights[others, item], plain, atol=1e-5)
    assert not np.diag(weights).any()
    np.testing.assert_allclose(neighbour_form(gram, 3.0).toarray(), weights, atol=1e-5)


def test_each_item_is_regressed_on_its_nearest_only() -> None:
    rng = np.random.default_rng(1)
    sessions = [rng.choice(30, 6, replace=False).tolist() for _ in range(200)]
    weights = neighbour_form(gram_matrix(table(*sessions), 30), 5.0, neighbours=4)
    assert np.diff(weights.tocsc().indptr).max() == 4


def test_neighbours_give_what_stands_after_the_shared_item_more() -> None:
    found = SessionNeighbours(table([0, 1, 2, 3, 4], [5, 6]), 7, NeighbourSettings())
    scores = found.scores(np.array([2]))
    assert scores[3] > scores[1] > 0
    assert scores[3] > scores[4] > scores[0]
    assert not scores[[2, 5, 6]].any()


def test_new_sessions_count_more_where_age_matters() -> None:
    sessions = table([0, 1], [3, 4], [0, 2])
    scores = SessionNeighbours(sessions, 5, NeighbourSettings(age=3.0)).scores(np.array([0]))
    assert scores[2] > scores[1] > 0


def test_a_history_fades_from_its_latest_items() -> None:
    rows, weights = faded(np.array([4, 7, 4, 9]), 0.5, 2)
    np.testing.assert_array_equal(rows, [9, 4])
    np.testing.assert_allclose(weights, [1, 0.5])


def test_times_order_sessions_and_what_is_in_them() -> None:
    sessions = [["a", "b"], ["c", "d"], ["e", "f"]]
    row_of = {name: row for row, name in enumerate("abcdef")}
    days = [datetime(2026, 1, day) for day in (3, 1, 2)]
    for times in ([3, 1, 2], [[2, 3], [0, 1], [1, 2]], days, np.array(days, "M8[s]")):
        ordered = SessionTable.of(sessions, row_of, times)
        np.testing.assert_array_equal(ordered.item, [2, 3, 4, 5, 0, 1])
    ordered = SessionTable.of([*sessions, []], row_of, [[3, 2], [1, 0], [1, 1], []])
    np.testing.assert_array_equal(ordered.item, [3, 2, 4, 5, 1, 0])


def test_what_is_held_out_is_not_learned_from() -> None:
    """The last items of few sessions; the whole of the newest where sessions are many."""
    few = table(*[[1, 2, 3, 4, 5, 6, 7, 8] for _ in range(10)], [9, 8, 7])
    held = hold_out(few, np.random.default_rng(0))
    np.testing.assert_array_equal(held.train.lengths, [6] * 10 + [2])
    assert held.histories[1].tolist() == [1, 2, 3, 4, 5, 6, 7][: len(held.histories[1])]
    many = SessionTable(np.tile([0, 1, 2], 50_000), np.arange(0, 150_001, 3))
    held = hold_out(many, np.random.default_rng(0))
    assert len(held.train) == 50_000
    assert held.train.lengths[-1_500:].sum() == 0
    assert held.train.lengths[:-1_500].min() == 3
    assert len(held) == 3_000


def test_what_has_the_moment_of_a_target_is_not_in_its_history() -> None:
    items = [[0, 1, 2, 3, 4], [2, 3, 4], [0, 1, 2, 3], [4, 3, 0, 1]]
    days = [[1, 1, 2, 2, 2], [1, 1, 1], [4, 5, 5, 6], [5, 6, 7, 8]]
    row_of = {item: item for item in range(5)}
    held = hold_out(SessionTable.of(items, row_of, days), np.random.default_rng(0))
    histories = {int(t): h.tolist() for t, h in zip(held.targets, held.histories, strict=True)}
    # of the session of one moment alone there is no target
    assert histories == {4: [0, 1], 3: [0, 1, 2], 1: [4, 3, 0]}
    assert len(held) == 3


def test_sessions_that_know_no_moments_or_one_alone_keep_their_order() -> None:
    items = [[0, 1, 2, 3, 4], [4, 2, 3, 1]]
    row_of = {item: item for item in range(5)}
    assert SessionTable.of(items, row_of, [2, 1]).settled is None
    known = SessionTable.of(items, row_of, [[1] * 5, [2] * 4])
    held = hold_out(known, np.random.default_rng(0))
    assert [h.tolist() for h in held.histories] == [[0, 1, 2, 3], [4, 2, 3]]


def test_the_mixture_makes_the_targets_likeliest() -> None:
    shares = np.random.default_rng(0).random((500, 3)) * [1.0, 0.2, 0.5]
    weights = mixture(shares)
    best = np.log(shares @ weights).sum()
    for other in np.random.default_rng(1).dirichlet(np.ones(3), 200):
        assert np.log(shares @ other).sum() <= best + 1e-6


def test_ties_count_by_half() -> None:
    """Or a model without evidence would seem as good as one that knows."""
    assert rank_of(np.array([1, 1, 1, 2, 0], np.float32), 0) == 2
    assert rank_of(np.zeros(101, np.float32), 7) == 50


def test_repeats_follow_what_sessions_do_unless_told() -> None:
    once = fit(chains())
    assert not once.settings.repeats
    scores = once.scores([["t05", "t06"]])[0]
    assert (scores[once.rows(["t05", "t06"])] == -1).all()
    assert (np.delete(scores, once.rows(["t05", "t06"])) >= 0).all()
    again = [[name for name in session for _ in range(2)] for session in chains()]
    assert fit(again).settings.repeats
    assert not fit(again, repeats=False).settings.repeats
    assert (fit(chains(), repeats=True).scores([["t05"]]) >= 0).all()


def test_new_sessions_update_counts_as_if_all_had_been_counted() -> None:
    old, new = chains(), [["t01", "fresh", "t02"], ["fresh", "t09"]]
    updated = fit(old).updated(new)
    assert updated.items == [*fit(old).items, "fresh"]
    whole = fit(old + new).counts
    for name in ("pairs", "gram"):
        same = getattr(updated.counts, name) - getattr(whole, name)
        assert abs(same).max() < 1e-5
    assert updated.items[updated.scores([["fresh"]])[0].argmax()] in {"t02", "t09"}


def test_the_same_seed_gives_the_same_model() -> None:
    one, two = fit(chains(), seed=3), fit(chains(), seed=3)
    np.testing.assert_array_equal(one.scores([["t04"]]), two.scores([["t04"]]))


@pytest.mark.parametrize(
    ("sessions", "options", "says"),
    [
        (chains(), {"kind": "lstm"}, "kind is 'lstm'"),
        (chains(), {"seed": -1}, "seed is -1"),
        ([[], []], {}, "sessions are empty"),
        (["abc"], {}, "one of the sessions is 'abc'"),
        ([{"a", "b"}], {}, "give lists of ids"),
        ([iter("ab")], {}, "give lists of ids"),
        ([[None, "a"]], {}, "an id is missing"),
        ([[float("nan"), "a"]], {}, "an id is missing"),
        ([[["a"]]], {}, "unhashable"),
        ([["a"], ["b"]], {"times": [1]}, "1 times for 2 sessions"),
        ([["a"], ["b"]], {"times": ["2026", "2027"]}, "give numbers or moments"),
        ([["a"], ["b"]], {"times": [1, float("nan")]}, "a time is missing"),
        ([["a"], ["b"]], {"times": [[1, 2], [3]]}, "1 items has 2 times"),
        ([["a"]], {"content": {"a": [1, 2], "b": [1]}}, "not of one length"),
        ([["a"]], {"content": (["a", "a"], np.eye(2))}, "there twice"),
        ([["a"]], {"content": (["a", "b"], 1e30 * np.eye(2))}, "scale its vectors down"),
    ],
)
def test_what_makes_no_sense_is_refused(sessions: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(QueryError, match=says):
        fit(sessions, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_logs_are_learned_from(kind: str) -> None:
    for sessions in ([["a"]], [["a", "b"]], [["a", "a"]], [[], ["a"], []]):
        found = fit(sessions, kind=kind).scores([["a"], ["unknown"], []])
        assert np.isfinite(found).all()
