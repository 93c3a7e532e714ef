"""Audio fingerprints that survive codecs, level changes and trims.

After Haitsma & Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): a bit says
whether the energy of a band grows faster over time than that of its neighbour. Bits far from the
threshold are marked as reliable, since codecs hardly flip them; two recordings are compared on the
bits that are marked in both. A steady tone or silence has no marked bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.blocks import PowerBlocks
from musicu.features.mono import SAMPLE_RATE

NAME = "musicu-fingerprint-v1"
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

Codes = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """One code per frame, and which of its bits are marked: both uint32 [frames].

    Frame n stands for the sound from n / FRAMES_PER_SECOND on, for about half a second.
    """

    codes: Codes
    marks: Codes


class FingerprintMeter:
    """Fingerprints mono audio at 22,050 Hz from pieces of any size; keeps 1 kB per second."""

    def __init__(self) -> None:
        self._blocks = PowerBlocks(_band_energies, N_FFT, HOP, _BLOCK)
        self._energies: list[NDArray[np.float32]] = []

    def update(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [n]."""
        self._energies += [bands for _, bands in self._blocks.add(samples)]

    def finish(self) -> Fingerprint:
        """The fingerprint of all samples so far; no frames for less than 0.5 s."""
        self._energies += [bands for _, bands in self._blocks.finish()]
        return _fingerprint(np.concatenate(self._energies))


def _band_energies(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Energy in each of 33 bands, equally wide in octaves, float32 [frames, 33]."""
    edges = _edges()
    return np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)


def _edges() -> NDArray[np.int64]:
    hertz = np.geomspace(*LIMITS_HZ, BITS + 2)
    return np.round(hertz * N_FFT / SAMPLE_RATE).astype(np.int64)


def _fingerprint(energies: NDArray[np.float32]) -> Fingerprint:
    floor = _FLOOR * energies.mean(dtype=np.float64)
    if floor == 0.0 or len(energies) <= SPAN:
        nothing = np.zeros(max(0, len(energies) - SPAN), np.uint32)
        return Fingerprint(nothing, nothing)
    level = np.log(energies + np.float32(floor))
    slope = level[:, :-1] - level[:, 1:]
    change = slope[SPAN:] - slope[:-SPAN]
    return Fingerprint(_packed(change > 0), _packed(np.abs(change) > MARKED))


def _packed(bits: NDArray[np.bool_]) -> Codes:
    """Bits [frames, 32] as one number per frame, the lowest band in the lowest bit."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)
