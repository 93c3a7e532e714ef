"""Features of each possible key, from a recording's chroma.

All features are relative to the tonic: a transposed recording gives the same numbers for the
transposed key.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from musicu.features.pitches import PITCH_RATE

_MAJOR, _MINOR = (0, 4, 7), (0, 3, 7)
_LATER = round(1.5 * PITCH_RATE)  # frames between the chords of a cadence
_SHARPNESS = 10.0
# Krumhansl and Kessler (1982), and Temperley's revision, "What's key for key?" (1999)
_PROFILES = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
        [5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0],
        [5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0],
    ]
)
# Shares of pitch classes in the Kostka-Payne corpus: Temperley, "Music and Probability" (2007)
_COUNTED = np.array(
    [
        [0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400],
        [0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330],
    ]
)
_BASS_WEIGHT = 0.5


def key_features(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features of each tonic, float64 [12, 47], of chroma [frames, 2, 12].

    Rows are tonics from C up. Each row holds, relative to its tonic, how well six profiles fit
    five views of the chroma, and the shares of a few notes, chords and cadences. Using all twelve
    notes and chords overfits synthesised pieces: it is better on those and worse on recordings.
    """
    bass, treble = (_even(chroma[:, part]) for part in (0, 1))
    both = _even(chroma.sum(axis=1))
    calm = ndimage.median_filter(both, (5, 1), mode="nearest")
    chords = chord_shares(calm)
    views = (both, both**2, bass, calm, treble)
    fits = [
        _fits(view.mean(axis=0), shapes).T for view in views for shapes in (_COUNTED, _PROFILES)
    ]
    major, minor = chords.mean(axis=0) * 12.0
    notes = [_above(_shares(bass), (0, 7)), _above(_shares(both), (0, 7, 3, 4))]
    triads = [_above(major, (0, 7, 5, 10, 8, 3)), _above(minor, (0, 7, 5))]
    cadences = np.stack([_followed(chords, mode) for mode in (0, 1)], axis=1)
    return np.hstack([*fits, *notes, *triads, cadences])


def profile_fit(chroma: NDArray[np.float64]) -> NDArray[np.float64]:
    """How well each key's profile fits, mean correlation, float64 [12, 2], of [frames, 2, 12].

    Three views of the chroma are averaged: plain, with the bass added again, and squared, which
    emphasises strong classes.
    """
    both = _even(chroma.sum(axis=1))
    plain = both.mean(axis=0)
    views = (plain, plain + _BASS_WEIGHT * _even(chroma[:, 0]).mean(axis=0), (both**2).mean(axis=0))
    return np.asarray(np.mean([_fits(view, _COUNTED).T for view in views], axis=0))


def _even(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chroma normalised per frame, so that loud and quiet frames count alike; empty ones fade."""
    total = part.sum(axis=1, keepdims=True)
    even: NDArray[np.float64] = part / (total + 0.1 * total.mean() + 1e-9)
    return even


def _above(table: NDArray[np.float64], steps: tuple[int, ...]) -> NDArray[np.float64]:
    """The values of a table [12] at each interval in `steps` above each tonic, [12, steps]."""
    return np.stack([np.roll(table, -step) for step in steps], axis=1)


def _shares(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over frames, with the mean of the twelve 1, float64 [12]."""
    mean = part.mean(axis=0)
    shares: NDArray[np.float64] = mean / (mean.mean() + 1e-9)
    return shares


def chord_shares(calm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax similarity of each frame to each major and minor triad, float64 [frames, 2, 12]."""
    smooth = ndimage.uniform_filter1d(calm, 3, axis=0, mode="nearest")
    unit = smooth / (np.linalg.norm(smooth, axis=1, keepdims=True) + 1e-3)
    likeness = np.stack(
        [sum(np.roll(unit, -step, axis=1) for step in triad) for triad in (_MAJOR, _MINOR)], axis=1
    ) / np.sqrt(3.0)
    weights = np.exp(_SHARPNESS * likeness)
    shares: NDArray[np.float64] = weights / weights.sum(axis=(1, 2), keepdims=True)
    return shares


def _followed(chords: NDArray[np.float64], mode: int) -> NDArray[np.float64]:
    """How often the dominant's major triad precedes the triad on each tonic, float64 [12]."""
    lag = _LATER if len(chords) > _LATER else 0
    now, later = chords[: len(chords) - lag], chords[lag:]
    leading = np.roll(now[:, 0], -7, axis=1)  # index t holds the chord on t + 7
    followed: NDArray[np.float64] = (leading * later[:, mode]).mean(axis=0) * 48.0
    return followed


def _fits(
    table: NDArray[np.float64], shapes: NDArray[np.float64] = _PROFILES
) -> NDArray[np.float64]:
    """Correlation with the profiles of each tonic, float64 [profiles, 12]."""
    rows = np.stack([np.roll(table, -tonic) for tonic in range(12)])
    rows = rows - rows.mean(axis=1, keepdims=True)
    profiles = shapes - shapes.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(profiles, axis=1)[:, None] + 1e-9
    fits: NDArray[np.float64] = profiles @ rows.T / norms
    return fits
