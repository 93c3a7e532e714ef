"""Recordings through the network in PyTorch, for validation and for the maps that follow it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from musicu.audio import place_windows
from musicu.embeddings.frontend import HOP, SAMPLE_RATE, cut_chunks, level_free_log
from musicu.embeddings.training.augment import move
from musicu.embeddings.training.crops import CROPS, Crop
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pooling import pool_chunks
from musicu.embeddings.training.windows_cache import LOG_FLOOR, WindowsCache
from musicu.records import Windows


def encode_crops(
    network: AudioNetwork,
    cache: WindowsCache,
    recordings: NDArray[np.int64],
    frames: int,
    count: int,
    device: str = "cpu",
    crops: Sequence[Crop] = CROPS,
) -> NDArray[np.float32]:
    """Pooled features of every crop of recordings, float32 [crops, recordings, pooled]."""
    network.eval()
    found = []
    with torch.no_grad():
        for recording in recordings:
            power = cache.power(int(recording))
            chunks = [crop_chunks(power, crop, frames, count) for crop in crops]
            features = network.features(torch.from_numpy(np.concatenate(chunks)).to(device))
            ends = np.cumsum([len(c) for c in chunks])[:-1]
            split = np.split(features.float().cpu().numpy(), ends)
            found.append(np.stack([pool_chunks(part) for part in split]))
    return np.stack(found, axis=1)


def crop_chunks(
    power: NDArray[np.float32], crop: Crop, frames: int, count: int
) -> NDArray[np.float32]:
    """What a model of `count` windows reads of a crop, level-free [chunks, frames, bands]."""
    start, stop = crop.span(len(power), SAMPLE_RATE / HOP)
    long = frames if crop.speed == 1.0 else int(np.ceil(frames * crop.speed)) + 1
    part = power[start:stop]
    windows = crop.windows(Windows(float(long), count))  # a frame is the unit
    spans = place_windows(len(part), 1, windows)
    cuts = [cut_chunks(part[a:b], long, max(1, long // 2)) for a, b in spans]
    chunks = np.concatenate(cuts)
    if crop.speed != 1.0:
        logs = torch.log10(torch.from_numpy(chunks) + LOG_FLOOR)
        speed = torch.full((len(chunks), 1), crop.speed)
        chunks = torch.pow(10.0, move(logs, frames, speed, speed)).numpy()
    return level_free_log(chunks)
