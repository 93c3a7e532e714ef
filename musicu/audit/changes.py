"""How much of one recording's spectrum is not another's, though their fingerprints agree.

Codecs, levels, trims and noise scatter small differences over all of it. A voice, another lead or
a muted instrument changes some bands, by several dB and for seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.fingerprint_codes import BandLevels

_BLOCK = 24  # frames that are averaged: three seconds
_STEP = 8
_FEWEST = 16  # frames; less sound says nothing of changes
_LOUD_DB = 15.0  # what lies further under its block's loudest band, a codec may leave out
_QUIET_DB = 20.0  # blocks so far under the usual loudest are fades, or nearly silence
_CHANGED_DB = 3.0
_MOST_DB = 6.0  # beyond which a difference counts no more towards the alignment
_WINDOW = 10  # blocks, one a second
_BANDS = 3  # a lead lies in few bands
_SHIFTS = np.arange(-3, 4) / 4  # of a frame, to which trims do not keep

Energies = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SpectralChange:
    """How much of two spectra differs: shares of blocks of 3 s, 0 to 1.

    A block counts where a band differs by more than 3 dB; the three bands of most such blocks
    stand for all. share: over all of the sound. worst: in the 10 s where most is changed.
    """

    share: float
    worst: float

    def within(self, limit: SpectralChange) -> bool:
        """Whether neither is above that of a limit."""
        return self.share <= limit.share and self.worst <= limit.worst


def mean_change(changes: Sequence[SpectralChange]) -> SpectralChange:
    """The mean of each of the two numbers."""
    share, worst = np.mean([(one.share, one.worst) for one in changes], axis=0)
    return SpectralChange(float(share), float(worst))


def find_change(a: BandLevels, b: BandLevels, offset: int) -> SpectralChange | None:
    """What differs between two spectra that are laid over each other.

    Frame n + offset of `a` lies over frame n of `b`, or up to a frame beside it. A constant
    difference of a band (a level, an equaliser) is none. None where both have under 2 s in common.
    """
    first, second = a.energies(), b.energies()
    found = [_changes(*laid) for s in _SHIFTS if (laid := _laid(first, second, offset + s))]
    if not found:
        return None
    _, changed, rows = min(found, key=lambda one: one[0])
    return SpectralChange(_most(changed[None], rows), _most(_windows(changed), min(rows, _WINDOW)))


def _most(changed: NDArray[np.bool_], rows: int) -> float:
    """The mean share of the three bands that are changed most, the highest over all windows.

    changed: bool [windows, blocks, bands]. rows: blocks of a window in which anything sounds.
    """
    counts = np.sort(changed.sum(axis=1), axis=1)[:, -_BANDS:]
    return float(counts.mean(axis=1).max() / max(1, rows))


def _windows(changed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Every stretch of `_WINDOW` blocks, bool [windows, blocks, bands]; all where that is less."""
    length = min(_WINDOW, len(changed))
    return np.asarray(
        np.lib.stride_tricks.sliding_window_view(changed, length, axis=0).swapaxes(1, 2)
    )


def _laid(a: Energies, b: Energies, offset: float) -> tuple[Energies, Energies] | None:
    """The frames that both have, those of `a` between two of its own where the offset lies so."""
    whole = int(np.floor(offset))
    share = np.float32(offset - whole)
    start, other = max(0, whole), max(0, -whole)
    frames = min(len(a) - start - 1, len(b) - other)
    if frames < _FEWEST:
        return None
    early, late = a[start : start + frames], a[start + 1 : start + frames + 1]
    return (1 - share) * early + share * late, b[other : other + frames]


def _changes(a: Energies, b: Energies) -> tuple[float, NDArray[np.bool_], int]:
    """The mean difference in dB, which alignment makes least; what is changed, bool [blocks,
    bands]; and in how many blocks anything sounds.
    """
    block = min(_BLOCK, len(a) // 2)
    step = min(_STEP, max(1, block // 3))
    one, other = (_decibels(_blocks(side, block, step)) for side in (a, b))
    top = np.maximum(one, other)
    loudest = top.max(axis=1, keepdims=True)
    told = (top > loudest - _LOUD_DB) & (loudest > np.median(loudest) - _QUIET_DB)
    differ = np.where(told, one - other, np.nan)
    often = told.sum(axis=0) > 3
    usual = np.zeros(differ.shape[1])
    usual[often] = np.nanmedian(differ[:, often], axis=0)
    size = np.where(told, np.abs(one - other - usual), 0.0)
    mean = float(np.minimum(size, _MOST_DB).sum() / max(1, told.sum()))
    return mean, size > _CHANGED_DB, int(told.any(axis=1).sum())


def _blocks(energies: Energies, block: int, step: int) -> NDArray[np.float64]:
    """Sums over blocks of frames, float64 [blocks, bands]."""
    ends = np.cumsum(np.pad(energies.astype(np.float64), ((1, 0), (0, 0))), axis=0)
    starts = np.arange(0, len(energies) - block + 1, step)
    return np.asarray(ends[starts + block] - ends[starts])


def _decibels(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """In dB of their mean; 60 dB under it nothing is heard."""
    mean = max(float(energies.mean()), 1e-30)
    return np.asarray(10 * np.log10(energies / mean + 1e-6))
