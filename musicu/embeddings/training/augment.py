"""Changes to mel power that leave the music the same, drawn anew for every window."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicu.embeddings import frontend
from musicu.embeddings.training.frontend_torch import level_free_log
from musicu.embeddings.training.recipe import AugmentConfig
from musicu.features.mel import hz_to_mel, mel_to_hz

_LN10 = float(np.log(10.0))


class Draws:
    """Random numbers for a batch of `n` windows, all from one numpy generator: on every device
    the same.
    """

    def __init__(self, rng: np.random.Generator, n: int, device: str = "cpu") -> None:
        self.rng, self.n, self.device = rng, n, device

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """float32 [n, *shape], even between `low` and `high`."""
        return self.place(self.rng.uniform(low, high, (self.n, *shape)).astype(np.float32))

    def normal(self, *shape: int) -> torch.Tensor:
        """float32 [n, *shape], standard normal."""
        return self.place(self.rng.standard_normal((self.n, *shape)).astype(np.float32))

    def chance(self, p: float) -> torch.Tensor:
        """bool [n, 1, 1], true with chance `p`."""
        return self.place(self.rng.random((self.n, 1, 1)) < p)

    def place(self, values: NDArray[Any]) -> torch.Tensor:
        """An array where the windows are."""
        return torch.from_numpy(values).to(self.device)


def band_centres() -> NDArray[np.float64]:
    """Centre of every mel band in Hz, float64 [bands]."""
    limits = hz_to_mel(np.array([frontend.LOW_HZ, frontend.HIGH_HZ]))
    return mel_to_hz(np.linspace(limits[0], limits[1], frontend.N_MELS + 2))[1:-1]


def warp(logs: torch.Tensor, frames: int, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Shift pitch and tempo by moving along bands and frames, each on its own.

    logs: log10 power float32 [n, long, bands], with long >= frames * (1 + config.tempo).
    Returns float32 [n, frames, bands].
    """
    rate = 1.0 + draws.uniform(-config.tempo, config.tempo, 1)
    ratio = 2.0 ** (draws.uniform(-1.0, 1.0, 1).double() * config.pitch_semitones / 12)
    return move(logs, frames, rate, ratio)


def move(logs: torch.Tensor, frames: int, rate: torch.Tensor, ratio: torch.Tensor) -> torch.Tensor:
    """The first `frames` frames, `rate` times faster and `ratio` times higher.

    logs: float32 [n, long, bands]. rate, ratio: [n, 1]. Returns float32 [n, frames, bands].
    """
    long = logs.shape[1]
    frame = torch.arange(frames, dtype=torch.float32, device=logs.device) * rate  # [n, frames]
    hz = torch.from_numpy(band_centres()) / ratio.cpu()  # [n, bands], where each band reads from
    limits = hz_to_mel(np.array([frontend.LOW_HZ, frontend.HIGH_HZ]))
    step = (limits[1] - limits[0]) / (frontend.N_MELS + 1)
    band = torch.from_numpy((hz_to_mel(hz.numpy()) - limits[0]) / step - 1).float().to(logs.device)
    y = (frame / (long - 1) * 2 - 1)[:, :, None].expand(-1, -1, frontend.N_MELS)
    x = (band / (frontend.N_MELS - 1) * 2 - 1)[:, None, :].expand(-1, frames, -1)
    grid = torch.stack([x, y], dim=-1)
    moved = torch.nn.functional.grid_sample(
        logs[:, None], grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return moved[:, 0]


def augment(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Everything but the warp, and the front end's levelling at the end.

    logs: log10 power float32 [n, frames, bands]. Returns level-free log-mel of that shape.
    """
    logs = logs - torch.log10(torch.pow(10.0, logs).mean(dim=(1, 2), keepdim=True) + 1e-12)
    logs = logs.clamp_min(-9.0)
    logs = _mix(logs, draws, config)
    logs = _reverb(logs, draws, config)
    logs = _compress(logs, draws, config)
    logs = logs + _equaliser(draws, config)
    logs = _noise(logs, draws, config)
    logs = _codec(logs, draws, config)
    logs = logs + _band_limits(draws, config)
    return _mask(level_free_log(torch.pow(10.0, logs)), draws, config)


def _sum(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """log10 of the sum of two powers given as log10."""
    return torch.logaddexp(a * _LN10, b * _LN10) / _LN10


def _mix(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Lay another window of the batch underneath."""
    other = logs[draws.place(draws.rng.permutation(draws.n))]
    level = draws.uniform(config.mix_db[0] / 10, config.mix_db[1] / 10, 1, 1)
    return torch.where(draws.chance(config.mix_chance), _sum(logs, other + level), logs)


def _reverb(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """An exponential tail of power over up to 11 frames (half a second)."""
    decay = draws.uniform(0.37, 0.8, 1)
    wet = draws.uniform(0.05, 0.6, 1)
    tail = wet * decay ** torch.arange(1, 12, device=logs.device)
    kernel = torch.cat([torch.ones_like(wet), tail], dim=1).flip(1)[:, None, :, None]
    padded = torch.nn.functional.pad(torch.pow(10.0, logs)[None], (0, 0, 11, 0))
    smeared = torch.nn.functional.conv2d(padded, kernel, groups=draws.n)[0]
    return torch.where(draws.chance(config.reverb_chance), torch.log10(smeared + 1e-9), logs)


def _compress(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Flatten the contour of each frame's power."""
    contour = torch.log10(torch.pow(10.0, logs).mean(dim=2, keepdim=True) + 1e-9)
    share = draws.uniform(-0.2, 1.0, 1, 1) * config.compress
    return logs - share * (contour - contour.mean(dim=1, keepdim=True)).clamp_min(-2.0)


def _equaliser(draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """A smooth curve over the bands, log10 power [n, 1, bands]."""
    terms = torch.arange(1, 6, dtype=torch.float32, device=draws.device)
    place = torch.linspace(0, np.pi, frontend.N_MELS, device=draws.device)
    shape = torch.cos(terms[:, None] * place) / terms[:, None].sqrt()  # gentle ripples
    return (draws.normal(5) @ shape)[:, None, :] * (config.equalise_db / 10)


def _noise(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Steady hiss, white to brown, 60 to 20 dB below the music's mean."""
    octaves = draws.place(np.log2(band_centres() / 1000.0)).float()
    slope = draws.uniform(-0.6, 0.1, 1, 1) * octaves
    speckle = draws.place(
        draws.rng.standard_exponential(tuple(logs.shape), dtype=np.float32) + 1e-4
    ).log10()
    hiss = draws.uniform(-6.0, -2.0, 1, 1) + slope + 0.5 * speckle
    return torch.where(draws.chance(config.noise_chance), _sum(logs, hiss), logs)


def _codec(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Drop what lies well below its surroundings, as a lossy codec with few bits does."""
    around = torch.nn.functional.avg_pool2d(logs[:, None], (3, 9), 1, (1, 4))[:, 0]
    masked = logs < around - draws.uniform(0.3, 1.2, 1, 1)
    holes = torch.where(masked, logs - draws.uniform(0.5, 3.0, 1, 1), logs)
    return torch.where(draws.chance(config.codec_chance), holes, logs)


def _band_limits(draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Roll-offs above and below, log10 power [n, 1, bands]."""
    octaves = draws.place(np.log2(band_centres())).float()[None, None]
    top = draws.uniform(np.log2(1800.0), np.log2(7500.0), 1, 1)
    bottom = draws.uniform(np.log2(40.0), np.log2(350.0), 1, 1)
    steep = draws.uniform(1.2, 12.0, 1, 1)  # log10 power an octave: 12 to 120 dB
    above = -(octaves - top).clamp_min(0) * steep * draws.chance(config.band_limit_chance)
    below = -(bottom - octaves).clamp_min(0) * steep * draws.chance(config.band_limit_chance / 2)
    return (above + below).clamp_min(-6.0)


def _mask(logs: torch.Tensor, draws: Draws, config: AugmentConfig) -> torch.Tensor:
    """Hide one stretch of time and one of bands behind the window's mean (SpecAugment)."""
    mean = logs.mean(dim=(1, 2), keepdim=True)
    for axis, longest in ((1, 0.2), (2, 0.12)):
        size = logs.shape[axis]
        start = draws.uniform(0, 1, 1) * size
        stop = start + draws.uniform(0, longest, 1) * size
        place = torch.arange(size, dtype=torch.float32, device=logs.device)
        hidden = (place >= start) & (place < stop)
        hidden = hidden[:, :, None] if axis == 1 else hidden[:, None, :]
        logs = torch.where(hidden & draws.chance(config.mask_chance), mean, logs)
    return logs
