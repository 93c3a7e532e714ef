"""The content-aware transformer: what it learns, and that ONNX says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from musicu.errors import MissingExtraError
from musicu.sequences import NextItemModel, fit, transformer_fit
from musicu.sequences.content_basis import ContentBasis
from musicu.sequences.next_item_storage import load_next_model, save_next_model

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
    assert model.report["ndcg"]["transformer"] > 0.5
    assert model.report["steps"] > 0


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


def test_it_is_trained_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, _, _ = world(100)
    assert "transformer" not in fit(sessions).settings.weights
    monkeypatch.setattr(transformer_fit, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="train"):
        fit(sessions, kind="transformer")


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
