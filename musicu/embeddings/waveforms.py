"""What models that read waveforms share: windows in, pooled unit vectors out, and a self-test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard
from musicu.errors import ModelError
from musicu.records import Audio

Floats = NDArray[np.float32]

POOLINGS: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda frames: frames.mean(axis=0, dtype=np.float64).astype(np.float32),
    "max": lambda frames: frames.max(axis=0),
    "first": lambda frames: frames[0],
}
_SHORTEST_SECONDS = 0.1
_AGREE = 0.999  # the cosine of the self-test with the stored vector


def window_samples(audio: Audio, seconds: float) -> Iterator[Floats]:
    """The samples of each window of a recording, float32 [n], of at most so many seconds.

    What is longer, as a whole recording, comes in pieces of that length, of which the last one ends
    where it ends. What is shorter than 0.1 s is filled up with silence.
    """
    least, most = (int(length * audio.sample_rate) for length in (_SHORTEST_SECONDS, seconds))
    for first, stop in pairwise(audio.edges):
        starts = range(first, max(stop - most, first) + 1, most)
        last = stop - most
        for start in [*starts, *([last] if last > starts[-1] else [])]:
            samples = audio.samples[start : min(start + most, stop)]
            yield np.pad(samples, (0, max(0, least - len(samples))))


def pooling_of(card: ModelCard) -> Callable[[Floats], Floats]:
    """How a card's model makes one vector of frames; ModelError where it is no known way."""
    name = card.settings.get("pooling", "mean")
    if name not in POOLINGS:
        raise ModelError(f"{card.name} pools by {name!r}: known are {', '.join(POOLINGS)}")
    return POOLINGS[name]


def mean_of_windows(vectors: Sequence[Floats]) -> Floats:
    """The direction of the mean of a recording's windows, each of unit length: float32 [dim]."""
    return unit(np.mean([unit(vector) for vector in vectors], axis=0))


def unit(vector: NDArray[Any]) -> Floats:
    """A vector at length 1; the first axis where it has no direction."""
    whole = vector.astype(np.float64)
    length = float(np.linalg.norm(whole))
    if not length > 1e-12:
        axis: Floats = np.eye(1, len(vector), dtype=np.float32)[0]
        return axis
    made: Floats = (whole / length).astype(np.float32)
    return made


def self_test_audio(card: ModelCard) -> Audio:
    """The sound that self-tests are made of: two seconds of a rising tone and noise."""
    count = 2 * card.sample_rate
    time = np.arange(count) / card.sample_rate
    noise = np.random.default_rng(20_260_501).standard_normal(count)
    tone = np.sin(2 * np.pi * (110 * time + 220 * time**2))
    return Audio.of((0.3 * tone + 0.03 * noise).astype(np.float32), card.sample_rate)


def check_self_test(card: ModelCard, embed: Callable[[Audio], Floats]) -> None:
    """Raise ModelError where a model does not give the vector that its card stores."""
    stored = card.self_test
    if stored is None:
        return
    if len(stored) != card.dim:
        raise ModelError(f"{card.name}: its self-test has {len(stored)} numbers, not {card.dim}")
    cosine = float(unit(np.array(stored)) @ embed(self_test_audio(card)))
    if not cosine >= _AGREE:
        raise ModelError(
            f"{card.name} fails its self-test (cosine {cosine:.4f} with the stored vector): its "
            "weights or their conversion are not those that the card is of; convert it again"
        )
