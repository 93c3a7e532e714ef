"""Whole recordings through the network in PyTorch, for validation and for the finish."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from musicu.embeddings.frontend import level_free_log
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.windows_cache import WindowsCache


def spread_chunks(
    cache: WindowsCache, recording: int, frames: int, count: int
) -> NDArray[np.float32]:
    """Level-free chunks spread evenly over a recording, float32 [count, frames, bands]."""
    power = cache.power(recording)
    if len(power) < frames:
        power = np.tile(power, (-(-frames // max(1, len(power))), 1))[:frames]
    starts = np.linspace(0, len(power) - frames, count).astype(int)
    return level_free_log(np.stack([power[s : s + frames] for s in starts]))


def encode_chunks(
    network: AudioNetwork,
    cache: WindowsCache,
    recordings: NDArray[np.int64],
    frames: int,
    count: int,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Features of `count` chunks of each recording, float32 [recordings, count, features]."""
    network.eval()
    found = []
    with torch.no_grad():
        for recording in recordings:
            chunks = torch.from_numpy(spread_chunks(cache, int(recording), frames, count))
            found.append(network.features(chunks.to(device)).float().cpu().numpy())
    return np.stack(found)
