"""A guitar amplifier: gain, a saturating stage, tone, a loudspeaker's band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

Samples = NDArray[np.float32]


def amplify(sound: Samples, rate: int, rng: np.random.Generator) -> Samples:
    """Sound of a clean guitar float32 [n] through an amplifier drawn at random, RMS 1.

    The drive lies between a warm edge and full distortion; the loudspeaker passes 90 Hz to 4 to
    6 kHz.
    """
    level = float(np.sqrt(np.mean(sound**2))) or 1.0
    tight = sosfilt(butter(1, rng.uniform(80, 250), "high", fs=rate, output="sos"), sound / level)
    bias = rng.uniform(0.0, 0.3)  # asymmetric: even harmonics
    driven = np.tanh(10 ** rng.uniform(0.0, 1.9) * tight + bias) - np.tanh(bias)
    cabinet = butter(3, [90, rng.uniform(3800, 6000)], "band", fs=rate, output="sos")
    heard = sosfilt(cabinet, driven)
    unit: Samples = (heard / (np.sqrt(np.mean(heard**2)) or 1.0)).astype(np.float32)
    return unit
