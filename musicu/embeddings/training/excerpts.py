"""Excerpts of recordings as the world may hand them back: what models are asked without labels.

An excerpt lies anywhere in its recording, runs up to 3 % faster or slower (and so higher or
lower), its sound is tilted, and it went through a codec at about 26 kbit/s. Its recording is to
be found among all of a catalog. Halves of a recording would be found without an error by every
model, and so could not tell two models apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from musicu.audio.encoding import encode_and_decode
from musicu.embeddings.frontend import SAMPLE_RATE, mel_power
from musicu.embeddings.stats import flat_statistics
from musicu.embeddings.training.crops import CROPS, as_heard
from musicu.embeddings.training.encode import crop_chunks
from musicu.embeddings.training.finish import summarise
from musicu.embeddings.training.network import AudioNetwork
from musicu.records import Windows

Samples = NDArray[np.float32]
SECONDS = 5.0
TILT_DB = 4.0  # an octave, at most, either way
SPEED = 0.03
#: An MP3 file of about 26 kbit/s.
CODEC = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.9}


@dataclass(frozen=True, slots=True, eq=False)
class Excerpts:
    """One excerpt of each of some recordings.

    recordings: int64 [q], rows of the evidence. powers: mel power, float32 [frames, bands] each.
    statistics: float64 [q, S], or None where they are not asked for.
    """

    recordings: NDArray[np.int64]
    powers: tuple[NDArray[np.float32], ...]
    statistics: NDArray[np.float64] | None

    def summaries(self, network: AudioNetwork, frames: int, count: int) -> NDArray[np.float32]:
        """What a network says of each, float32 [q, summary]."""
        network.eval()
        device = next(network.parameters()).device
        rows = []
        with torch.no_grad():
            for power in self.powers:
                chunks = crop_chunks(power, CROPS[0], frames, count)
                features = network.features(torch.from_numpy(chunks).to(device))
                rows.append(summarise(features.float().cpu().numpy()))
        return np.stack(rows)


def take_excerpts(
    recordings: NDArray[np.int64],
    paths: Sequence[Path],
    read: Callable[[Path], Samples],
    windows: Windows | None,
    seed: int,
) -> Excerpts:
    """An excerpt of each recording; `paths` are theirs, in the same order.

    windows: how a model with statistics hears a whole recording; None where none are asked for.
    """
    powers, statistics = [], []
    for recording, path in zip(recordings, paths, strict=True):
        rng = np.random.default_rng([seed, int(recording)])
        samples = degrade(_cut(read(path), rng), rng)
        powers.append(mel_power(samples))
        if windows is not None:
            statistics.append(flat_statistics(as_heard(samples, windows)))
    return Excerpts(recordings, tuple(powers), np.stack(statistics) if statistics else None)


def _cut(samples: Samples, rng: np.random.Generator) -> Samples:
    size = round(SECONDS * SAMPLE_RATE)
    start = int(rng.integers(max(1, len(samples) - size)))
    return samples[start : start + size]


def degrade(samples: Samples, rng: np.random.Generator) -> Samples:
    """Sound at 22,050 Hz at another speed, tilted, and through a codec; float32 [n]."""
    speed = 1.0 + rng.uniform(-SPEED, SPEED)
    moved = soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
    tilted = _tilt(moved, rng.uniform(-TILT_DB, TILT_DB))
    peak = np.abs(tilted).max(initial=0.0)
    return encode_and_decode(tilted * np.float32(0.5 / max(float(peak), 1e-6)), CODEC, SAMPLE_RATE)


def _tilt(samples: Samples, db_per_octave: float) -> Samples:
    """Louder above 1 kHz and softer below, or the other way round."""
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    octaves = np.log2(np.clip(hz, 60.0, 8000.0) / 1000.0)
    spectrum = np.fft.rfft(samples) * 10 ** (db_per_octave * octaves / 20)
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)
