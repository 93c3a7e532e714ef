"""Answers requests, in whatever process it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.errors import MissingExtraError, ModelError, MusicuError, SourceError
from musicu.object_store import is_object, local_file
from musicu.pipeline.executors.requests import Answer, WorkerConfig, WorkRequest
from musicu.pipeline.thorough import embed_whole
from musicu.records import Audio
from musicu.tags.content import content_hash
from musicu.tags.fields import read_tags

if TYPE_CHECKING:
    from musicu.features.descriptor_sets import DescriptorSet


class RequestHandler:
    """Does requests one after the other.

    embeds: whether it loads the config's model; one that does not can decode for one that does.
    Raises ModelError where the model is damaged or no longer the one that the run began with.
    """

    def __init__(self, config: WorkerConfig, *, embeds: bool = True) -> None:
        self._config = config
        self._sets: dict[str, DescriptorSet] = {}
        self._embedder = _load(config.model) if embeds and config.model else None

    def answer(self, request: WorkRequest) -> Answer:
        """Do one request; whatever a file makes go wrong becomes a failure's stage and reason."""
        for path in request.ahead:
            _fetch(path)
        if request.task == "embed_batch":
            return {"answers": self._embed_batch(request.audios)}
        assert request.file is not None
        try:
            with local_file(request.file) as file:
                return self._answer(request, file)
        except FileNotFoundError:
            return {"stage": "fetch", "reason": "no such object any more"}
        except (SourceError, MissingExtraError) as error:
            return {"stage": "fetch", "reason": str(error)}

    def _answer(self, request: WorkRequest, file: Path) -> Answer:
        """Do a request on a file of this computer."""
        if request.task == "inspect":
            return _inspect(file)
        if request.task == "tags":
            return _read_tags(file)
        if request.task == "describe":
            assert request.descriptor_set is not None
            return self._describe(request.descriptor_set, file)
        if request.task == "decode":
            return _try("decode", lambda: {"audio": self._decode(file)})
        return _try("decode", lambda: self._embed(file))

    def _decode(self, file: Path) -> Audio:
        """The audio of a file that the model reads."""
        model = self._config.model
        assert model is not None
        return read_audio(file, model.sample_rate, model.windows)

    def _embed(self, file: Path) -> Answer:
        """The row of a file."""
        if not self._config.thorough:
            return self._embed_audio(self._decode(file))
        vector, heard = embed_whole(file, self._model)
        return {"row": _row(vector, heard)}

    def _embed_batch(self, audios: Sequence[Audio]) -> list[Answer]:
        """An answer for each recording; where the batch fails, each is tried alone."""
        if len(audios) > 1:
            with suppress(Exception):  # of one recording, which is found below
                vectors = self._model.embed_checked(audios)
                pairs = zip(vectors, audios, strict=True)
                return [{"row": _row(vector, _heard(audio))} for vector, audio in pairs]
        return [_try("embed", partial(self._embed_audio, audio)) for audio in audios]

    def _embed_audio(self, audio: Audio) -> Answer:
        return {"row": _row(self._model.embed(audio), _heard(audio))}

    def _describe(self, name: str, file: Path) -> Answer:
        """A file's row of a descriptor set. Imported here: SciPy takes most of a start."""
        from musicu.features.descriptor_sets import extract_row, load_descriptor_set

        if name not in self._sets:
            self._sets[name] = load_descriptor_set(name)
        described = self._sets[name]
        return _try(described.stage, lambda: {"row": extract_row(described, file)})

    @property
    def _model(self) -> Embedder:
        assert self._embedder is not None
        return self._embedder


def _row(vector: NDArray[np.float32], heard_seconds: float | None) -> dict[str, Any]:
    """A row of vectors. heard_seconds: what could be decoded; None: all."""
    complete = heard_seconds is None
    return {"vector": vector, "complete": complete, "heard_seconds": heard_seconds}


def _heard(audio: Audio) -> float | None:
    return None if audio.complete else audio.duration_seconds


def _load(model: ModelCard) -> Embedder:
    """The model, as long as it is the one that the run began with."""
    embedder = Embedder.load(model.folder)
    if embedder.fingerprint != model.fingerprint:
        raise ModelError(
            f"the model in {model.folder} was changed during the run, and vectors of two models "
            "are never mixed: run again with --force"
        )
    return embedder


def _inspect(file: Path) -> Answer:
    """The tags of a file and the hash of its audio."""
    hashed = _try("hash", lambda: {"content_hash": content_hash(file)})
    return {"tags": {}, **_read_tags(file), **hashed}


def _read_tags(file: Path) -> Answer:
    """The tags of a file."""
    return _try("tags", lambda: {"tags": read_tags(file)})


def _try(stage: str, work: Callable[[], dict[str, Any]]) -> Answer:
    """What `work` returns, or the failure it met, for people."""
    try:
        return work()
    except MissingExtraError as error:
        return {"stage": "extra", "reason": str(error)}
    except MusicuError as error:
        return {"stage": stage, "reason": str(error)}
    except MemoryError:
        return {"stage": stage, "reason": "not enough memory for this file"}
    except Exception as error:  # noqa: BLE001 - one file, or a package's code, stops no run
        return {"stage": stage, "reason": f"{type(error).__name__}: {error}"}


def _fetch(path: Path) -> None:
    """Ask the system to have a file's bytes at hand soon; what keeps it from that is no matter."""
    if is_object(path) or not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(file)
