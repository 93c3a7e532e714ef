"""Pitch classes in tenths of a semitone, from which chroma and tuning are computed.

Spectral peaks after Gómez, "Tonal description of music audio signals" (2006), weighted by their
level in dB within 25 dB of the frame's loudest. This weight found more keys with published
profiles than power, amplitude, its square root or the height above the local spectrum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from musicu.features.blocks import PowerBlocks

SAMPLE_RATE = 22_050
N_FFT = 8192
HOP = 4096
PITCH_RATE = SAMPLE_RATE / HOP  # frames a second, 5.4
STEPS = 10  # to a semitone
N_FINE = 12 * STEPS
BLOCK = 162  # frames, 30 s
LOW_HZ, HIGH_HZ = 41.0, 2200.0
_BASS_NOTE = (48.0, 56.0)  # MIDI: bass fades out and treble in, from 131 to 208 Hz
_AROUND = 61  # bins, 164 Hz: the width of the spectrum "around"
_RANGE = 5.8  # of the logarithm of power under the loudest bin, 25 dB: weaker peaks are left out
_SILENCE = 1e-7  # power of the loudest bin, about -100 dBFS


class PitchStream(PowerBlocks):
    """Fine pitch classes of mono audio at 22,050 Hz from pieces of any size; see `fine_pitches`."""

    def __init__(self) -> None:
        super().__init__(_fine, N_FFT, HOP, BLOCK)


def fine_pitches(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Salience of pitch classes in bass and treble, float32 [1 + n // 4096, 2, 120].

    samples: mono float32 [n] at 22,050 Hz. Class i is i * 10 cents above C of A = 440 Hz. At
    least 0, and 0 in silence; frame i is centred at i * 4096 / 22050 seconds.
    """
    stream = PitchStream()
    stream.update(samples)
    return stream.finish()


def _fine(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fine pitch classes float32 [frames, 2, 120] of power spectra."""
    first, last = (round(hz * N_FFT / SAMPLE_RATE) for hz in (LOW_HZ, HIGH_HZ))
    log = np.log(power[:, first - 1 : last + 1] + np.float32(1e-20))
    inner = log[:, 1:-1]
    around = ndimage.uniform_filter1d(power, _AROUND, axis=1)[:, first:last]
    around = np.log(np.maximum(around, np.float32(1e-20)))
    loudest = np.log(np.maximum(power.max(axis=1), np.float32(_SILENCE)))
    peak = (inner >= log[:, :-2]) & (inner > log[:, 2:]) & (inner > around)
    peak &= inner > loudest[:, None] - _RANGE
    frame, place = np.nonzero(peak)
    left, top, right = log[frame, place], inner[frame, place], log[frame, place + 2]
    offset = 0.5 * (left - right) / (left - 2 * top + right)  # of a parabola through the three
    hz = (place + first + offset) * (SAMPLE_RATE / N_FFT)
    note = 69.0 + 12.0 * np.log2(hz / 440.0)
    salience = 1.0 + (top - loudest[frame]) / _RANGE
    treble = np.clip((note - _BASS_NOTE[0]) / (_BASS_NOTE[1] - _BASS_NOTE[0]), 0.0, 1.0)
    fine = np.round(note * STEPS).astype(np.int64) % N_FINE
    shares = [_sum(frame, fine, salience * share, len(power)) for share in (1 - treble, treble)]
    return np.stack(shares, axis=1)


def _sum(
    frame: NDArray[np.int64], fine: NDArray[np.int64], weight: NDArray[np.float64], frames: int
) -> NDArray[np.float32]:
    total = np.bincount(frame * N_FINE + fine, weight, frames * N_FINE)
    return total.reshape(frames, N_FINE).astype(np.float32)
