"""The audio encoder's network: a small residual network that pools statistics at every depth."""

from __future__ import annotations

import torch
from torch import nn

from musicu.embeddings.frontend import N_MELS
from musicu.embeddings.training.recipe import NetworkConfig

SPREAD_FLOOR = 1e-4  # of a variance: keeps the slope of its root finite


def _convolution(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Residual(nn.Module):
    """Two 3×3 convolutions beside a shortcut (He et al. 2016); halves time and frequency."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, 3, 2)
        self.second = _convolution(outputs, outputs, 3, 1)
        self.shortcut = _convolution(inputs, outputs, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float [batch, inputs, bands, frames] to [batch, outputs, bands / 2, frames / 2]."""
        inner = self.second(torch.relu(self.first(x)))
        return torch.relu(inner + self.shortcut(x))


def _spread(x: torch.Tensor, dims: tuple[int, ...], mean: torch.Tensor) -> torch.Tensor:
    """Standard deviation over `dims`, with a floor."""
    variance = (x - mean).square().mean(dim=dims)
    return torch.sqrt(variance + SPREAD_FLOOR)


class AudioNetwork(nn.Module):
    """Level-free log-mel chunks to vectors.

    Statistics over time (mean and deviation) are taken of the log-mel itself, of its change
    from frame to frame, and of every stage, so that timbre reaches the vector directly.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        stem, *stages = config.channels
        self.stem = _convolution(1, stem, 5, 2)
        self.stages = nn.ModuleList(
            Residual(a, b) for a, b in zip(config.channels, stages, strict=False)
        )
        last, shrunk = stages[-1], 2 ** len(config.channels)
        self.collapse = nn.Sequential(
            nn.Conv2d(last, last, (N_MELS // shrunk, 1), bias=False), nn.BatchNorm2d(last)
        )
        pooled = 3 * N_MELS + 2 * sum(stages)
        self.normalise = nn.BatchNorm1d(pooled)
        self.embed = nn.Linear(pooled, config.dim)
        self.project = nn.Sequential(
            nn.BatchNorm1d(config.dim),
            nn.ReLU(),
            nn.Linear(config.dim, config.dim),
            nn.ReLU(),
            nn.Linear(config.dim, config.projection),
        )

    def statistics(self, logs: torch.Tensor) -> torch.Tensor:
        """Pooled statistics, float [batch, pooled], of chunks [batch, frames, bands]."""
        x = logs.transpose(1, 2).unsqueeze(1)
        parts = _input_statistics(logs)
        x = torch.relu(self.stem(x.contiguous(memory_format=torch.channels_last)))
        for depth, stage in enumerate(self.stages, start=1):
            x = stage(x)
            if depth == len(self.stages):
                x = torch.relu(self.collapse(x))
            mean = x.mean(dim=(2, 3), keepdim=True)
            parts += [mean.flatten(1), _spread(x, (2, 3), mean)]
        return torch.cat(parts, dim=1)

    def features(self, logs: torch.Tensor) -> torch.Tensor:
        """The statistics at a common scale, float [batch, pooled]: what a vector is made of."""
        features: torch.Tensor = self.normalise(self.statistics(logs))
        return features

    def forward(self, logs: torch.Tensor) -> torch.Tensor:
        """float [batch, frames, bands] to float [batch, dim], what training works on."""
        vectors: torch.Tensor = self.embed(self.features(logs))
        return vectors

    def projected(self, vectors: torch.Tensor) -> torch.Tensor:
        """Where the loss is taken (Chen et al. 2020): unit vectors float [batch, projection]."""
        return nn.functional.normalize(self.project(vectors), dim=1)


def _input_statistics(logs: torch.Tensor) -> list[torch.Tensor]:
    """Mean, deviation and deviation of change of every band, each float [batch, bands]."""
    mean = logs.mean(dim=1, keepdim=True)
    change = logs[:, 1:] - logs[:, :-1]
    return [
        mean.squeeze(1),
        _spread(logs, (1,), mean),
        _spread(change, (1,), torch.zeros_like(mean)),
    ]
