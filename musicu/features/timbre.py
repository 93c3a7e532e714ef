"""The colour of the sound: what the spectra look like, how far they spread and how they move.

Cepstra as a Gaussian after Mandel & Ellis, "Song-level features and support vector machines for
music classification" (ISMIR 2005); spectral, delta and correlation patterns after Seyerlehner,
Widmer & Pohle, "Fusing block-level features for music similarity estimation" (DAFx 2010).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from musicu.features.frames import N_MELS, Frames

Statistics = dict[str, NDArray[np.float64]]
N_CEPSTRA = 20
_LAGS = (1, 4)  # frames to either side: 46 and 186 ms from end to end


def cepstra(mel: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Mel-frequency cepstral coefficients of log10 mel powers, float64 [frames, 20].

    librosa's are these times 10, with power in decibels.
    """
    coefficients = fft.dct(mel.astype(np.float64), axis=1, norm="ortho")
    return np.asarray(coefficients[:, :N_CEPSTRA])


def colour(frames: Frames) -> Statistics:
    """The average spectrum: mel bands at their mean and their quantiles, and its cepstrum."""
    mel = frames.active("mel").astype(np.float64)
    loudness = frames.active("loudness").mean(dtype=np.float64)
    return {
        "cepstrum": cepstra(mel)[:, 1:].mean(axis=0),
        "bands": (mel - mel.mean(axis=1, keepdims=True)).mean(axis=0),
        "band_quantiles": (np.quantile(mel, (0.1, 0.5, 0.9), axis=0) - loudness).ravel(),
    }


def spread(frames: Frames) -> Statistics:
    """How far bands and cepstra wander."""
    mel = frames.active("mel").astype(np.float64)
    low, high = np.quantile(mel, (0.1, 0.9), axis=0)
    return {
        "cepstrum_spread": np.log(cepstra(mel).std(axis=0) + 0.05),
        "band_spread": np.log(mel.std(axis=0) + 0.05),
        "band_range": high - low,
    }


def togetherness(frames: Frames) -> Statistics:
    """Which cepstra and which bands rise together: correlations, each in [-1, 1]."""
    mel = frames.active("mel").astype(np.float64)
    return {
        "cepstrum_correlations": _correlations(cepstra(mel)[:, :13]),
        "band_correlations": _correlations(mel.reshape(len(mel), 12, 4).mean(axis=2)),
    }


def _correlations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The upper triangle of the correlation matrix; spreads near nothing count as nothing."""
    centred = values - values.mean(axis=0)
    covariance = np.einsum("ti,tj->ij", centred, centred) / len(values)
    deviation = np.sqrt(np.diag(covariance)) + 0.05
    correlations = covariance / np.outer(deviation, deviation)
    return np.asarray(correlations[np.triu_indices(len(correlations), 1)])


def movement(frames: Frames) -> Statistics:
    """How quickly cepstra change, and how strongly bands rise."""
    found: Statistics = {}
    for lag in _LAGS:
        change = _differences([cepstra(w.mel) for w in frames.windows], 2 * lag)
        found[f"cepstrum_change_{lag}"] = np.log(np.abs(change).mean(axis=0) + 0.02)
    rises = np.maximum(_differences([w.mel for w in frames.windows], 3), 0.0)
    pairs = rises.reshape(len(rises), N_MELS // 2, 2).mean(axis=2)
    found["rise_peaks"] = np.log(np.quantile(pairs, 0.9, axis=0) + 0.02)
    found["rise_means"] = np.log(pairs.mean(axis=0) + 0.01)
    return found


def _differences(windows: list[NDArray[np.floating[Any]]], lag: int) -> NDArray[np.float64]:
    """value(t + lag) - value(t) inside each window; one row of zeros where none is long enough."""
    changes = [w[lag:] - w[:-lag] for w in windows if len(w) > lag]
    return np.concatenate(changes or [np.zeros((1, windows[0].shape[1]))]).astype(np.float64)


def tonality(frames: Frames) -> Statistics:
    """Tone or noise: flatness and peaks of octave bands, and moments of the mel spectrum."""
    flatness = frames.active("flatness").astype(np.float64)
    peak = frames.active("peak").astype(np.float64)
    return {
        "flatness": flatness.mean(axis=0),
        "flatness_spread": np.log(flatness.std(axis=0) + 0.05),
        "flatness_quantiles": np.quantile(flatness, (0.1, 0.9), axis=0).ravel(),
        "peak": peak.mean(axis=0),
        "peak_spread": np.log(peak.std(axis=0) + 0.05),
        "moments": _moment_statistics(spectral_moments(frames.active("mel"))),
    }


def spectral_moments(mel: NDArray[np.float32]) -> NDArray[np.float64]:
    """Centroid, spread, 85 % and 50 % rolloff in mel bands, and entropy, float64 [frames, 5]."""
    power = 10.0 ** mel.astype(np.float64)
    share = power / power.sum(axis=1, keepdims=True)
    band = np.arange(mel.shape[1], dtype=np.float64)
    centroid = (share * band).sum(axis=1)
    variance = (share * band**2).sum(axis=1) - centroid**2
    below = share.cumsum(axis=1)
    rolloff = [(below < part).sum(axis=1) for part in (0.85, 0.5)]
    entropy = -(share * np.log(share + 1e-9)).sum(axis=1)
    return np.stack([centroid, np.sqrt(np.maximum(variance, 0.0)), *rolloff, entropy], axis=1)


def _moment_statistics(moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean, deviation, step from frame to frame, and two quantiles of each moment."""
    step = np.abs(np.diff(moments, axis=0, prepend=moments[:1])).mean(axis=0)
    low, high = np.quantile(moments, (0.1, 0.9), axis=0)
    return np.concatenate([moments.mean(axis=0), moments.std(axis=0), step, low, high])
