"""The role that every model of sound fills."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard, find_model
from musicu.errors import ModelError
from musicu.records import Audio, Windows


class Embedder(ABC):
    """Turns a recording into a unit vector in which music that belongs together lies close.

    `card` names the model; `dim` is the vector's length, `sample_rate` (Hz) and `windows` say
    what it wants to hear. The same audio gives the same vector, alone or in a batch.
    """

    card: ModelCard

    @property
    def name(self) -> str:
        """The model's name, with its version."""
        return self.card.name

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides the vectors; equal for equal vectors."""
        return self.card.fingerprint

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return self.card.dim

    @property
    def sample_rate(self) -> int:
        """The sample rate it listens at, in Hz."""
        return self.card.sample_rate

    @property
    def windows(self) -> Windows:
        """Where in a recording it listens."""
        return self.card.windows

    @abstractmethod
    def embed_batch(self, audios: Sequence[Audio]) -> NDArray[np.float32]:
        """Vectors of several recordings, float32 [recordings, dim], each of unit length."""

    def embed(self, audio: Audio) -> NDArray[np.float32]:
        """The vector of one recording, float32 [dim], of unit length.

        Raises ModelError where the audio's sample rate is not the model's, or no finite vector
        comes of it.
        """
        vector: NDArray[np.float32] = self.embed_batch([audio])[0]
        if not np.isfinite(vector).all():
            raise ModelError(
                f"{self.name} gives no finite vector: the model is damaged, or the audio holds "
                "values that are no samples"
            )
        return vector

    def check(self, audios: Sequence[Audio]) -> None:
        """Raise ModelError unless every recording has the model's sample rate."""
        for audio in audios:
            if audio.sample_rate != self.sample_rate:
                raise ModelError(
                    f"{self.name} listens at {self.sample_rate} Hz, the audio has "
                    f"{audio.sample_rate} Hz: read it with read_audio(path, {self.sample_rate})"
                )

    @staticmethod
    def load(name_or_path: str | Path) -> Embedder:
        """The model of that name (see `musicu models`), or the model folder at that path."""
        card = find_model(name_or_path)
        if card.kind == "stats":
            from musicu.embeddings.stats import StatsEmbedder

            return StatsEmbedder(card)
        if card.kind == "audio":
            from musicu.embeddings.onnx_embedder import AudioEmbedder

            return AudioEmbedder(card)
        if card.kind == "track":
            raise ModelError(
                f"{card.name} reads what a catalog knows of tracks and hears nothing: load it with "
                "musicu.embeddings.tracks.track_encoder.TrackEncoder"
            )
        raise ModelError(f"{card.name} is of kind {card.kind!r}, which this version cannot load")
