"""Tempo with a calibrated confidence, alternatives and beats.

A small network scores each tempo from 30 to 300 BPM by the recording's periodicities at that
period and its multiples (see `musicu.features.periodicity`). It was trained on synthesised music,
whose tempo is known and whose octaves are easier to tell apart than those of recordings. So its
scores are divided by a temperature and combined with a prior around the tempo at which people tap,
two beats per second (van Noorden and Moelants, "Resonance in the perception of musical pulse",
1999). The probabilities of the candidates and of "no beat" sum to 1 and are calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.features.beats import mean_period, stability, track_beats
from musicu.features.onsets import ONSET_RATE
from musicu.features.periodicity import candidates, rhythm_pattern
from musicu.features.scorer import Scorer, load_scorer, shares

SHORTEST_SECONDS = 3.0
_SAME = 0.03  # of the logarithm: tempi this close count as one
_FINER = 0.0075  # of the logarithm: the most by which beats correct a tempo
_RELATIONS = {"half": 1 / 2, "double": 2.0, "third": 1 / 3, "triple": 3.0,
              "dotted": 2 / 3, "triplet": 3 / 2}  # fmt: skip
_N_ALTERNATIVES = 3
_LEAST_WEIGHT = 0.005
TEMPER = 2.0  # temperature of the scores
TAPPED_BPM, TAPPED_OCTAVES = 120.0, 0.6  # the middle and the deviation of a bell over log tempo


@dataclass(frozen=True, slots=True)
class TempoAlternative:
    """Another tempo that listeners may tap.

    relation: to the first answer: "half", "double", "third", "triple", "dotted" (2/3),
    "triplet" (3/2) or "other". weight: its probability; those of all answers sum to at most 1.
    """

    bpm: float
    relation: str
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Tempo:
    """The tempo and beats of a recording.

    bpm: beats per minute in [30, 300]; None for silence and less than 3 seconds.
    confidence: in [0, 1], the probability that bpm is within 4 % of a musician's answer; low
    without a beat. alternatives: most likely first.
    stability: see `beats.stability`; None below eight beats.
    beats: float32 [b], seconds from the start, rising.
    """

    bpm: float | None
    confidence: float
    alternatives: tuple[TempoAlternative, ...]
    stability: float | None
    beats: NDArray[np.float32]


NO_TEMPO = Tempo(None, 0.0, (), None, np.empty(0, np.float32))


def tempo_of_onsets(bands: NDArray[np.float32]) -> Tempo:
    """Tempo and beats of onset strength float32 [frames, 6], of `musicu.features.onsets`."""
    if len(bands) < SHORTEST_SECONDS * ONSET_RATE or bands.max(initial=0.0) <= 0.0:
        return NO_TEMPO
    scorer = load_scorer("tempo")
    periods, features = candidates(rhythm_pattern(bands))
    position = np.log(60.0 / periods)
    found = rank(position, beliefs(scorer, position, features))
    bpm, belief = found[0]
    beats = track_beats(bands, 60.0 / bpm)
    refined = mean_period(beats)
    if refined is not None and abs(np.log(60.0 / refined / bpm)) < _FINER:
        bpm = 60.0 / refined
    others = [TempoAlternative(b, relation(b / found[0][0]), w) for b, w in found[1:]]
    confidence = scorer.calibration.confidence(belief)
    return Tempo(bpm, confidence, tuple(others), stability(beats), beats)


def beliefs(
    scorer: Scorer, position: NDArray[np.float64], features: NDArray[np.floating[Any]]
) -> NDArray[np.float64]:
    """Probability of each candidate, float64 [cells]; the remainder to 1 is that of no beat.

    position: logarithm of each candidate's BPM. features: [cells, F] of
    `musicu.features.periodicity.candidates`.
    """
    octaves = (position - np.log(TAPPED_BPM)) / np.log(2.0)
    tapped = -0.5 * (octaves / TAPPED_OCTAVES) ** 2
    return shares(scorer.scores(features)[:, 0] / TEMPER + tapped)


def rank(position: NDArray[np.float64], belief: NDArray[np.float64]) -> list[tuple[float, float]]:
    """The one to four most likely tempi (BPM, probability), best first.

    position: logarithm of each candidate's BPM. belief: the probability of each, float64 [cells];
    those of tempi within 3 % are added.
    """
    left = belief.copy()
    found: list[tuple[float, float]] = []
    for _ in range(1 + _N_ALTERNATIVES):
        near = np.abs(position[:, None] - position) < _SAME
        together = near @ left
        best = int(np.argmax(together))
        if found and together[best] < _LEAST_WEIGHT:
            break
        sharpest = int(np.argmax(np.where(near[best], left, -1.0)))
        found.append((float(np.exp(position[sharpest])), float(min(together[best], 1.0))))
        left[np.abs(position - position[sharpest]) < 2 * _SAME] = 0.0
    return found


def relation(ratio: float) -> str:
    """The name of the relation of a tempo to another, by their ratio; "other" if not simple."""
    for name, exact in _RELATIONS.items():
        if abs(np.log(ratio / exact)) < 0.04:
            return name
    return "other"
