"""The small values that travel between the rooms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Windows:
    """Where a model listens: at most `count` windows of `seconds`, spread evenly.

    A recording shorter than `count * seconds` is heard whole, as one window.
    """

    seconds: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound, whole or as windows laid end to end.

    samples: float32 [n], nominally in [-1, 1] (of float files up to 2^16), always finite.
    sample_rate: Hz.
    edges: sample positions where the windows begin, and the end; (0, n) for one window.
    starts: where each window begins in the recording, in seconds.
    duration_seconds: of the recording, as far as it can be known.
    complete: False where the decoder stopped before the end that the file promises.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    edges: tuple[int, ...]
    starts: tuple[float, ...]
    duration_seconds: float
    complete: bool = True

    @classmethod
    def of(cls, samples: NDArray[np.float32], sample_rate: int) -> Audio:
        """One whole recording from an array float32 [n]."""
        samples = np.ascontiguousarray(samples, dtype=np.float32)
        seconds = len(samples) / sample_rate
        return cls(samples, sample_rate, (0, len(samples)), (0.0,), seconds)

    def windows(self) -> list[NDArray[np.float32]]:
        """The windows as views of `samples`, each float32 [n_i]."""
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return [self.samples[a:b] for a, b in pairs]


@dataclass(frozen=True, slots=True)
class Failure:
    """A track that did not get through a stage, and why, in words for people.

    stage: "scan", "tags", "hash", "extra" (a dependency is missing), "decode" or "embed".
    """

    track_id: str
    path: str
    stage: str
    reason: str
    content_hash: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Vectors of tracks under one model; `ids, values = vectors` takes the arrays apart.

    ids: object [tracks]. values: float32 [tracks, dim]. model, fingerprint: whose vectors they
    are; "" where they come from no catalog.
    """

    ids: NDArray[np.object_]
    values: NDArray[np.float32]
    model: str = ""
    fingerprint: str = ""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return iter((self.ids, self.values))


def counted(count: int, noun: str) -> str:
    """A count for people: "1 track", "2,000 tracks"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
