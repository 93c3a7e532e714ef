"""The student: a plain convolutional network over four seconds of log-mel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from musicu.embeddings.songs import N_BANDS

#: What the teachers give and the student predicts, with the numbers of each.
TARGETS = {"hidden": 512, "pooled": 384, "tagger": 64, "tagger_inner": 128, "logits": 527}
KEPT = ("hidden", "tagger")  # what a vector is made of


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """Channels of the stem and of three stages that halve time and bands; residual blocks at the
    end of each stage; channels of the last layers.
    """

    channels: tuple[int, int, int, int] = (32, 64, 128, 192)
    blocks: tuple[int, int, int] = (0, 1, 1)
    last: int = 384
    inner: int = 512


def _convolution(inputs: int, outputs: int, size: int, stride: int | tuple[int, int]) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class ResidualBlock(nn.Module):
    """Two convolutions and a gate of each channel by its mean, beside what came in.

    He et al., "Deep residual learning" (CVPR 2016), with the gate of Hu et al.,
    "Squeeze-and-excitation networks" (CVPR 2018). It begins as the identity, so that a trained
    network may be given one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3, 1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // 4),
            nn.ReLU(),
            nn.Linear(channels // 4, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """A map of the same shape."""
        found = self.norm(self.second(self.first(x)))
        gate = self.gate(found.mean(dim=(2, 3)))[:, :, None, None]
        return nn.functional.relu(x + gate * found)


class StudentNetwork(nn.Module):
    """Level-free log-mel [batch, frames, bands] to what teachers make of it, standardised."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        stem, *stages = config.channels
        layers = [_convolution(1, stem, 5, (3, 2))]
        for inputs, outputs in zip(config.channels, stages, strict=False):
            layers += [_convolution(inputs, outputs, 3, 2), _convolution(outputs, outputs, 3, 1)]
        self.blocks = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))
            for channels, count in zip(stages, config.blocks, strict=True)
        )
        rows = N_BANDS // 24
        self.channels = tuple(stages)
        self.bands = tuple(rows * 2**k for k in reversed(range(len(stages))))
        self.layers = nn.Sequential(*layers)
        self.collapse = nn.Sequential(
            nn.Conv2d(stages[-1], config.last, (rows, 1), bias=False),
            nn.BatchNorm2d(config.last),
            nn.ReLU(),
        )
        self.inner = nn.Sequential(nn.Linear(2 * config.last, config.inner), nn.Hardswish())
        self.heads = nn.ModuleDict(
            {name: nn.Linear(config.inner, numbers) for name, numbers in TARGETS.items()}
        )

    def features(self, logs: torch.Tensor) -> torch.Tensor:
        """The last common layer, float [batch, inner]."""
        return self._inner(self.stages(logs)[-1])

    def stages(self, logs: torch.Tensor) -> list[torch.Tensor]:
        """The maps after each stage, float [batch, channels, bands, frames]."""
        x = logs.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x, found = self.layers[0](x), []
        for number, blocks in enumerate(self.blocks):
            x = blocks(self.layers[2 * number + 2](self.layers[2 * number + 1](x)))
            found.append(x)
        return found

    def _inner(self, last: torch.Tensor) -> torch.Tensor:
        x = self.collapse(last)
        inner: torch.Tensor = self.inner(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))
        return inner

    def forward(self, logs: torch.Tensor) -> tuple[dict[str, torch.Tensor], list[torch.Tensor]]:
        """What every head predicts, each float [batch, numbers]; and the maps of the stages."""
        found = self.stages(logs)
        inner = self._inner(found[-1])
        return {name: head(inner) for name, head in self.heads.items()}, found


def distillation_loss(
    predicted: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Mean squared errors of standardised outputs, and of the batch's similarity matrices.

    The latter after Tung and Mori, "Similarity-preserving knowledge distillation" (ICCV 2019), with
    cosines: what is near for a teacher shall be near for the student.
    """
    losses = {name: (predicted[name] - targets[name]).square().mean() for name in targets}
    for name in KEPT:
        ours = nn.functional.normalize(predicted[name], dim=1)
        theirs = nn.functional.normalize(targets[name], dim=1)
        losses[f"{name} likeness"] = (ours @ ours.T - theirs @ theirs.T).square().mean()
    return losses
