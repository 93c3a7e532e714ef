"""Audio encoders at work: log-mel chunks through ONNX Runtime, and statistics beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.frontend import SAMPLE_RATE, cut_chunks, level_free_log, mel_bands
from musicu.embeddings.neighbours import NEIGHBOURS, read_neighbours
from musicu.embeddings.onnx_session import open_session, plain_errors
from musicu.embeddings.songs import SONGS_NETWORK, Reading, evenly, read_songs, songs_input
from musicu.embeddings.stats import CONSTANTS, flat_statistics, project, read_constants
from musicu.errors import ModelError
from musicu.features.powers import spectrograms, sum_up, white_power
from musicu.records import Audio

MODEL = "model.onnx"


class AudioEmbedder(Embedder):
    """A network that was trained contrastively; see its card for how and on what.

    Where the card names constants of statistics too, the network's vector stands as one block
    beside those of the statistics (which know what little training music cannot teach), and one
    map leads from all blocks to the vector. Where it names a songs network, that vector and its
    numbers stand side by side under one more map. Where it names neighbours, the vector is smoothed
    with them. Every recording goes through by itself and on one thread, so that its vector is
    the same to the last bit whatever comes with it.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._session = open_session(card.path(MODEL))
        about = self._session.get_modelmeta().custom_metadata_map
        try:
            self._frames, self._hop = int(about["chunk_frames"]), int(about["chunk_hop"])
            learned = int(self._session.get_outputs()[0].shape[0])
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise ModelError(
                f"{card.path(MODEL)} does not say how to cut recordings ({error!r})"
            ) from error
        if card.sample_rate != SAMPLE_RATE:
            raise ModelError(
                f"{card.name} wants {card.sample_rate} Hz; its network reads {SAMPLE_RATE} Hz"
            )
        self._constants, dim = None, learned
        if CONSTANTS in card.files:
            last = 0 if SONGS_NETWORK in card.files else card.dim
            self._constants = read_constants(card, learned, last)
            dim = self._constants.final.shape[1]
        self.songs = read_songs(card, dim) if SONGS_NETWORK in card.files else None
        if self.songs is None and dim != card.dim:
            raise ModelError(f"{card.name}: the network gives {dim} numbers, not {card.dim}")
        self._neighbours = read_neighbours(card) if NEIGHBOURS in card.files else None

    def embed_batch(self, audios: Sequence[Audio]) -> NDArray[np.float32]:
        """Vectors of several recordings, float32 [recordings, dim], each of unit length."""
        self.check(audios)
        vectors = [self._one(audio) for audio in audios]
        if self._neighbours is not None:
            vectors = [self._neighbours.smooth(vector) for vector in vectors]
        return np.array(vectors, dtype=np.float32).reshape(len(vectors), self.dim)

    def _one(self, audio: Audio) -> NDArray[np.float32]:
        """The vector as it is without neighbours."""
        if self.songs is None:
            return self.hear(audio)[0]
        vector, songs = self.hear(audio, self.songs.last.reading)
        return self.songs.last.join(vector, self.songs.numbers(songs))

    def hear(
        self, audio: Audio, reading: Reading | None = None
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """The vector that a songs network stands beside, float32 [numbers], and what that network
        reads of a recording, where a reading is given."""
        chunks, sums, songs = [], [], []
        windows, beside = len(audio.starts), reading.beside if reading is not None else 0
        own = evenly(windows, beside)
        theirs = evenly(windows, reading.most) if reading is not None else []
        floor = white_power(audio, reading.floor_db) if reading is not None else 0.0
        # one Fourier transform for networks and statistics
        for number, power in enumerate(spectrograms(audio)):
            if number in own:
                chunks.append(self.network_input(power))
            if floor:
                power += floor
            if self._constants is not None:
                sums.append(sum_up(power))
            if number in theirs:
                songs.append(songs_input(power))
        inputs = np.concatenate(chunks)
        vector = self.learned(inputs[evenly(len(inputs), beside)])
        if self._constants is not None:
            vector = project(flat_statistics(audio, sums), self._constants, vector)
        return vector, songs

    def learned(self, chunks: NDArray[np.float32]) -> NDArray[np.float32]:
        """The network's vector, float32 [numbers], of all the `network_input` of a recording."""
        with plain_errors(self.card.path(MODEL)):
            vector: NDArray[np.float32] = self._session.run(["vector"], {"logs": chunks})[0]
        return vector

    def network_input(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the network reads of a window, float32 [chunks, frames, bands].

        power: one of the recording's `powers.spectrograms`.
        """
        return level_free_log(cut_chunks(mel_bands(power), self._frames, self._hop))
