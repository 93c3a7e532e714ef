"""Timbre: the shape of the spectra, their spread and their changes.

Cepstra as a Gaussian after Mandel & Ellis, "Song-level features and support vector machines for
music classification" (ISMIR 2005); spectral, delta and correlation patterns after Seyerlehner,
Widmer & Pohle, "Fusing block-level features for music similarity estimation" (DAFx 2010).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicu.features.frames import Frames
from musicu.features.powers import N_MELS

Statistics = dict[str, NDArray[np.float64]]
_LAGS = (1, 4)  # frames to either side: 46 and 186 ms from end to end


def quantiles(values: NDArray[np.float32], shares: tuple[float, ...]) -> NDArray[np.float64]:
    """As `np.quantile` along the last axis: float64 [shares, ...] of [..., n], n at least 1."""
    ordered = np.sort(values, axis=-1)
    places = np.array(shares) * (values.shape[-1] - 1)
    low = places.astype(np.int64)
    high = np.minimum(low + 1, values.shape[-1] - 1)
    below, above = (np.moveaxis(ordered[..., i], -1, 0).astype(np.float64) for i in (low, high))
    part = (places - low).reshape(-1, *(1,) * (values.ndim - 1))
    return np.asarray(below + part * (above - below))


def mean(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean along the last axis, in float64."""
    return np.asarray(values.mean(axis=-1), np.float64)


def deviation(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The standard deviation along the last axis, in float64."""
    return np.asarray(values.std(axis=-1), np.float64)


def colour(frames: Frames) -> Statistics:
    """The average spectrum: mel bands at their mean and their quantiles, and its cepstrum."""
    mel = frames.active.mel
    bands = mean(mel)
    levels = quantiles(mel, (0.1, 0.5, 0.9)) - mean(frames.active.loudness)
    return {
        "cepstrum": mean(frames.active.cepstra[1:]),
        "bands": bands - bands.mean(),
        "band_quantiles": levels.ravel(),
    }


def spread(frames: Frames) -> Statistics:
    """The variation of bands and cepstra over time."""
    mel = frames.active.mel
    low, high = quantiles(mel, (0.1, 0.9))
    return {
        "cepstrum_spread": np.log(deviation(frames.active.cepstra) + 0.05),
        "band_spread": np.log(deviation(mel) + 0.05),
        "band_range": high - low,
    }


def togetherness(frames: Frames) -> Statistics:
    """Correlations between cepstra and between bands, each in [-1, 1]."""
    bands = frames.active.mel.reshape(12, 4, -1).mean(axis=1)
    return {
        "cepstrum_correlations": _correlations(frames.active.cepstra[:13]),
        "band_correlations": _correlations(bands),
    }


def _correlations(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The upper triangle of the correlation matrix; deviations near 0 give correlations near 0."""
    covariance = products(values - values.mean(axis=1, keepdims=True))
    spreads = np.sqrt(np.diag(covariance)) + 0.05
    correlations = covariance / np.outer(spreads, spreads)
    return np.asarray(correlations[np.triu_indices(len(correlations), 1)])


def products(
    values: NDArray[np.float32], others: NDArray[np.float32] | None = None
) -> NDArray[np.float64]:
    """Means over time of the product of each pair of rows, float64 [rows, rows]."""
    others = values if others is None else others
    # einsum and not BLAS: the same bits whatever the number of threads
    sums = np.einsum("it,jt->ij", values, others)
    return np.asarray(sums / values.shape[1], np.float64)


def movement(frames: Frames) -> Statistics:
    """The rate of change of cepstra, and the rises of bands."""
    found: Statistics = {}
    for lag in _LAGS:
        change = frames.changes(frames.whole.cepstra, 2 * lag)
        found[f"cepstrum_change_{lag}"] = np.log(mean(np.abs(change)) + 0.02)
    rises = np.maximum(frames.changes(frames.whole.mel, 3), 0.0)
    pairs = rises.reshape(N_MELS // 2, 2, -1).mean(axis=1)
    found["rise_peaks"] = np.log(quantiles(pairs, (0.9,))[0] + 0.02)
    found["rise_means"] = np.log(mean(pairs) + 0.01)
    return found


def tonality(frames: Frames) -> Statistics:
    """Tonality: flatness and peaks of octave bands, and moments of the mel spectrum."""
    flatness, peak = frames.active.flatness, frames.active.peak
    return {
        "flatness": mean(flatness),
        "flatness_spread": np.log(deviation(flatness) + 0.05),
        "flatness_quantiles": quantiles(flatness, (0.1, 0.9)).ravel(),
        "peak": mean(peak),
        "peak_spread": np.log(deviation(peak) + 0.05),
        "moments": _moment_statistics(spectral_moments(frames.active.power)),
    }


def spectral_moments(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Centroid, spread, 85 % and 50 % rolloff in mel bands, and entropy, float32 [5, frames]."""
    share = power / power.sum(axis=0)
    middle = np.float32((len(power) - 1) / 2)  # squares of small numbers keep more digits
    band = (np.arange(len(power), dtype=np.float32) - middle)[:, None]
    weighted = share * band
    centroid = weighted.sum(axis=0)
    variance = (weighted * band).sum(axis=0) - centroid**2
    below = share.cumsum(axis=0)
    rolloff = [count_marked(below < np.float32(part)) for part in (0.85, 0.5)]
    entropy = -(share * np.log(share + np.float32(1e-9))).sum(axis=0)
    spread_ = np.sqrt(np.maximum(variance, 0.0))
    return np.stack([centroid + middle, spread_, *rolloff, entropy]).astype(np.float32)


def count_marked(marks: NDArray[np.bool_]) -> NDArray[np.int8]:
    """How many of up to 127 rows are marked."""
    count: NDArray[np.int8] = np.add.reduce(marks.view(np.int8), axis=0, dtype=np.int8)
    return count


def _moment_statistics(moments: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean, deviation, step from frame to frame, and two quantiles of each moment."""
    step = np.abs(np.diff(moments, prepend=moments[:, :1]))
    low, high = quantiles(moments, (0.1, 0.9))
    return np.concatenate([mean(moments), deviation(moments), mean(step), low, high])
