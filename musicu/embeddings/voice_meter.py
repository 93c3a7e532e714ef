"""Whether somebody sings in a recording, as the songs network hears it.

One of its heads learned what a public network says of AudioSet's classes (`recipes/audio_v2`); the
sum of those from "Singing" to "Humming" is calibrated, and is the graph's second output.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import find_model
from musicu.embeddings.frontend import level_free_log
from musicu.embeddings.onnx_session import open_session, plain_errors
from musicu.embeddings.songs import (
    SONG_FRAMES,
    SONGS_NETWORK,
    floored,
    song_bands,
    songs_input,
)
from musicu.features.powers import HOP, N_FFT, SAMPLE_RATE
from musicu.records import Audio

VOCAL = "vocal"
_MODEL = "musicu-audio-v2"  # whose network's numbers these are: another would be another set
_PIECE = N_FFT + (SONG_FRAMES - 1) * HOP  # samples of an input: 4.13 s
_MOST = 16  # pieces that are kept
_LEAST = SAMPLE_RATE  # samples: of less than a second nothing is said
_QUIET = 1e-4  # of the loudest piece's power: 40 dB below it a piece does not count


class VoiceMeter:
    """Reads mono sound at 22,050 Hz from pieces of any size; keeps 8 to 16 inputs, evenly spread.

    Of recordings up to 66 s they are all that there is.
    """

    def __init__(self) -> None:
        self._held = np.empty(0, np.float32)
        self._pieces: list[NDArray[np.float32]] = []
        self._seen, self._every = 0, 1

    def update(self, samples: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [n]."""
        held = np.concatenate([self._held, samples.astype(np.float32, copy=False)])
        ends = range(_PIECE, len(held) + 1, _PIECE)
        for end in ends:
            self._take(held[end - _PIECE : end])
        self._held = held[len(ends) * _PIECE :]

    def _take(self, piece: NDArray[np.float32]) -> None:
        if self._seen % self._every == 0:
            (power,) = floored(Audio.of(piece, SAMPLE_RATE))
            self._pieces.append(song_bands(power))
            if len(self._pieces) > _MOST:
                self._pieces, self._every = self._pieces[::2], 2 * self._every
        self._seen += 1

    def finish(self) -> float | None:
        """The probability that somebody sings or raps; None for less than a second of sound."""
        if not self._pieces and len(self._held) < _LEAST:
            return None
        if not self._pieces:
            (power,) = floored(Audio.of(self._held, SAMPLE_RATE))
            return vocal_probability(songs_input(power))
        pieces = np.stack(self._pieces)
        levels = pieces.mean(axis=(1, 2))
        return vocal_probability(level_free_log(pieces[levels >= _QUIET * levels.max()]))


def vocal_probability(inputs: NDArray[np.float32]) -> float:
    """What the songs network says of `songs_input`s [chunks, frames, bands]."""
    path, session = _network()
    with plain_errors(path):
        return float(session.run([VOCAL], {"logs": inputs})[0])


@lru_cache(maxsize=1)
def _network() -> tuple[Path, Any]:
    path = find_model(_MODEL).folder / SONGS_NETWORK
    return path, open_session(path)
