"""Made recordings, and a recipe so small that training takes seconds, for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from musicu.embeddings.training.recipe import AugmentConfig, NetworkConfig, TrainingRecipe
from musicu.embeddings.training.train_data import TrainingTrack

RATE = 22_050
TINY = TrainingRecipe(
    name="tiny",
    steps=6,
    tracks=6,
    frames=64,
    held_out=0.34,
    validate_every=3,
    checkpoint_every=2,
    average=0.5,
    vector_dim=16,
    network=NetworkConfig(dim=16, channels=(8, 8, 8, 8), projection=8),
    augment=AugmentConfig(tempo=0.02),
)


def made_sound(path: Path) -> np.ndarray:
    """A made recording: the artist's chord and pulse, with the track's own melody."""
    artist, track = (int(part) for part in path.stem.split("-"))
    rng = np.random.default_rng([artist, track])
    t = np.arange(6 * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * 90 * (artist + 2) * k * t) / k for k in (1, 2, 3, 5))
    pulse = np.exp(-6 * (t % (0.2 + 0.05 * artist)))
    melody = np.sin(2 * np.pi * np.repeat(rng.uniform(300, 900, 12), RATE // 2) * t)
    return (0.2 * chord * pulse + 0.1 * melody).astype(np.float32)


def made_tracks(folder: Path, artists: int = 6, each: int = 3) -> list[TrainingTrack]:
    """Tracks of an album an artist, whose files only name what `made_sound` makes."""
    found = []
    for artist in range(artists):
        for track in range(each):
            path = folder / f"{artist}-{track}.wav"
            path.write_bytes(b"made when read")
            found.append(TrainingTrack(path.stem, path, f"artist {artist}", f"album {artist}"))
    return found


def unnamed(tracks: Sequence[TrainingTrack]) -> list[TrainingTrack]:
    """The same tracks where nobody says who plays them."""
    return [dataclasses.replace(track, artist=None, album=None) for track in tracks]


def average_precisions_by_hand(
    scores: np.ndarray, relevant: np.ndarray, allowed: np.ndarray
) -> list[float]:
    """The plain way: of each query that has an answer among what is allowed, one by one."""
    found = []
    for row, wanted, open_to in zip(scores, relevant & allowed, allowed, strict=True):
        if wanted.any():
            items = np.flatnonzero(open_to)
            hits = wanted[items[np.argsort(-row[items], kind="stable")]]
            ranks = np.flatnonzero(hits) + 1
            found.append(float(np.mean(np.arange(1, len(ranks) + 1) / ranks)))
    return found
