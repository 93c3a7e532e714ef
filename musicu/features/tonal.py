"""Key-invariant harmony: intervals instead of notes.

Transposition keeps the circular autocorrelation of chroma, the magnitudes of its
discrete Fourier transform (after Amiot, "Music through Fourier space", 2016) and its sorted
values.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.frames import Frames
from musicu.features.powers import N_NOTES
from musicu.features.timbre import Statistics, count_marked, deviation, mean, products

_CHANGE_LAGS = (8, 22, 43, 86)  # frames: 0.2, 0.5, 1 and 2 seconds
_STEP_LAG = 22


def chroma(salience: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shares of the twelve pitch classes from E upwards, float32 [12, frames], sum at most 1."""
    classes = salience.reshape(N_NOTES // 12, 12, -1).sum(axis=0)
    shares: NDArray[np.float32] = classes / (classes.sum(axis=0) + np.float32(0.1))
    return shares


def harmony(frames: Frames) -> Statistics:
    """Intervals that sound together and in succession, and the rate of chord changes."""
    salience = frames.active.salience
    shares = chroma(salience)
    profile = mean(shares)
    profile = profile / (profile.sum() + 1e-9)
    smooth = ndimage.uniform_filter1d(shares, 9, axis=1)
    together = [around_the_octave(p)[:7] for p in (np.outer(profile, profile), products(shares))]
    return {
        "intervals": np.concatenate(together),
        "sorted_chroma": np.sort(profile)[::-1],
        "chroma_spectrum": _chroma_spectrum(shares, profile),
        "chord_change": _agreement(smooth),
        "clarity": _clarity(salience, shares),
        "chord_steps": _chord_steps(smooth),
    }


def around_the_octave(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of [12, 12] products of pitch classes by the interval between them, float64 [12].

    Entry s holds the products of each class with the one s semitones below.
    """
    classes = np.arange(12)
    return np.array([pairs[classes, (classes - step) % 12].sum() for step in range(12)])


def _chroma_spectrum(
    shares: NDArray[np.float32], profile: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Magnitudes of the Fourier transform over pitch classes, of frames and of their mean."""
    magnitude = np.abs(fft.rfft(shares, axis=0))[1:]
    whole = np.abs(fft.rfft(profile))[1:]
    return np.concatenate([mean(magnitude), deviation(magnitude), whole])


def _agreement(smooth: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean cosine of chroma with itself at each lag, float64 [4]; 1 where it is too short."""
    unit = smooth / (np.sqrt(np.square(smooth).sum(axis=0)) + np.float32(1e-9))
    lags = [lag if lag < smooth.shape[1] else None for lag in _CHANGE_LAGS]
    found = [1.0 if k is None else (unit[:, k:] * unit[:, :-k]).sum(axis=0).mean() for k in lags]
    return np.array(found, np.float64)


def _clarity(salience: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and deviation of the total salience, and the mean entropy of chroma."""
    total = salience.sum(axis=0)
    entropy = -(shares * np.log(shares + np.float32(1e-6))).sum(axis=0)
    return np.array([mean(total), deviation(total), mean(entropy)])


def _chord_steps(smooth: NDArray[np.float32]) -> NDArray[np.float64]:
    """Circular cross-correlation of chroma with chroma half a second later, float64 [12]."""
    count = smooth.shape[1]
    lag = _STEP_LAG if count > _STEP_LAG else 0
    return around_the_octave(products(smooth[:, lag:], smooth[:, : count - lag]))


def pitch(frames: Frames) -> Statistics:
    """Register, density of notes, and intervals up to two octaves without folding."""
    salience = frames.active.salience
    octaves = salience.reshape(N_NOTES // 12, 12, -1).sum(axis=1)
    octaves /= octaves.sum(axis=0) + np.float32(0.1)
    unit = salience / (np.sqrt(np.square(salience).sum(axis=0)) + np.float32(0.1))
    register = ndimage.uniform_filter1d(mean(unit), 5)[2::4]
    return {
        "octaves": mean(octaves),
        "wide_intervals": np.array([_interval(unit, step) for step in range(1, 25)]),
        "register": register,
        "density": _density(salience),
    }


def _interval(unit: NDArray[np.float32], step: int) -> float:
    """How often two notes `step` semitones apart sound together."""
    together = np.einsum("nt,nt->n", unit[step:], unit[: N_NOTES - step])
    return float(together.sum(dtype=np.float64) / unit.shape[1])


def _density(salience: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean and deviation of the number of notes that stand out, by 3 dB and by 8 dB."""
    counts = [count_marked(salience > np.float32(limit)) for limit in (0.3, 0.8)]
    return np.array([value for count in counts for value in (count.mean(), count.std())])
