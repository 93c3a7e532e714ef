"""What a training run learns from: recordings and made pieces, in batches drawn by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings import frontend
from musicu.embeddings.training.made import N_FAMILIES
from musicu.embeddings.training.pairs import (
    COMMON,
    Grouping,
    PairWeights,
    as_members,
    as_numbers,
    draw_tracks,
    pair_matrices,
    sampling_weights,
)
from musicu.embeddings.training.windows_cache import WindowsCache
from musicu.errors import ModelError


@dataclass(frozen=True, slots=True)
class TrainingTrack:
    """A recording to learn from; what is not known of it is None.

    tags, listeners: names of what it is tagged with, and of who listened to it.
    credit: what the credits say of it besides: `title`, `album`, `licence`, `commit`,
    `source_path`; an album that only its folder names is not credited.
    """

    track_id: str
    path: Path
    artist: str | None = None
    album: str | None = None
    source: str | None = None
    tags: tuple[str, ...] = ()
    listeners: tuple[str, ...] = ()
    credit: Mapping[str, str] = field(default_factory=dict)


def group(tracks: Sequence[TrainingTrack]) -> Grouping:
    """Who made what; albums of the same title by different artists are different albums."""
    albums = [f"{t.artist or t.source}\0{t.album}" if t.album else None for t in tracks]
    return Grouping(
        as_numbers([t.artist for t in tracks]),
        as_numbers(albums),
        as_numbers([t.source for t in tracks]),
        as_members([t.tags for t in tracks], COMMON),
        as_members([t.listeners for t in tracks]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatch:
    """Windows of one step.

    inputs: log10 mel power float32 [n, frames, bands], or sound float32 [n, samples], as the
    cache has it. positives, negatives: [n, n], see `pairs.pair_matrices`. families: float32
    [n, families], NaN rows where they are not known.
    """

    inputs: NDArray[np.float32]
    positives: NDArray[np.float32]
    negatives: NDArray[np.bool_]
    families: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TrackPool:
    """Recordings of one kind with their frames; `chances` float64 [recordings] of being drawn."""

    cache: WindowsCache
    grouping: Grouping
    chances: NDArray[np.float64]
    pairs: PairWeights
    families: NDArray[np.float32] | None = None

    def draw(self, count: int, frames: int, rng: np.random.Generator) -> TrainingBatch:
        """Two windows of `frames` frames of each of `count` recordings."""
        drawn = draw_tracks(self.chances, count, rng)
        tracks = np.concatenate([drawn, drawn])
        room = self.cache.lengths()[tracks] - frames
        starts = self.cache.offsets[tracks] + (rng.random(len(tracks)) * (room + 1)).astype(int)
        inputs = self.cache.cut(starts, frames)
        positives, negatives = pair_matrices(tracks, self.grouping, self.pairs)
        if self.families is None:
            unknown = np.full((len(tracks), N_FAMILIES), np.nan, "f")
            return TrainingBatch(inputs, positives, negatives, unknown)
        source = self.grouping.source[tracks]
        negatives &= source[:, None] != source[None, :]  # of one style: neither
        return TrainingBatch(inputs, positives, negatives, self.families[tracks])


def make_pool(
    cache: WindowsCache,
    grouping: Grouping,
    allowed: NDArray[np.bool_],
    frames: int,
    balance: float,
    pairs: PairWeights,
    known_families: NDArray[np.float32] | None = None,
) -> TrackPool:
    """A pool of the `allowed` recordings (bool [recordings]) that are long enough.

    Raises ModelError where fewer than two are.
    """
    usable = allowed & (cache.lengths() >= frames)
    if usable.sum() < 2:
        seconds = frames * frontend.HOP / frontend.SAMPLE_RATE
        raise ModelError(
            f"{int(usable.sum())} of {len(usable)} recordings can be trained on: "
            f"two or more of {seconds:.1f} s or longer are needed"
        )
    chances = sampling_weights(grouping, balance) * usable
    return TrackPool(cache, grouping, chances / chances.sum(), pairs, known_families)


def join(real: TrainingBatch, made: TrainingBatch) -> TrainingBatch:
    """One batch of two kinds, each pushed apart from the other."""
    n, m = len(real.inputs), len(made.inputs)
    positives = np.zeros((n + m, n + m), dtype=np.float32)
    positives[:n, :n], positives[n:, n:] = real.positives, made.positives
    negatives = np.ones((n + m, n + m), dtype=np.bool_)
    negatives[:n, :n], negatives[n:, n:] = real.negatives, made.negatives
    return TrainingBatch(
        np.concatenate([real.inputs, made.inputs]),
        positives,
        negatives,
        np.concatenate([real.families, made.families]),
    )
