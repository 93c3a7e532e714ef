"""The contrastive loss against slow and known answers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from musicu.embeddings.training.losses import contrastive_loss  # noqa: E402


def _units(n: int, dim: int = 5, seed: int = 0):
    vectors = torch.from_numpy(np.random.default_rng(seed).standard_normal((n, dim)))
    return torch.nn.functional.normalize(vectors.float(), dim=1)


def _slow(vectors, positives, negatives, temperature: float) -> float:
    """The formula of the docstring, one pair at a time."""
    scores = (vectors @ vectors.T / temperature).double().numpy()
    rows = []
    for i in range(len(scores)):
        pairs = [j for j in range(len(scores)) if j != i and positives[i, j] > 0]
        against = sum(
            np.exp(scores[i, k]) for k in range(len(scores)) if k != i and negatives[i, k]
        )
        total = sum(float(positives[i, j]) for j in pairs)
        if pairs:
            parts = [
                -float(positives[i, j])
                * np.log(np.exp(scores[i, j]) / (np.exp(scores[i, j]) + against))
                for j in pairs
            ]
            rows.append(sum(parts) / total)
    return float(np.mean(rows))


def _matrices(n: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    positives = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.3), 1).astype(np.float32)
    positives[0, 1] = 1.0
    positives += positives.T
    negatives = (positives == 0) & (rng.random((n, n)) < 0.8)
    negatives |= negatives.T
    return torch.from_numpy(positives), torch.from_numpy(negatives & (positives == 0))


def test_equals_the_formula_pair_by_pair() -> None:
    vectors, (positives, negatives) = _units(9), _matrices(9)
    found = contrastive_loss(vectors, positives, negatives, 0.2)
    assert found.item() == pytest.approx(_slow(vectors, positives, negatives, 0.2), rel=1e-5)


def test_with_one_positive_each_it_is_nt_xent() -> None:
    vectors = _units(8)
    same = torch.arange(8)[:, None] % 4 == torch.arange(8)[None, :] % 4
    positives = (same & ~torch.eye(8, dtype=torch.bool)).float()
    scores = vectors @ vectors.T / 0.1
    scores.fill_diagonal_(-torch.inf)
    target = (torch.arange(8) + 4) % 8
    expected = torch.nn.functional.cross_entropy(scores, target)
    found = contrastive_loss(vectors, positives, ~same, 0.1)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_pairs_in_neither_matrix_feel_no_force() -> None:
    vectors = _units(6).requires_grad_()
    positives, negatives = torch.zeros(6, 6), torch.zeros(6, 6, dtype=torch.bool)
    positives[0, 1] = positives[1, 0] = 1.0
    negatives[0, 2] = negatives[1, 2] = True
    contrastive_loss(vectors, positives, negatives, 0.2).backward()
    assert vectors.grad[[3, 4, 5]].abs().max() == 0.0
    assert vectors.grad[[0, 1, 2]].abs().min(dim=1).values.max() > 0.0


def test_order_of_the_batch_does_not_matter() -> None:
    vectors, (positives, negatives) = _units(7), _matrices(7)
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    moved = contrastive_loss(
        vectors[order], positives[order][:, order], negatives[order][:, order], 0.1
    )
    assert moved.item() == pytest.approx(
        contrastive_loss(vectors, positives, negatives, 0.1).item(), rel=1e-6
    )


def test_a_batch_without_positives_is_refused() -> None:
    with pytest.raises(ValueError, match="no pair"):
        contrastive_loss(_units(3), torch.zeros(3, 3), torch.ones(3, 3, dtype=torch.bool), 0.1)
