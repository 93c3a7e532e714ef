"""How well one track follows another, and the order in which a set of tracks flows best.

A transition is judged by up to four things, each from 0 (a jolt) to 1 (seamless):

- tempo: the ratio of the two, folded to the nearest octave, as half and double time mix; 1 for
  equal tempi, 0 from 16 % apart (a DJ's pitch slider goes to 8 %, and then twice that);
- key: steps on the Camelot wheel: the same 1, a neighbour or the relative 0.8, two steps 0.4;
- loudness: 1 for equal, 0 from 9 LU apart;
- sound: half of one plus the cosine.

What is unknown of either track counts in no way: the judgement is the weighted mean of what is
known, and says what was missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.identity import Row
from musicu.shelves.shelf_reasons import key_of, tempo_of

Floats = NDArray[np.float64]

WEIGHTS = {"tempo": 0.3, "key": 0.2, "loudness": 0.15, "sound": 0.35}
_TEMPO_END = np.log2(1.16)
_LOUDNESS_END = 9.0
_KEY_BY_STEPS = np.array([1.0, 0.8, 0.4, 0.1, 0.0, 0.0, 0.0, 0.0])
#: Orders are improved by turning parts round at most this many times over.
_PASSES = 20


@dataclass(frozen=True, slots=True)
class Transition:
    """From one track to the next: the judgement, 0 to 1, its parts, and what was not known."""

    score: float
    parts: dict[str, float]
    missing: tuple[str, ...]


class Transitions:
    """Every transition among some tracks, in both directions (they are symmetric)."""

    def __init__(self, rows: Sequence[Row], vectors: NDArray[np.float32]) -> None:
        """Judge the transitions of `rows`; vectors float32 [rows, dim], zeros where unknown."""
        self.parts: dict[str, Floats] = {
            "tempo": _tempo(rows),
            "key": _key(rows),
            "loudness": _loudness(rows),
            "sound": _sound(vectors),
        }
        total, weight = np.zeros((len(rows),) * 2), np.zeros((len(rows),) * 2)
        for name, values in self.parts.items():
            total += WEIGHTS[name] * np.nan_to_num(values)
            weight += WEIGHTS[name] * np.isfinite(values)
        self.scores: Floats = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)

    def of(self, a: int, b: int) -> Transition:
        """The transition between two positions."""
        parts = {name: float(values[a, b]) for name, values in self.parts.items()}
        known = {name: round(value, 4) for name, value in parts.items() if np.isfinite(value)}
        missing = tuple(name for name in parts if name not in known)
        return Transition(round(float(self.scores[a, b]), 4), known, missing)


def smooth_order(scores: Floats, first: int) -> list[int]:
    """All positions once, from `first` on, so that transitions are smooth.

    scores: float64 [n, n], symmetric. The best next one each time, then parts are turned round
    as long as that helps (2-opt, Croes 1958). The same input gives the same order.
    """
    order = [first]
    left = [i for i in range(len(scores)) if i != first]
    while left:
        order.append(max(left, key=lambda i: (scores[order[-1], i], -i)))
        left.remove(order[-1])
    for _ in range(_PASSES):
        if not _turned(order, scores):
            break
    return order


def _turned(order: list[int], scores: Floats) -> bool:
    """Turn round every part that joins better so; whether there was one."""
    found = False
    for i in range(1, len(order) - 1):
        for j in range(i + 1, len(order)):
            a, b, c = order[i - 1], order[i], order[j]
            gain = scores[a, c] - scores[a, b]
            if j + 1 < len(order):
                gain += scores[b, order[j + 1]] - scores[c, order[j + 1]]
            if gain > 1e-9:
                order[i : j + 1] = order[i : j + 1][::-1]
                found = True
    return found


def _apart(values: Floats) -> Floats:
    """Differences of every pair, float64 [n, n]; NaN where one is unknown."""
    found: Floats = np.abs(values[:, None] - values[None, :])
    return found


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _tempo(rows: Sequence[Row]) -> Floats:
    octaves = np.log2(_numbers([tempo_of(row) or None for row in rows]))
    apart = _apart(octaves)
    folded: Floats = np.abs(apart - np.round(apart))
    judged: Floats = np.clip(1 - folded / _TEMPO_END, 0, 1)
    return judged


def tempo_judged(ratio: float) -> float:
    """The judgement of two tempi in this ratio, which is near 1."""
    return float(np.clip(1 - abs(np.log2(ratio)) / _TEMPO_END, 0, 1))


def _key(rows: Sequence[Row]) -> Floats:
    """By steps on the wheel: around it, and one for the change between its rings."""
    keys = [key_of(row) for row in rows]
    hours = _numbers([None if key is None else key.hour for key in keys])
    rings = _numbers([None if key is None else float(key.minor) for key in keys])
    around = _apart(hours)
    steps = np.minimum(around, 12 - around) + _apart(rings)
    unknown = np.isnan(steps)
    judged: Floats = _KEY_BY_STEPS[np.where(unknown, 0, steps).astype(int)]
    return np.where(unknown, np.nan, judged)


def _loudness(rows: Sequence[Row]) -> Floats:
    lufs = _numbers([row.get("loudness_lufs") for row in rows])
    judged: Floats = np.clip(1 - _apart(lufs) / _LOUDNESS_END, 0, 1)
    return judged


def _sound(vectors: NDArray[np.float32]) -> Floats:
    known = np.any(vectors != 0, axis=1)
    cosines = vectors.astype(np.float64) @ vectors.astype(np.float64).T
    judged: Floats = np.clip((1 + cosines) / 2, 0, 1)
    return np.where(known[:, None] & known[None, :], judged, np.nan)
