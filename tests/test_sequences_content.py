"""Items that nobody has played, models on disk, and sessions from tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from musicu.errors import ModelError, QueryError
from musicu.sequences import NextItemModel, fit
from musicu.sequences.content_neighbours import ContentNeighbours, content_table
from musicu.sequences.heldout_sessions import hold_out_items
from musicu.sequences.item_regression import gram_matrix, neighbour_form
from musicu.sequences.listening_sessions import listening_sessions, playlist_sessions
from musicu.sequences.next_item_storage import CARD, load_next_model, save_next_model
from musicu.sequences.session_table import SessionTable

GROUPS, EACH, DIM = 6, 8, 12


def world(seed: int = 0) -> tuple[list[list[str]], list[str], np.ndarray]:
    """Sessions within groups of items, whose vectors are near; the last of each is never played."""
    rng = np.random.default_rng(seed)
    ids = [f"g{group}-{n}" for group in range(GROUPS) for n in range(EACH)]
    centres = np.repeat(rng.standard_normal((GROUPS, DIM)), EACH, axis=0)
    vectors = (centres + 0.3 * rng.standard_normal(centres.shape)).astype(np.float32)
    sessions = [
        [f"g{group}-{n}" for n in rng.choice(EACH - 1, 4, replace=False)]
        for group in rng.integers(GROUPS, size=300)
    ]
    return sessions, ids, vectors


@pytest.fixture(scope="module")
def model() -> NextItemModel:
    sessions, ids, vectors = world()
    return fit(sessions, content=(ids, vectors))


def test_an_item_that_nobody_played_is_found_where_its_group_goes_on(model: NextItemModel) -> None:
    cold = [f"g{group}-{EACH - 1}" for group in range(GROUPS)]
    assert set(cold) <= set(model.items)
    scores = model.scores([[f"g{group}-0", f"g{group}-1"] for group in range(GROUPS)])
    columns = model.rows(cold)
    assert scores[:, columns].argmax(axis=1).tolist() == list(range(GROUPS))
    assert (scores[range(GROUPS), columns] > 0).all()


def test_without_content_only_what_was_played_is_known() -> None:
    sessions, ids, _ = world()
    assert set(ids) - set(fit(sessions).items) == {
        f"g{group}-{EACH - 1}" for group in range(GROUPS)
    }


def test_a_history_of_unplayed_items_is_read_by_their_nearest(model: NextItemModel) -> None:
    best = model.items[model.scores([[f"g2-{EACH - 1}"]])[0].argmax()]
    assert best.startswith("g2-")


def test_unplayed_items_cost_no_more_than_is_allowed(model: NextItemModel) -> None:
    assert 0 <= model.report["content"]["warm_cost"] <= 0.03 + 1e-9


def test_items_that_play_the_part_of_unplayed_ones_are_in_no_session_that_is_fitted_on() -> None:
    table = SessionTable.of([[0, 1, 2, 3], [2], [3, 2, 0], []], {n: n for n in range(4)})
    held = hold_out_items(table, np.array([False, False, True, True]))
    assert held.train.item.tolist() == [0, 1, 0]
    assert held.train.start.tolist() == [0, 2, 2, 3, 3]
    assert held.targets.tolist() == [2, 3]
    assert [history.tolist() for history in held.histories] == [[0, 1], [0, 1]]


@pytest.mark.parametrize("follows", ["alike", "other"])
def test_how_unplayed_items_are_ordered_is_learned_from_items_taken_out(follows: str) -> None:
    """Where groups follow each other, likeness to the history says nothing, and spread all."""
    rng = np.random.default_rng(1)
    _, ids, vectors = world(1)
    step = 0 if follows == "alike" else 1
    sessions = [
        [
            f"g{(group + step * (place % 2)) % GROUPS}-{n}"
            for place, n in enumerate(rng.choice(EACH - 1, 4, replace=False))
        ]
        for group in rng.integers(GROUPS, size=400)
    ]
    found = fit(sessions, content=(ids, vectors))
    scores = found.scores([[f"g{group}-0"] for group in range(GROUPS)])
    cold = found.rows([f"g{group}-{EACH - 1}" for group in range(GROUPS)])
    best = scores[:, cold].argmax(axis=1)
    allowed = [
        {group} if step == 0 else {(group + 1) % GROUPS, (group - 1) % GROUPS}
        for group in range(GROUPS)
    ]
    assert sum(b in a for b, a in zip(best.tolist(), allowed, strict=True)) >= GROUPS - 1


def test_batch_equals_single_with_content(model: NextItemModel) -> None:
    histories = [["g0-0"], [f"g1-{EACH - 1}"], []]
    single = np.concatenate([model.scores([history]) for history in histories])
    np.testing.assert_array_equal(model.scores(histories), single)


def test_neighbours_are_the_nearest_played_others() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((70, 5)).astype(np.float32)
    played = rng.random(70) < 0.9
    found = ContentNeighbours.of(vectors, played).near
    scaled = vectors / np.sqrt(np.sqrt((vectors**2).mean(axis=0)))
    unit = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    cosines = np.where(played[None], unit @ unit.T, -1)
    np.fill_diagonal(cosines, -1)
    for item in range(70):
        near = np.argsort(-cosines[item])[:50]
        weights = np.maximum(cosines[item, near], 0) ** 3
        plain = np.zeros(70)
        plain[near] = weights / weights.sum()
        np.testing.assert_allclose(found[item].toarray()[0], plain, atol=1e-5)


def test_sparse_content_gives_what_dense_content_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    vectors = (rng.random((90, 200)) < 0.02).astype(np.float32)
    played = np.ones(90, bool)
    sparse = ContentNeighbours.of(vectors, played).near.toarray()
    monkeypatch.setattr("musicu.sequences.content_neighbours._SPARSE", -1)
    dense = ContentNeighbours.of(vectors, played).near.toarray()
    np.testing.assert_allclose(sparse.sum(axis=1), dense.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose((sparse**2).sum(axis=1), (dense**2).sum(axis=1), atol=1e-4)


def test_content_comes_as_ids_and_vectors_in_either_order_or_by_id() -> None:
    ids, vectors = ["a", "b"], np.array([[1, 0], [0, 2]], np.float32)
    for content in ((ids, vectors), (vectors, ids), dict(zip(ids, vectors, strict=True))):
        found, placed = content_table(content)
        assert found == ids
        np.testing.assert_array_equal(placed, vectors)
    with pytest.raises(QueryError, match="3 ids and vectors of shape"):
        content_table((["a", "b", "c"], vectors))
    with pytest.raises(QueryError, match="finite"):
        content_table((ids, vectors * np.nan))
    with pytest.raises(QueryError, match="no item of the sessions has content"):
        fit([["x", "y"]] * 9, content=(ids, vectors))


def test_a_track_that_arrives_later_is_scored_as_if_it_had_been_there() -> None:
    sessions, ids, vectors = world()
    before = fit(sessions, content=(ids[:-1], vectors[:-1]))
    after = before.extended(ids, vectors)
    late = ids[-1]
    assert after.items == [*before.items, late]
    scores = after.scores([["g5-0", "g5-1"], ["g1-0"]])
    assert scores[0, -1] > scores[1, -1]
    np.testing.assert_allclose(
        scores[:, :-1], before.scores([["g5-0", "g5-1"], ["g1-0"]]), atol=1e-6
    )


def test_a_stored_model_gives_the_same_answers(model: NextItemModel, tmp_path: Path) -> None:
    save_next_model(model, tmp_path, {"vectors": "v"})
    loaded, about = load_next_model(tmp_path)
    assert about == {"vectors": "v"}
    histories = [["g0-0", "g0-3"], [], [f"g1-{EACH - 1}"]]
    np.testing.assert_allclose(loaded.scores(histories), model.scores(histories), rtol=1e-6)
    new = [["g0-0", "fresh"]]
    np.testing.assert_allclose(
        loaded.updated(new).scores(histories), model.updated(new).scores(histories), rtol=1e-4
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda card: {**card, "format": 99}, "format 99"),
        (lambda card: {"format": 1}, "damaged"),
    ],
)
def test_models_that_cannot_be_read_are_refused(
    model: NextItemModel,
    tmp_path: Path,
    damage: Callable,
    message: str,  # type: ignore[type-arg]
) -> None:
    with pytest.raises(ModelError, match="has no next-item model"):
        load_next_model(tmp_path)
    save_next_model(model, tmp_path, {})
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(damage(card)))
    with pytest.raises(ModelError, match=message):
        load_next_model(tmp_path)


def test_the_sparse_relative_solves_played_items_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicu.sequences.item_regression.DENSE_ITEMS", 0)
    sessions, _, _ = world()
    model = fit(sessions, kind="ease")
    new = [["g0-0", "g0-1", "g0-2"]] * 5
    weights = model.updated(new).scorers["ease"].weights  # type: ignore[attr-defined]
    row_of = {name: row for row, name in enumerate(model.items)}
    gram = gram_matrix(SessionTable.of(sessions + new, row_of), len(model.items))
    whole = neighbour_form(gram, model.settings.ease.ridge)
    columns = model.rows(["g0-0", "g0-1", "g0-2"])
    np.testing.assert_allclose(
        weights[:, columns].toarray(), whole[:, columns].toarray(), atol=1e-5
    )


def listens(*rows: tuple[str, str, float | None, float]) -> pa.Table:
    users, tracks, minutes, weights = zip(*rows, strict=True)
    micros = [None if m is None else int(m * 60e6) for m in minutes]
    return pa.table(
        {
            "user_id": list(users),
            "track_id": list(tracks),
            "timestamp": pa.array(micros, pa.timestamp("us", tz="UTC")),
            "weight": pa.array(weights, pa.float32()),
        }
    )


def test_a_pause_ends_a_session_and_skips_are_left_out() -> None:
    table = listens(
        ("b", "x", 5, 1),
        ("a", "2", 4, 1),
        ("a", "1", 1, 1),
        ("a", "skipped", 2, -1),
        ("a", "3", 50, 1),
        ("b", "y", 6, 1),
    )
    sessions, times = listening_sessions(table)
    assert sorted(sessions) == [["1", "2"], ["3"], ["x", "y"]]
    assert dict(zip(map(tuple, sessions), times, strict=True))[("1", "2")] == 240
    sessions, _ = listening_sessions(table, gap_minutes=60)
    assert sorted(sessions) == [["1", "2", "3"], ["x", "y"]]


def test_undated_listens_are_a_session_in_the_order_of_the_table() -> None:
    sessions, _ = listening_sessions(listens(("a", "2", None, 1), ("a", "1", None, 1)))
    assert sessions == [["2", "1"]]


def test_playlists_are_sessions_of_known_tracks() -> None:
    table = pa.table({"pid": [1, 2, 1, 1], "track_id": ["a", "b", "c", "unknown"]})
    assert playlist_sessions(table, {"a", "b", "c"}) == [["a", "c"], ["b"]]
    with pytest.raises(QueryError, match="no column playlist_id"):
        playlist_sessions(pa.table({"x": [1]}), set())


def test_settings_of_a_trained_model_may_be_replaced(model: NextItemModel) -> None:
    again = replace(model, settings=replace(model.settings, repeats=True), made=model.scorers)
    assert model.scores([["g0-0"]])[0, model.row_of["g0-0"]] == -1
    assert again.scores([["g0-0"]])[0, model.row_of["g0-0"]] >= 0
