"""The role of every model that makes vectors of audio, and the registry of its kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.audio import place_windows, read_audio, read_samples
from musicu.embeddings.cards import ModelCard, find_model
from musicu.errors import ModelError
from musicu.records import Audio, Windows
from musicu.registry import Registry

_LENGTH_TOLERANCE = 1e-3


class Embedder(ABC):
    """Turns a recording into a unit vector in which music that belongs together lies close.

    `card` names the model; `dim` is the vector's length, `sample_rate` (Hz) and `windows` say
    what it reads. The same audio gives the same vector to the last bit, alone or in a batch.

    An implementation is a class that is made of a `ModelCard` alone, registered as an entry point
    of the group `musicu.embedders` under the `kind` that cards of its models have.
    """

    card: ModelCard

    @classmethod
    def batch_size(cls, card: ModelCard) -> int:
        """How many recordings `embed_batch` should get at a time; asked before a model is loaded.

        An implementation whose device may be missing returns 1 where it is.
        """
        return card.batch.size

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
        """The sample rate of the audio it reads, in Hz."""
        return self.card.sample_rate

    @property
    def windows(self) -> Windows:
        """The windows of a recording that it reads."""
        return self.card.windows

    @abstractmethod
    def embed_batch(self, audios: Sequence[Audio]) -> NDArray[np.float32]:
        """Vectors of several recordings, float32 [recordings, dim], each of unit length."""

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts in the space of the sound, float32 [texts, dim], each of unit length.

        Raises ModelError where the model has no text tower; one with a joint space, such as CLAP,
        has.
        """
        raise ModelError(f"{self.name} has no text tower: use a model such as CLAP")

    def embed_file(self, path: str | Path) -> NDArray[np.float32]:
        """The vector of a file, float32 [dim], of unit length: the one that a catalog has of it.

            Embedder.load("musicu-audio-v1").embed_file("song.flac")

        Raises AudioError where the file cannot be read or holds too little sound.
        """
        return self.embed(read_audio(path, self.sample_rate, self.windows))

    def embed_samples(self, samples: Any, sample_rate: float) -> NDArray[np.float32]:
        """The vector of samples in memory, float32 [dim], of unit length.

        It is that of a file which holds them: channels are averaged, the rate is made the model's,
        and the model's windows are taken. samples: [n], [n, channels] or [channels, n]; whole
        numbers are scaled by the range of their type. sample_rate: of the samples, in Hz.

        Raises AudioError where they are too short, of another shape or type, or not all finite.
        """
        return self.embed(read_samples(samples, sample_rate, self.sample_rate, self.windows))

    def embed(self, audio: Audio) -> NDArray[np.float32]:
        """The vector of one recording, float32 [dim], of unit length.

        Of a whole recording the model's windows are taken, so that it is the vector of its file:
        see `embed_file`. Raises ModelError where the audio's sample rate is not the model's, or no
        finite vector comes of it.
        """
        if not isinstance(audio, Audio):
            raise ModelError(
                f"{self.name}.embed takes an Audio, not {type(audio).__name__}: use "
                "embed_file(path) or embed_samples(samples, sample_rate)"
            )
        self.check([audio])
        vector: NDArray[np.float32] = self.embed_checked([self._windowed(audio)])[0]
        return vector

    def _windowed(self, audio: Audio) -> Audio:
        """A whole recording in the model's windows; one in windows as it is."""
        if audio.edges != (0, len(audio.samples)) or audio.starts != (0.0,):
            return audio
        spans = place_windows(len(audio.samples), self.sample_rate, self.windows)
        return audio if len(spans) == 1 else audio.at(spans)

    def embed_checked(self, audios: Sequence[Audio]) -> NDArray[np.float32]:
        """What `embed_batch` gives, float32 [recordings, dim]; ModelError where it is no such."""
        vectors = np.asarray(self.embed_batch(audios), dtype=np.float32)
        if vectors.shape != (len(audios), self.dim):
            raise ModelError(
                f"{self.name} gives vectors of shape {vectors.shape} for {len(audios)} recordings, "
                f"and its card says {self.dim} numbers"
            )
        if not np.isfinite(vectors).all():
            raise ModelError(
                f"{self.name} gives no finite vector: the model is damaged, or the audio holds "
                "values that are no samples"
            )
        lengths = np.linalg.norm(vectors, axis=1)
        if (np.abs(lengths - 1.0) > _LENGTH_TOLERANCE).any():
            raise ModelError(f"{self.name} gives a vector of length {lengths.max():g}, not 1")
        return vectors

    def check(self, audios: Sequence[Audio]) -> None:
        """Raise ModelError unless every recording has the model's sample rate."""
        for audio in audios:
            if audio.sample_rate != self.sample_rate:
                raise ModelError(
                    f"{self.name} reads audio at {self.sample_rate} Hz, this has "
                    f"{audio.sample_rate} Hz: use embed_file(path), or embed_samples(samples, rate)"
                )

    @staticmethod
    def load(name_or_path: str | Path) -> Embedder:
        """The model of that name (see `musicu models`), or the model folder at that path.

        One embedder may be used from several threads at a time, with the same bits as from one.

        Raises ModelError where there is none or it is damaged, and RegistryError where nothing is
        registered for its kind.
        """
        card = find_model(name_or_path)
        _check_reads_audio(card)
        embedder: Embedder = EMBEDDERS.make(card.kind, card)
        return embedder


EMBEDDERS: Registry[type[Embedder]] = Registry(
    "embedder kind",
    "musicu.embedders",
    {
        "audio": "musicu.embeddings.onnx_embedder:AudioEmbedder",
        "hf": "musicu.embeddings.hf_embedder:HuggingFaceEmbedder",
        "onnx": "musicu.embeddings.onnx_waveform:WaveformEmbedder",
        "stats": "musicu.embeddings.stats:StatsEmbedder",
    },
)


def batch_size(card: ModelCard) -> int:
    """How many recordings a model's embedder should get at a time on this computer."""
    _check_reads_audio(card)
    return EMBEDDERS.load(card.kind).batch_size(card) if card.batch.size > 1 else 1


def _check_reads_audio(card: ModelCard) -> None:
    if not card.sample_rate:
        raise ModelError(
            f"{card.name} reads what a catalog knows of tracks and no audio: load it with "
            "musicu.embeddings.tracks.track_encoder.TrackEncoder"
        )
