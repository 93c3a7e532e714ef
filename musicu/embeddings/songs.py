"""The songs network at work: what it reads of a recording, and how its numbers join the others.

It was distilled from networks that know songs (`recipes/audio_v2`). Its input is made of every
frame of the spectrogram that the statistics are made of, so that a recording goes through one
Fourier transform for everything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from scipy import sparse

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.frontend import cut_chunks, level_free_log
from musicu.embeddings.onnx_session import open_session, plain_errors
from musicu.errors import ModelError
from musicu.features import powers
from musicu.features.mel import mel_filterbank
from musicu.records import Audio

SONGS_NETWORK = "songs.onnx"
SONGS_MAP = "songs.safetensors"
SONG_FRAMES = 175  # of an input: 4.14 s
N_BANDS = 96
LIMITS_HZ = (40.0, 7_800.0)
FLOOR_DB = -66.0  # over a recording's mean square: what rounding to 16 bits leaves 12 dB down

Columns = NDArray[np.float32]


class Reading(NamedTuple):
    """How a recording is read where there is a songs network.

    most: inputs of a recording that the network reads. beside: those that the network of the vector
    reads. 0 stands for all. floor_db: white noise under the songs network's inputs and under the
    statistics, in decibels over the recording's mean square, so that what a quieter or coarser
    copy loses is not heard in the first place.
    """

    most: int = 8
    beside: int = 8
    floor_db: float = FLOOR_DB


@dataclass(frozen=True, slots=True, eq=False)
class SongsMap:
    """The last map, over a unit vector and the songs network's numbers side by side, D together.

    centre: float32 [D]; matrix: float32 [D, dim].
    """

    centre: NDArray[np.float32]
    matrix: NDArray[np.float32]
    reading: Reading

    def apply(
        self, vectors: NDArray[np.float32], songs: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Vectors before unit length, float64 [n, dim], of [n, dim] and [n, numbers]."""
        joined = np.concatenate([vectors, songs], axis=1).astype(np.float64) - self.centre
        # einsum and not BLAS: the same bits whatever the number of threads
        return np.asarray(np.einsum("nd,de->ne", joined, self.matrix.astype(np.float64)))

    def join(self, vector: NDArray[np.float32], songs: NDArray[np.float32]) -> NDArray[np.float32]:
        """The unit vector float32 [dim] of one recording."""
        (joined,) = self.apply(vector[None], songs[None])
        unit: NDArray[np.float32] = (joined / np.sqrt(np.sum(joined**2))).astype(np.float32)
        return unit


def evenly(count: int, most: int) -> list[int]:
    """Which of `count` inputs, or windows, a network reads: all, or `most` from end to end.

    Half of the 16 windows of a longer recording tell it as much: see benchmarks/README.md.
    """
    if not most or count <= most:
        return list(range(count))
    return [round(k * (count - 1) / (most - 1)) for k in range(most)]


@dataclass(frozen=True, slots=True, eq=False)
class SongsPart:
    """A model's songs network and the map that joins its numbers with a vector.

    session: of ONNX Runtime. path: of the network's file.
    """

    session: Any
    path: Path
    last: SongsMap

    def numbers(self, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The network's numbers, float32 [numbers], of the `songs_input` of a recording, all or
        those of the windows that it reads."""
        given = np.concatenate(inputs)
        given = given[evenly(len(given), self.last.reading.most)]
        with plain_errors(self.path):
            numbers: NDArray[np.float32] = self.session.run(["vector"], {"logs": given})[0]
        return numbers


def floored(audio: Audio, floor_db: float = FLOOR_DB) -> Iterator[Columns]:
    """The recording's `powers.spectrograms` over a floor of white noise."""
    floor = powers.white_power(audio, floor_db)
    return (power + floor for power in powers.spectrograms(audio))


def songs_input(power: Columns) -> NDArray[np.float32]:
    """What the songs network reads of a window, float32 [chunks, 175, 96].

    power: one of the recording's `floored` ones. A longer window makes several chunks, a shorter
    one is repeated.
    """
    return level_free_log(cut_chunks(song_bands(power), SONG_FRAMES, SONG_FRAMES))


def song_bands(power: Columns) -> NDArray[np.float32]:
    """Mel power float32 [frames, 96], 43 frames a second."""
    # a sparse product and not BLAS, whose sums may depend on the number of threads
    bands: NDArray[np.float32] = (_mel_weights() @ power).T
    return bands


@lru_cache(maxsize=1)
def _mel_weights() -> sparse.csr_matrix:
    filters = mel_filterbank(powers.SAMPLE_RATE, powers.N_FFT, N_BANDS, *LIMITS_HZ)
    return sparse.csr_matrix(filters[:, : powers.N_BINS])


def read_songs(card: ModelCard, dim: int) -> SongsPart:
    """The songs network and its map in a model's folder, beside vectors of `dim` numbers."""
    path = card.folder / SONGS_NETWORK
    session = open_session(path)
    numbers = int(session.get_outputs()[0].shape[0])
    return SongsPart(session, path, _read_map(card, dim + numbers))


def _read_map(card: ModelCard, wide: int) -> SongsMap:
    """The last map, over `wide` numbers; ModelError where it is damaged or does not fit."""
    path = card.folder / SONGS_MAP
    try:
        found = load_file(path)
        centre, matrix = found["centre"], found["matrix"]
        most, beside = map(int, (*found["most"], 0)[:2])  # one number: all beside
        floor_db = float(found["floor_db"][0]) if "floor_db" in found else -math.inf
    except (OSError, SafetensorError, KeyError, IndexError, ValueError) as error:
        raise ModelError(f"{path} does not hold the map of {card.name}: {error}") from error
    right = centre.shape == (wide,) and matrix.shape == (wide, card.dim)
    if not right or not (np.isfinite(centre).all() and np.isfinite(matrix).all()):
        raise ModelError(
            f"{path}: centre and matrix have shapes {centre.shape} and {matrix.shape} where "
            f"{(wide,)} and {(wide, card.dim)} of finite numbers are needed"
        )
    least = min(most, beside or most)
    if least < 2:
        raise ModelError(f"{path}: a recording has {least} inputs at most, where 2 are the least")
    return SongsMap(centre, matrix, Reading(most, beside, floor_db))


def songs_map_file(songs: SongsMap) -> bytes:
    """The map as the file of a model folder."""
    most, beside, floor_db = songs.reading
    arrays = {"centre": songs.centre, "matrix": songs.matrix}
    arrays |= {"most": np.array([most, beside]), "floor_db": np.array([floor_db])}
    content: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    return content
