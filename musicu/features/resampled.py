"""Sound at the rate that tempo and key are measured at."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from musicu.errors import AudioError
from musicu.features.onsets import SAMPLE_RATE


def at_analysis_rate(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
    """Mono samples [n] as float32 at 22,050 Hz.

    Raises AudioError for other shapes than [n], a rate below 1, or values that are not finite.
    """
    if samples.ndim != 1:
        raise AudioError(f"expected mono samples [n], got shape {samples.shape}: mix down first")
    if sample_rate < 1:
        raise AudioError(f"the sample rate is {sample_rate} Hz: it must be 1 or more")
    if not np.isfinite(samples).all():
        raise AudioError("samples hold NaN or infinity: repair or leave out the recording")
    sound = samples.astype(np.float32, copy=False)
    if sample_rate == SAMPLE_RATE or not len(sound):
        return sound
    resampled: NDArray[np.float32] = soxr.resample(sound, sample_rate, SAMPLE_RATE, "HQ")
    return resampled
