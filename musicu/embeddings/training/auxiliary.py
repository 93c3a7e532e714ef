"""Auxiliary targets: what else the network predicts of a window while it trains."""

from __future__ import annotations

import torch
from torch import nn

from musicu.embeddings.training.made import N_FAMILIES

SHORTEST_LAG, LONGEST_LAG = 4, 44  # frames of 46 ms: 323 to 30 onsets a minute


class AuxiliaryHeads(nn.Module):
    """Rhythm (self-made, of any sound) and instrument families (of made pieces)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.rhythm = nn.Sequential(
            nn.Linear(dim, 128), nn.ReLU(), nn.Linear(128, LONGEST_LAG - SHORTEST_LAG)
        )
        self.families = nn.Linear(dim, N_FAMILIES)

    def losses(
        self, vectors: torch.Tensor, rhythms: torch.Tensor, families: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error of the rhythm and cross-entropy of the families, each a scalar.

        vectors: float [n, dim]. rhythms: float [n, lags]. families: float [n, families], with
        NaN rows where they are not known.
        """
        rhythm = nn.functional.mse_loss(self.rhythm(vectors), rhythms)
        known = ~families[:, 0].isnan()
        if not bool(known.any()):
            return rhythm, vectors.sum() * 0.0
        guess = self.families(vectors[known])
        return rhythm, nn.functional.binary_cross_entropy_with_logits(guess, families[known])


def rhythm_of(logs: torch.Tensor) -> torch.Tensor:
    """Autocorrelation of the onset strength at each lag, float [n, lags], about -1 to 1.

    logs: log10 mel power float [n, frames, bands] with more than LONGEST_LAG frames. Onset
    strength is the mean rise over the bands, spectral flux of the log spectrum.
    """
    audible = logs.clamp_min(logs.amax(dim=(1, 2), keepdim=True) - 6.0)
    flux = (audible[:, 1:] - audible[:, :-1]).clamp_min(0.0).mean(dim=2)
    flux = flux - flux.mean(dim=1, keepdim=True)
    size = 2 * flux.shape[1]
    power = torch.fft.rfft(flux, n=size, dim=1).abs().square()
    correlation = torch.fft.irfft(power, n=size, dim=1)
    return correlation[:, SHORTEST_LAG:LONGEST_LAG] / correlation[:, :1].clamp_min(1e-6)
