"""Audio models of Hugging Face's transformers as embedders, and their text towers.

What a card of the kind "hf" sets: `layer` ("projection" of a model with a joint space such as CLAP,
or the number of a hidden state, negative from the last), `pooling` over frames, `dtype`, and
`remote_code`, true where the user trusts the code in the folder (MERT's). Each window goes through
by itself on a processor, and in batches of one size on a GPU, so that a file's bits do not depend
on what comes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.hf_cards import EXTRACTOR, has_own_code, setting
from musicu.embeddings.waveforms import (
    check_self_test,
    mean_of_windows,
    pooling_of,
    unit,
    window_samples,
)
from musicu.errors import MissingExtraError, ModelError
from musicu.records import Audio

Floats = NDArray[np.float32]

_DTYPES = ("float32", "float16", "bfloat16")
_PROJECTION = "projection"


class HuggingFaceEmbedder(Embedder):
    """A transformers model: the mean of its windows' vectors, at unit length."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self._layer = setting(card.settings, "layer", -1, (int, str))
        self._pool = pooling_of(card)
        self._torch, transformers = _libraries(card.name)
        self._device = "cuda" if self._torch.cuda.is_available() else "cpu"
        self._size = card.batch.size if self._device == "cuda" else 1
        if self._device == "cpu":
            self._torch.set_num_threads(1)  # more would change the last bits
        self._dtype = self._dtype_of(card)
        trusted = card.settings.get("remote_code") is True
        local = {"local_files_only": True, "trust_remote_code": trusted}
        try:
            model = transformers.AutoModel.from_pretrained(card.folder, dtype=self._dtype, **local)
            self._extractor = None
            if (card.folder / EXTRACTOR).is_file():
                self._extractor = transformers.AutoFeatureExtractor.from_pretrained(
                    card.folder, **local
                )
        except Exception as error:  # transformers and remote code raise anything
            if not trusted and has_own_code(card.folder):
                raise ModelError(
                    f"{card.folder} is a model with Python code of its own, which is not run "
                    'unasked: read that code, then write a card.json with "settings": '
                    '{"remote_code": true} (see docs/encoders.md)'
                ) from error
            raise ModelError(f"{card.folder} cannot be loaded by transformers: {error}") from error
        self._model = model.eval().to(self._device)
        self._transformers, self._local = transformers, local
        self._tokenizer: Any = None
        check_self_test(card, lambda audio: self.embed_batch([audio])[0])

    @classmethod
    def batch_size(cls, card: ModelCard) -> int:
        """The card's size on a GPU, 1 on a processor, where a batch does not pay."""
        try:
            import torch
        except ImportError:
            return 1
        return card.batch.size if torch.cuda.is_available() else 1

    def embed_batch(self, audios: Sequence[Audio]) -> Floats:
        """Vectors of several recordings, float32 [recordings, dim], each of unit length."""
        self.check(audios)
        windows = [list(window_samples(audio, self.windows.seconds)) for audio in audios]
        vectors = iter(self._vectors([window for one in windows for window in one]))
        made = [mean_of_windows([next(vectors) for _ in one]) for one in windows]
        return np.array(made, np.float32).reshape(len(made), self.dim)

    def embed_texts(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts in the same space, float32 [texts, dim], each of unit length.

        Raises ModelError where the model has no text tower, or its vectors are not of the joint
        space.
        """
        if self._layer != _PROJECTION or not hasattr(self._model, "get_text_features"):
            raise ModelError(f"{self.name} has no text tower: use a model such as CLAP")
        if self._tokenizer is None:
            try:
                loader = self._transformers.AutoTokenizer
                self._tokenizer = loader.from_pretrained(self.card.folder, **self._local)
            except Exception as error:  # transformers raises anything
                raise ModelError(f"{self.card.folder} has no tokenizer: {error}") from error
        made = []
        for text in texts:
            inputs = self._tokenizer([text], return_tensors="pt", truncation=True)
            with self._torch.inference_mode():
                made.append(
                    unit(self._rows(self._model.get_text_features(**inputs.to(self._device)))[0])
                )
        return np.array(made, np.float32).reshape(len(made), self.dim)

    def _vectors(self, windows: Sequence[Floats]) -> list[Floats]:
        """The vector of each window, in their order."""
        by_length: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            by_length.setdefault(len(window), []).append(place)
        found: dict[int, Floats] = {}
        for places in by_length.values():
            for first in range(0, len(places), self._size):
                some = places[first : first + self._size]
                filled = some + some[-1:] * (self._size - len(some))  # batches of one shape
                rows = self._run([windows[place] for place in filled])
                found.update(zip(some, rows, strict=False))
        return [found[place] for place in range(len(windows))]

    def _run(self, windows: list[Floats]) -> list[Floats]:
        inputs = self._inputs(windows)
        with self._torch.inference_mode():
            if self._layer == _PROJECTION:
                return list(self._rows(self._model.get_audio_features(**inputs)))
            states = self._model(**inputs, output_hidden_states=True).hidden_states
        if states is None or not -len(states) <= int(self._layer) < len(states):
            raise ModelError(f"{self.name} has no layer {self._layer}, only {len(states or ())}")
        frames = states[int(self._layer)].float().cpu().numpy()
        return [self._pool(one.reshape(-1, one.shape[-1])) for one in frames]

    def _inputs(self, windows: list[Floats]) -> dict[str, Any]:
        if self._extractor is None:
            made = {"input_values": self._torch.from_numpy(np.stack(windows))}
        else:
            made = dict(
                self._extractor(windows, sampling_rate=self.sample_rate, return_tensors="pt")
            )
        return {
            name: value.to(self._device, self._dtype if value.is_floating_point() else None)
            for name, value in made.items()
        }

    def _rows(self, features: Any) -> Floats:
        """Vectors that a model gives as a tensor, or as the pooled part of its output."""
        rows = getattr(features, "pooler_output", features)
        made: Floats = rows.float().cpu().numpy()
        return made

    def _dtype_of(self, card: ModelCard) -> Any:
        name = setting(card.settings, "dtype", "float32", str)
        if name not in _DTYPES:
            raise ModelError(f"{card.name} has the dtype {name!r}: known are {', '.join(_DTYPES)}")
        return getattr(self._torch, name)


def _libraries(name: str) -> tuple[Any, Any]:
    try:
        import torch
        import transformers
    except ImportError:
        raise MissingExtraError(f"the model {name}", "hf") from None
    transformers.logging.set_verbosity_error()
    return torch, transformers
