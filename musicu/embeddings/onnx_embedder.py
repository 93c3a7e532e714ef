"""Audio encoders at work: log-mel chunks through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.frontend import SAMPLE_RATE, cut_chunks, level_free_log, mel_power
from musicu.errors import ModelError
from musicu.records import Audio


class AudioEmbedder(Embedder):
    """A network that was trained contrastively; see its card for how and on what.

    Every recording goes through by itself and on one thread, so that its vector is the same to
    the last bit whatever comes with it.
    """

    def __init__(self, card: ModelCard) -> None:
        if card.sample_rate != SAMPLE_RATE:
            raise ModelError(f"{card.name} wants {card.sample_rate} Hz; its kind has {SAMPLE_RATE}")
        self.card = card
        self._session = _session(card)
        about = self._session.get_modelmeta().custom_metadata_map
        if not {"chunk_frames", "chunk_hop"} <= set(about):
            raise ModelError(f"{card.folder / 'model.onnx'} does not say how to cut recordings")
        self._frames, self._hop = int(about["chunk_frames"]), int(about["chunk_hop"])

    def embed_batch(self, audios: Sequence[Audio]) -> NDArray[np.float32]:
        """Vectors of several recordings, float32 [recordings, dim], each of unit length."""
        self.check(audios)
        if not audios:
            return np.empty((0, self.dim), np.float32)
        return np.stack([self._one(audio) for audio in audios])

    def _one(self, audio: Audio) -> NDArray[np.float32]:
        logs = self.hear(audio)
        vector: NDArray[np.float32] = self._session.run(["vector"], {"logs": logs})[0]
        return vector

    def hear(self, audio: Audio) -> NDArray[np.float32]:
        """What the network is given of a recording, float32 [chunks, frames, bands]."""
        return np.concatenate(
            [
                level_free_log(cut_chunks(mel_power(window), self._frames, self._hop))
                for window in audio.windows()
            ]
        )


def _session(card: ModelCard) -> Any:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = card.folder / "model.onnx"
    try:
        return ort.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
    except (OSError, state.Fail, state.InvalidGraph, state.InvalidProtobuf) as error:
        raise ModelError(f"{path} cannot be loaded as an ONNX model: {error}") from error
