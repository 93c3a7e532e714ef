"""Audio fingerprints that survive codecs, level changes and trims.

After Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): a bit says
whether the energy of a band grows faster over time than that of its neighbour. Added to it is a
mark for each bit that lies so far from the turning point that a codec will hardly turn it; only
bits that are marked in both of two recordings are compared. What is held or repeated in the same
way in every band (a steady tone, silence) has no marks and says nothing.

Bits cannot tell a song from its instrumental: a voice turns fewer of them than Opus does at
24 kbit/s. So the energies of the bands are kept too, coarsely; a voice adds to some bands for
seconds, which no codec does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.blocks import PowerBlocks
from musicu.features.mono import SAMPLE_RATE

NAME = "musicu-fingerprint-v2"
#: The set of earlier versions: the same codes and marks, without spectra.
EARLIER = "musicu-fingerprint-v1"
N_FFT = 8192
HOP = 2756
FRAMES_PER_SECOND = SAMPLE_RATE / HOP
BITS = 32
LIMITS_HZ = (200.0, 4000.0)
#: Frames between the two that a bit compares: their windows hardly overlap.
SPAN = 3
#: The least difference, in nepers of energy, of a marked bit.
MARKED = 0.5
_BLOCK = 256  # frames
_FLOOR = 1e-6  # of the mean energy of a band: 60 dB below it counts as silence

#: Levels of a band are kept in steps of so many dB under the frame's loudest; the last is nothing.
STEP_DB = 1.5
_NOTHING = 15
_PEAK_STEP_DB = 0.5  # of the frame's loudest band, under the recording's
_DECIBELS = np.float32(10 / np.log(10))

Codes = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class BandLevels:
    """The energies of the 32 lowest bands in every frame, 17 bytes a frame.

    levels: uint32 [frames, 4], eight bands of four bits in each, the lowest in the lowest: steps of
    STEP_DB under the loudest band. peaks: uint8 [frames], that band's steps of 0.5 dB under the
    loudest of the recording.
    """

    levels: Codes
    peaks: NDArray[np.uint8]

    @classmethod
    def of(cls, energies: NDArray[np.float32]) -> BandLevels:
        """From energies float32 [frames, 33]."""
        bands = energies[:, :BITS].astype(np.float32) + np.float32(1e-30)
        loudest = bands.max(axis=1, initial=1e-30, keepdims=True)
        down = np.round(_DECIBELS * np.log(loudest / bands) / np.float32(STEP_DB))
        down[energies[:, :BITS] <= 0] = _NOTHING
        steps = np.minimum(down, _NOTHING).astype(np.uint32).reshape(-1, 4, 8)
        levels = np.bitwise_or.reduce(steps << np.arange(0, 32, 4, dtype=np.uint32), axis=2)
        under = _DECIBELS * np.log(loudest.max(initial=1e-30) / loudest[:, 0]) / _PEAK_STEP_DB
        return cls(levels, np.minimum(np.round(under), 255).astype(np.uint8))

    def energies(self) -> NDArray[np.float32]:
        """Energies, 1 for the loudest band of all, float32 [frames, 32]."""
        steps = self.levels[:, :, None] >> np.arange(0, 32, 4, dtype=np.uint32) & np.uint32(15)
        bands = _ENERGIES[steps.reshape(-1, BITS)]
        peaks = np.float32(10) ** (self.peaks * np.float32(-_PEAK_STEP_DB / 10))
        return np.asarray(bands * peaks[:, None], np.float32)


_ENERGIES = (10 ** (-STEP_DB / 10 * np.arange(16))).astype(np.float32)
_ENERGIES[_NOTHING] = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """One code per frame, and which of its bits are marked: both uint32 [frames].

    Frame n stands for the sound from n / FRAMES_PER_SECOND on, for about half a second. spectra:
    of SPAN frames more; None where they are kept elsewhere.
    """

    codes: Codes
    marks: Codes
    spectra: BandLevels | None = None


class FingerprintMeter:
    """Fingerprints mono audio at 22,050 Hz from pieces of any size; keeps 1 kB per second."""

    def __init__(self) -> None:
        self._blocks = PowerBlocks(_band_energies, N_FFT, HOP, _BLOCK)

    def update(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [n]."""
        self._blocks.update(samples)

    def finish(self) -> Fingerprint:
        """The fingerprint of all samples so far; no frames for less than 0.5 s."""
        return _fingerprint(self._blocks.finish())


def _band_energies(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Energy in each of 33 bands, equally wide in octaves, float32 [frames, 33]."""
    edges = _edges()
    return np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)


def _edges() -> NDArray[np.int64]:
    hertz = np.geomspace(*LIMITS_HZ, BITS + 2)
    return np.round(hertz * N_FFT / SAMPLE_RATE).astype(np.int64)


def _fingerprint(energies: NDArray[np.float32]) -> Fingerprint:
    spectra = BandLevels.of(energies)
    floor = _FLOOR * energies.mean(dtype=np.float64)
    if floor == 0.0 or len(energies) <= SPAN:
        nothing = np.zeros(max(0, len(energies) - SPAN), np.uint32)
        return Fingerprint(nothing, nothing, spectra)
    level = np.log(energies + np.float32(floor))
    slope = level[:, :-1] - level[:, 1:]
    change = slope[SPAN:] - slope[:-SPAN]
    return Fingerprint(_packed(change > 0), _packed(np.abs(change) > MARKED), spectra)


def _packed(bits: NDArray[np.bool_]) -> Codes:
    """Bits [frames, 32] as one number per frame, the lowest band in the lowest bit."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
