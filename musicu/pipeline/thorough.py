"""Whole files in place of a model's windows: a model of its own beside the one it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_segments
from musicu.embeddings.cards import ModelCard, find_model
from musicu.embeddings.embedder import Embedder, batch_size

SUFFIX = "+thorough"
#: A recording of up to twice this length is read in one go, a longer one in stretches.
STRETCH_SECONDS = 120.0
_VERSION = f"{SUFFIX} 1: mean of stretches of {STRETCH_SECONDS:g} s by their length"


@dataclass(frozen=True, slots=True)
class EmbedSpec:
    """What files are embedded with: a model, and whether it reads whole files."""

    model: ModelCard
    thorough: bool = False

    @property
    def card(self) -> ModelCard:
        """The card under which the vectors are kept.

        Vectors of whole files have another name and fingerprint than those of windows, so that
        the two never mix.
        """
        return whole_card(self.model) if self.thorough else self.model

    @property
    def batch_size(self) -> int:
        """How many recordings go into a batch; whole files, in stretches, are embedded alone."""
        return 1 if self.thorough else batch_size(self.model)


def choose_model(name: str | Path, thorough: bool) -> EmbedSpec:
    """The model of that name or folder; a name that ends in "+thorough" says so too."""
    if isinstance(name, str) and name.endswith(SUFFIX):
        name, thorough = name.removesuffix(SUFFIX), True
    return EmbedSpec(find_model(name), thorough)


def whole_card(card: ModelCard) -> ModelCard:
    """The card of a model that reads whole files."""
    digest = hashlib.sha256(f"{card.fingerprint} {_VERSION}".encode()).hexdigest()[:16]
    return replace(card, name=card.name + SUFFIX, fingerprint=digest)


def embed_whole(file: Path, embedder: Embedder) -> tuple[NDArray[np.float32], float | None]:
    """The vector of a whole file, float32 [dim] of unit length, and the seconds that were read.

    The seconds are None where that is all of it. The vector is the mean of the stretches' vectors
    by their length; in constant memory. Raises AudioError as `read_audio` does.
    """
    total, seconds, complete = np.zeros(embedder.dim), 0.0, True
    for audio in read_segments(file, embedder.sample_rate, STRETCH_SECONDS):
        total += len(audio.samples) * embedder.embed_checked([audio])[0].astype(np.float64)
        seconds += audio.duration_seconds
        complete = audio.complete
    unit: NDArray[np.float32] = (total / np.linalg.norm(total)).astype(np.float32)
    return unit, None if complete else seconds
