"""What the teachers' inner layers hear at every time and band, as further targets.

After Romero et al., "FitNets: Hints for thin deep nets" (ICLR 2015): a stage of the student
predicts a map of a teacher through a small head that is thrown away. The last layers of a teacher
say little of a view, its inner ones thousands of numbers, so views are learned by heart less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

_GREATEST = 25.0  # of a squared error: units that are almost never awake have wide tails


class Hint(NamedTuple):
    """A teacher's map: which stage of the student predicts it, and its channels, bands and
    frames.
    """

    stage: int
    channels: int
    bands: int
    frames: int


#: mn04's blocks 6, 12 and 15; FCN's second block, in 48 random directions, and its third.
HINTS = {
    "m6": Hint(0, 16, 16, 52),
    "m12": Hint(1, 48, 8, 26),
    "m15": Hint(2, 64, 4, 13),
    "f2": Hint(1, 48, 24, 16),
    "f3": Hint(2, 128, 12, 4),
}


class HintHead(torch.nn.Module):
    """A stage's map [batch, channels, bands, frames] to a teacher's."""

    def __init__(self, hint: Hint, channels: int, bands: int) -> None:
        super().__init__()
        self.frames = hint.frames
        self.mix = nn.Conv2d(channels, hint.channels, 3, padding=1)
        even = functional.interpolate(torch.eye(bands)[None], size=hint.bands, mode="linear")
        self.bands = nn.Parameter(even[0].T.contiguous())  # where the teacher's bands lie

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The predicted map."""
        x = torch.einsum("ncbt,kb->nckt", self.mix(x), self.bands)
        if x.shape[3] > self.frames:
            return functional.adaptive_avg_pool2d(x, (x.shape[2], self.frames))
        flat = functional.interpolate(x.flatten(1, 2), size=self.frames, mode="linear")
        return flat.unflatten(1, x.shape[1:3])


def hint_heads(channels: tuple[int, ...], bands: tuple[int, ...]) -> nn.ModuleDict:
    """A head for each of HINTS, for a student whose stages have such channels and bands."""
    return nn.ModuleDict(
        {name: HintHead(h, channels[h.stage], bands[h.stage]) for name, h in HINTS.items()}
    )


def hint_losses(
    heads: nn.ModuleDict, stages: list[torch.Tensor], targets: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Mean squared errors of every hint's standardised map."""
    return {
        name: (heads[name](stages[hint.stage]).float() - targets[name])
        .square()
        .clamp(max=_GREATEST)
        .mean()
        for name, hint in HINTS.items()
    }
