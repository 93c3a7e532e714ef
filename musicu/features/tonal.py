"""Harmony, whatever the key: intervals instead of notes.

A transposed recording keeps its chroma's circular autocorrelation, the magnitudes of its
discrete Fourier transform (after Amiot, "Music through Fourier space", 2016) and its sorted
profile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from musicu.features.frames import N_NOTES, Frames
from musicu.features.timbre import Statistics

_CHANGE_LAGS = (8, 22, 43, 86)  # frames: 0.2, 0.5, 1 and 2 seconds
_STEP_LAG = 22


def note_salience(notes: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far each semitone stands out of its neighbours, float64 [frames, 48], at least 0."""
    around = ndimage.uniform_filter1d(notes.astype(np.float64), 5, axis=1)
    salience: NDArray[np.float64] = np.maximum(notes - around, 0.0)
    return salience


def chroma(salience: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of the twelve pitch classes from E upwards, float64 [frames, 12], sum at most 1."""
    classes = salience.reshape(len(salience), -1, 12).sum(axis=1)
    shares: NDArray[np.float64] = classes / (classes.sum(axis=1, keepdims=True) + 0.1)
    return shares


def harmony(frames: Frames) -> Statistics:
    """Which intervals sound together and after one another, and how quickly chords change."""
    salience = note_salience(frames.active("notes"))
    shares = chroma(salience)
    profile = shares.mean(axis=0) / (shares.mean() * 12 + 1e-9)
    smooth = ndimage.uniform_filter1d(shares, 9, axis=0)
    return {
        "intervals": np.concatenate([interval_profile(p)[:7] for p in (profile[None], shares)]),
        "sorted_chroma": np.sort(profile)[::-1],
        "chroma_spectrum": _chroma_spectrum(shares, profile),
        "chord_change": np.array([_agreement(smooth, lag) for lag in _CHANGE_LAGS]),
        "clarity": _clarity(salience, shares),
        "chord_steps": _chord_steps(smooth),
    }


def interval_profile(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Circular autocorrelation of chroma [frames, 12], mean over frames, float64 [12]."""
    products = [(shares * np.roll(shares, step, axis=1)).sum(axis=1).mean() for step in range(12)]
    return np.array(products)


def _chroma_spectrum(
    shares: NDArray[np.float64], profile: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Magnitudes of the Fourier transform over pitch classes: of frames, and of their mean."""
    magnitude = np.abs(fft.rfft(shares, axis=1))[:, 1:]
    whole = np.abs(fft.rfft(profile))[1:]
    return np.concatenate([magnitude.mean(axis=0), magnitude.std(axis=0), whole])


def _agreement(smooth: NDArray[np.float64], lag: int) -> float:
    """Mean cosine of chroma with itself `lag` frames later; 1 where it is too short."""
    if len(smooth) <= lag:
        return 1.0
    later, now = smooth[lag:], smooth[:-lag]
    norms = np.linalg.norm(later, axis=1) * np.linalg.norm(now, axis=1) + 1e-9
    return float(((later * now).sum(axis=1) / norms).mean())


def _clarity(salience: NDArray[np.float64], shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much stands out at all, how much that varies, and the entropy of chroma."""
    total = salience.sum(axis=1)
    entropy = -(shares * np.log(shares + 1e-6)).sum(axis=1)
    return np.array([total.mean(), total.std(), entropy.mean()])


def _chord_steps(smooth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Circular cross-correlation of chroma with chroma half a second later, float64 [12]."""
    lag = _STEP_LAG if len(smooth) > _STEP_LAG else 0
    later, now = smooth[lag:], smooth[: len(smooth) - lag]
    return np.array([(later * np.roll(now, s, axis=1)).sum(axis=1).mean() for s in range(12)])


def pitch(frames: Frames) -> Statistics:
    """Register, density of notes, and intervals up to two octaves without folding."""
    salience = note_salience(frames.active("notes"))
    octaves = salience.reshape(len(salience), -1, 12).sum(axis=2)
    octaves = octaves / (octaves.sum(axis=1, keepdims=True) + 0.1)
    unit = salience / (np.linalg.norm(salience, axis=1, keepdims=True) + 0.1)
    register = ndimage.uniform_filter1d(unit.mean(axis=0), 5)[2::4]
    return {
        "octaves": octaves.mean(axis=0),
        "wide_intervals": np.array([_interval(unit, step) for step in range(1, 25)]),
        "register": register,
        "density": _density(salience),
    }


def _interval(unit: NDArray[np.float64], step: int) -> float:
    """How often two notes `step` semitones apart sound together."""
    return float((unit[:, step:] * unit[:, : N_NOTES - step]).sum(axis=1).mean())


def _density(salience: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean and deviation of the number of notes that stand out, by 3 dB and by 8 dB."""
    counts = [(salience > limit).sum(axis=1) for limit in (0.3, 0.8)]
    return np.array([value for count in counts for value in (count.mean(), count.std())])
