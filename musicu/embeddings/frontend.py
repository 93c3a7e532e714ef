"""What the audio encoder reads: log-mel chunks whose level no longer matters.

Its frames are every second one of those that the statistics are made of, so that a recording
goes through one Fourier transform for both.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.features import powers
from musicu.features.mel import sparse_filterbank
from musicu.records import Audio

SAMPLE_RATE = powers.SAMPLE_RATE
N_FFT = powers.N_FFT
HOP = 2 * powers.HOP  # half a frame: inner frames of a cut equal those of the whole recording
N_MELS = 80
LOW_HZ = 40.0
HIGH_HZ = 7_500.0  # below what low-rate codecs take away
FLOOR = 1e-7  # 70 dB below the chunk's mean power
CENTRE = -3.0  # of log10(power / mean + FLOOR), so that the network sees about zero …
SPREAD = 1.8  # … and about one
_SILENCE = 1e-12


def mel_power(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel power of sound at 22,050 Hz, float32 [frames, 80].

    samples: float32 [n], any length. Frames are 93 ms long and 46 ms apart, and lie wholly
    inside the sound: `n // 1024 - 1` of them; a sound under 93 ms gives one frame, padded.
    """
    (power,) = powers.spectrograms(Audio.of(samples, SAMPLE_RATE))
    return mel_bands(power)


def mel_bands(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mel power float32 [frames, 80] of every second frame of a `powers.spectrograms` window."""
    filters = sparse_filterbank(SAMPLE_RATE, N_FFT, N_MELS, LOW_HZ, HIGH_HZ, powers.N_BINS)
    bands: NDArray[np.float32] = (filters @ power[:, ::2]).T
    return bands


def level_free_log(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logarithm of mel power relative to each chunk's mean, float32, shaped as `power`.

    power: float32 [..., frames, bands]. Any gain on the sound leaves the result unchanged;
    digital silence becomes a constant.
    """
    mean = power.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    relative = power / np.maximum(mean, _SILENCE).astype(np.float32)
    relative += np.float32(FLOOR)
    logs: NDArray[np.float32] = np.log(relative, out=relative)
    logs *= np.float32(1.0 / np.log(10.0) / SPREAD)  # NumPy has no quick log10
    logs -= np.float32(CENTRE / SPREAD)
    return logs


def cut_chunks(power: NDArray[np.float32], frames: int, hop: int) -> NDArray[np.float32]:
    """Equal chunks of a spectrogram, float32 [chunks, frames, bands], copied.

    power: float32 [n, bands]. Chunks begin every `hop` frames; the last one is moved back to
    end with the sound. Sound shorter than one chunk is repeated until it fills it.
    """
    if len(power) < frames:
        power = np.tile(power, (-(-frames // len(power)), 1))[:frames]
    starts = list(range(0, len(power) - frames + 1, hop))
    if starts[-1] + frames < len(power):
        starts.append(len(power) - frames)
    return np.stack([power[s : s + frames] for s in starts])
