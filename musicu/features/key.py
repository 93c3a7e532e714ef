"""Key and mode with a calibrated confidence, and tuning.

A small network scores each of the 24 keys by chroma, chords and bass relative to its tonic (see
`musicu.features.harmony`), so that a transposed recording gives the transposed key. It was trained
on synthesised music, whose key is known. Since real music is more varied, the scores are divided
by a temperature and combined with the fit of key profiles counted in notated music.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.features.harmony import key_features, profile_fit
from musicu.features.scorer import Scorer, load_scorer, shares
from musicu.features.tuning import chroma, tuning

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MODES = ("major", "minor")
TEMPER = 4.0  # temperature of the scores
PROFILES = 12.0  # weight of the correlation with a profile
_CAMELOT_C_MAJOR = 8  # 8B; a fifth up is one further around the wheel


@dataclass(frozen=True, slots=True)
class KeyEstimate:
    """The key and tuning of a recording.

    tonic: one of `TONICS`; mode: "major" or "minor"; camelot: 1A to 12B (A is minor); None
    without pitched sound. confidence: in [0, 1], the probability that a musician names the same
    tonic and mode; low where there is no key.
    tuning_cents: of the recording's A from 440 Hz, in [-50, 50); None without pitched sound.
    strength: how far pitches agree on one tuning, in [0, 1]: near 0 for noise.
    """

    tonic: str | None
    mode: str | None
    confidence: float
    camelot: str | None
    tuning_cents: float | None
    strength: float


NO_KEY = KeyEstimate(None, None, 0.0, None, None, 0.0)


def key_of_pitches(fine: NDArray[np.float32]) -> KeyEstimate:
    """Key and tuning of fine pitch classes float32 [frames, 2, 120].

    See `musicu.features.pitches`.
    """
    if fine.max(initial=0.0) <= 0.0:
        return NO_KEY
    tuned = tuning(fine)
    scorer = load_scorer("key")
    belief = beliefs(scorer, chroma(fine, tuned.cents))
    tonic, mode = (int(i) for i in np.unravel_index(int(np.argmax(belief)), belief.shape))
    return KeyEstimate(
        tonic=TONICS[tonic],
        mode=MODES[mode],
        confidence=scorer.calibration.confidence(float(belief.max())),
        camelot=camelot(tonic, mode),
        tuning_cents=tuned.cents,
        strength=tuned.strength,
    )


def beliefs(scorer: Scorer, folded: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each tonic and mode, float64 [12, 2], of chroma float64 [frames, 2, 12].

    The remainder to 1 is the probability of no key.
    """
    fit = profile_fit(folded)
    return shares(scorer.scores(key_features(folded)) / TEMPER + PROFILES * (fit - fit.max()))


def camelot(tonic: int, mode: int) -> str:
    """A key on the Camelot wheel: tonic 0 (C) to 11 (B), mode 0 (major) or 1 (minor).

    >>> camelot(0, 0), camelot(9, 1), camelot(6, 1)
    ('8B', '8A', '11A')
    """
    relative_major = (tonic + 3 * mode) % 12
    number = (_CAMELOT_C_MAJOR - 1 + 7 * relative_major) % 12 + 1
    return f"{number}{'BA'[mode]}"
