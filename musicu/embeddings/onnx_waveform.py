"""Any ONNX graph that reads a waveform, with a card of ours beside it: the kind "onnx".

Input: float32 [windows, samples]. Output: [windows, dim], or [windows, frames, dim], pooled as the
card says. Further settings: `input`, `output` (names; the first ones where not given), `scale`
("none", or "normal": each window without its mean, at variance 1, as wav2vec models expect).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.hf_cards import setting
from musicu.embeddings.onnx_session import open_session, plain_errors
from musicu.embeddings.waveforms import check_self_test, mean_of_windows, pooling_of, window_samples
from musicu.errors import ModelError
from musicu.records import Audio

Floats = NDArray[np.float32]

_SCALES = ("none", "normal")


class WaveformEmbedder(Embedder):
    """An ONNX model: the mean of its windows' vectors, at unit length, on one thread."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        graphs = [name for name in card.files if name.endswith(".onnx")]
        if not graphs:
            raise ModelError(f"{card.folder / 'card.json'} names no .onnx among its files")
        self._path = card.folder / graphs[0]
        self._session = open_session(self._path)
        self._pool = pooling_of(card)
        self._scale = setting(card.settings, "scale", "none", str)
        if self._scale not in _SCALES:
            raise ModelError(f"{card.name} scales by {self._scale!r}: known are none and normal")
        first_in, first_out = (
            self._session.get_inputs()[0].name,
            self._session.get_outputs()[0].name,
        )
        self._input = setting(card.settings, "input", first_in, str)
        self._output = setting(card.settings, "output", first_out, str)
        check_self_test(card, lambda audio: self.embed_batch([audio])[0])

    def embed_batch(self, audios: Sequence[Audio]) -> Floats:
        """Vectors of several recordings, float32 [recordings, dim], each of unit length."""
        self.check(audios)
        made = [
            mean_of_windows([self._one(w) for w in window_samples(audio, self.windows.seconds)])
            for audio in audios
        ]
        return np.array(made, np.float32).reshape(len(made), self.dim)

    def _one(self, window: Floats) -> Floats:
        if self._scale == "normal":
            window = ((window - window.mean()) / np.sqrt(window.var() + 1e-7)).astype(np.float32)
        with plain_errors(self._path):
            found = np.asarray(self._session.run([self._output], {self._input: window[None]})[0][0])
        vector = self._pool(found) if found.ndim == 2 else found.ravel()
        if len(vector) != self.dim:
            raise ModelError(f"{self.name} gives {len(vector)} numbers, its card says {self.dim}")
        return vector
