"""One contrastive loss for same track, same album and same artist."""

from __future__ import annotations

import torch


def contrastive_loss(
    vectors: torch.Tensor,
    positives: torch.Tensor,
    negatives: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Weighted supervised contrastive loss; with one positive each it is NT-Xent.

    vectors: float [n, dim], of unit length. positives: float [n, n], weights >= 0 of the pairs
    to draw together. negatives: bool [n, n], pairs to push apart. A pair in neither is left
    alone. The diagonal counts for nothing. Returns a scalar: the mean over rows that have a
    positive of  -sum_j w_ij log(e^{s_ij} / (e^{s_ij} + sum_k e^{s_ik})) / sum_j w_ij,  where s
    is cosine / temperature and k runs over the row's negatives (after Khosla et al. 2020,
    eq. 2, with each positive set against the negatives alone, so positives do not compete).
    """
    n = len(vectors)
    if positives.shape != (n, n) or negatives.shape != (n, n):
        raise ValueError(f"{n} vectors need [{n}, {n}] matrices, not {tuple(positives.shape)}")
    off = ~torch.eye(n, dtype=torch.bool, device=vectors.device)
    scores = (vectors @ vectors.T).float() / temperature
    weights = positives * off
    lowest = torch.finfo(scores.dtype).min
    against = scores.masked_fill(~(negatives & off), lowest).logsumexp(dim=1, keepdim=True)
    log_share = scores - torch.logaddexp(scores, against)
    totals = weights.sum(dim=1)
    rows = totals > 0
    if not bool(rows.any()):
        raise ValueError("no pair in the batch is positive")
    per_row = -(weights * log_share).sum(dim=1)[rows] / totals[rows]
    return per_row.mean()
