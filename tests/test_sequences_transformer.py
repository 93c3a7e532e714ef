"""The content-aware transformer: what it learns, when it is kept, and that ONNX says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicu.errors import MissingExtraError
from musicu.sequences import NextItemModel, fit, transformer_choice
from musicu.sequences.content_basis import ContentBasis
from musicu.sequences.fitting_sequences import choose
from musicu.sequences.heldout_sessions import hold_out
from musicu.sequences.next_item_storage import load_next_model, save_next_model
from musicu.sequences.session_table import SessionTable
from musicu.sequences.transformer_choice import SequenceData, reason_not_to_try

GROUPS, EACH, DIM = 5, 8, 10


def world(count: int = 150, seed: int = 0) -> tuple[list[list[str]], list[str], np.ndarray]:
    """In each group n is followed by n + 1; the last of each group is never played."""
    rng = np.random.default_rng(seed)
    ids = [f"g{group}-{n}" for group in range(GROUPS) for n in range(EACH)]
    centres = np.repeat(rng.standard_normal((GROUPS, DIM)), EACH, axis=0)
    vectors = (centres + 0.2 * rng.standard_normal(centres.shape)).astype(np.float32)
    played = EACH - 1
    sessions = [
        [f"g{group}-{(start + step) % played}" for step in range(4)]
        for group, start in zip(
            rng.integers(GROUPS, size=count), rng.integers(played, size=count), strict=True
        )
    ]
    return sessions, ids, vectors


@pytest.fixture(scope="module")
def model() -> NextItemModel:
    pytest.importorskip("torch", reason="the extra train is not installed")
    pytest.importorskip("onnx", reason="the extra train is not installed")
    sessions, ids, vectors = world()
    return fit(sessions, content=(ids, vectors), kind="transformer")


@pytest.mark.slow
def test_it_learns_what_follows(model: NextItemModel) -> None:
    histories = [[f"g{group}-1", f"g{group}-2"] for group in range(GROUPS)]
    best = [model.items[row] for row in model.scores(histories).argmax(axis=1)]
    assert sum(name == f"g{group}-3" for group, name in enumerate(best)) >= GROUPS - 1
    assert model.report["transformer"]["kept"]


@pytest.mark.slow
def test_an_item_without_plays_is_scored_by_the_same_head(model: NextItemModel) -> None:
    cold = model.rows([f"g{group}-{EACH - 1}" for group in range(GROUPS)])
    scorer = model.scorers["transformer"]
    found = np.stack([scorer.scores(model.rows([f"g{g}-0", f"g{g}-1"])) for g in range(GROUPS)])
    assert (found[:, cold].argmax(axis=1) == np.arange(GROUPS)).all()


@pytest.mark.slow
def test_batch_equals_single_and_the_order_of_a_history_counts(model: NextItemModel) -> None:
    histories = [["g0-1", "g0-2"], [], ["g0-2", "g0-1"], ["unknown"], ["g1-0"] * 90]
    batch = model.scores(histories)
    single = np.concatenate([model.scores([history]) for history in histories])
    np.testing.assert_array_equal(batch, single)
    assert not np.allclose(batch[0], batch[2])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(model: NextItemModel) -> None:
    sessions, ids, vectors = world()
    again = fit(sessions, content=(ids, vectors), kind="transformer")
    np.testing.assert_allclose(again.scores([["g0-1"]]), model.scores([["g0-1"]]), rtol=1e-4)


@pytest.mark.slow
def test_a_stored_transformer_gives_the_same_answers(model: NextItemModel, tmp_path: Path) -> None:
    save_next_model(model, tmp_path, {})
    loaded, _ = load_next_model(tmp_path)
    histories = [["g0-1", "g0-2"], [f"g1-{EACH - 1}"]]
    np.testing.assert_allclose(loaded.scores(histories), model.scores(histories), rtol=1e-5)
    assert (tmp_path / "transformer.onnx").is_file()
    sessions, _, _ = world()
    save_next_model(fit(sessions), tmp_path, {})
    assert not (tmp_path / "transformer.onnx").exists()


@pytest.mark.slow
def test_a_track_that_arrives_later_is_placed_by_its_content() -> None:
    pytest.importorskip("torch", reason="the extra train is not installed")
    sessions, ids, vectors = world()
    before = fit(sessions, content=(ids[:-1], vectors[:-1]), kind="transformer")
    after = before.extended(ids, vectors)
    own = [m.scorers["transformer"].scores(m.rows(["g4-0", "g4-1"])) for m in (before, after)]
    assert len(own[1]) == len(own[0]) + 1
    late = after.row_of[ids[-1]]
    others = after.rows([f"g{group}-{EACH - 1}" for group in range(GROUPS - 1)])
    assert own[1][late] > own[1][others].max()
    grown = before.updated([["g0-0", "fresh"]])
    assert grown.scores([["g0-0"]]).shape == (1, len(before.items) + 1)


def test_the_graph_says_what_the_network_says() -> None:
    torch = pytest.importorskip("torch", reason="the extra train is not installed")
    pytest.importorskip("onnx", reason="the extra train is not installed")
    from musicu.embeddings.onnx_session import open_graph
    from musicu.sequences.transformer_graph import history_graph
    from musicu.sequences.transformer_network import SequenceTransformer
    from musicu.sequences.transformer_settings import TransformerSettings

    torch.manual_seed(0)
    network = SequenceTransformer(TransformerSettings(dim=12, layers=2, heads=3, length=9)).eval()
    for block in network.blocks:
        torch.nn.init.normal_(block.distance)
    session = open_graph(history_graph(network, 12, 9), Path("made.onnx"))
    for length in (1, 4, 9):
        items = torch.randn(1, length, 12)
        with torch.no_grad():
            states = network(items)
            early = network(items[:, :1])
        (found,) = session.run(None, {"items": items[0].numpy()})
        np.testing.assert_allclose(found, states[0, -1].numpy(), atol=1e-5)
        np.testing.assert_allclose(early[0, 0], states[0, 0], atol=1e-5)  # nothing looks ahead


def test_auto_tries_it_where_there_is_enough_and_says_why_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sessions, _, _ = world(100)
    why = fit(sessions).report["transformer"]
    assert not why["kept"]
    assert "too few" in why["why"]
    monkeypatch.setattr(transformer_choice, "FEWEST_EVENTS", 1)
    monkeypatch.setattr(transformer_choice, "MOST_EVENTS", 2)
    assert "asked for" in fit(sessions).report["transformer"]["why"]
    monkeypatch.setattr(transformer_choice, "MOST_EVENTS", 10_000)
    monkeypatch.setattr(transformer_choice, "find_spec", lambda name: None)
    found = fit(sessions)
    assert "musicu[train]" in found.report["transformer"]["why"]
    assert "transformer" not in found.settings.weights
    with pytest.raises(MissingExtraError, match="train"):
        fit(sessions, kind="transformer")


class Told:
    """In the place of a trained scorer: it knows the next of the clocked items, or nothing."""

    def __init__(self, knows: bool) -> None:
        self.knows = knows

    def scores(self, history: np.ndarray) -> np.ndarray:
        found = np.full(12, 0.01, np.float32)
        if self.knows and len(history) > 1:
            found[(history[-1] + history[-2]) % 12] = 1
        return found


@pytest.mark.parametrize("knows", [False, True])
def test_it_joins_the_mixture_only_where_it_is_ahead(
    knows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes next depends on the last two items together, which no rule of pairs knows."""
    monkeypatch.setattr(transformer_choice, "FEWEST_EVENTS", 1)
    monkeypatch.setattr(transformer_choice, "MOST_EVENTS", 100_000)
    monkeypatch.setattr(transformer_choice, "trainable", lambda: True)
    monkeypatch.setattr(transformer_choice, "_trial", lambda *_: (Told(knows), 7, 0.0))
    monkeypatch.setattr(transformer_choice, "_whole", lambda *_: Told(knows))
    rng = np.random.default_rng(0)
    table = SessionTable.of([_clocked(rng) for _ in range(100)], {n: n for n in range(12)})
    data = SequenceData(table, hold_out(table, np.random.default_rng(0)), 12, None)
    found = choose(data, "auto", True, 0)
    report = found.report["transformer"]
    assert report["kept"] is knows
    assert (report["with"] > report["without"] + report["standard_error"]) is knows
    assert ("transformer" in found.settings.weights) is knows
    assert ("transformer" in found.whole) is knows
    if knows:
        assert found.settings.weights["transformer"] > 0.5


def _clocked(rng: np.random.Generator) -> list[int]:
    """Each item is the sum of the two before it, on a ring of 12."""
    items = rng.integers(12, size=2).tolist()
    for _ in range(10):
        items.append((items[-1] + items[-2]) % 12)
    return items


def test_a_basis_keeps_what_tells_items_apart() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 6)).astype(np.float32)
    vectors[-1] = 0
    basis = ContentBasis.of(vectors, rng)
    numbers = basis(vectors)
    assert not numbers[-1].any()
    np.testing.assert_allclose(np.mean(np.square(numbers)), 1, rtol=0.05)
    near = numbers[:-1] @ numbers[:-1].T
    assert np.linalg.matrix_rank(near) >= 5


def test_reasons_not_to_try_are_of_the_events() -> None:
    table = SessionTable(np.zeros(400_000, np.int64), np.array([0, 400_000]))
    data = SequenceData(table, hold_out(table, np.random.default_rng(0)), 1, None)
    assert "400,000 events" in str(reason_not_to_try(data))
