"""A worker process: reads tasks as JSON lines, answers each with one JSON line.

It is a process of its own, so that a decoder that crashes or hangs costs one file. It is started
as a fresh Python, neither forked nor spawned, so that a caller's script needs no guard.

A task is {"task": "inspect", "embed", "describe" or "fingerprint", "file": path}; an answer has
"tags" and "content_hash", or "vector" (base64 of little-endian float32) and "complete", or "row"
(columns of a table of recordings), or "stage" and "reason".
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from musicu.audio import read_audio
from musicu.catalog.content import content_hash
from musicu.catalog.tags import read_tags
from musicu.embeddings.embedder import Embedder
from musicu.errors import MissingExtraError, ModelError, MusicuError
from musicu.features.describing import describe
from musicu.features.fingerprinting import fingerprint

Answer = dict[str, Any]


def main(model: tuple[str, str] | None) -> None:
    """Answer tasks from standard input until it ends.

    model: the folder of the model to embed with, and the fingerprint that it must have; None
    where nothing is to be embedded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    try:
        embedder = _load(*model) if model else None
    except MusicuError as error:
        sys.stdin.readline()
        _reply(answers, {"unusable": str(error)})
        return
    for line in sys.stdin:
        _reply(answers, _answer(json.loads(line), embedder))


def _load(folder: str, fingerprint: str) -> Embedder:
    """The model, as long as it is the one that the run began with."""
    embedder = Embedder.load(Path(folder))
    if embedder.fingerprint != fingerprint:
        raise ModelError(
            f"the model in {folder} was changed during the run, and vectors of two models are "
            "never mixed: run again with --force"
        )
    return embedder


def _reply(answers: TextIO, answer: Answer) -> None:
    """Send one line; dates go as ISO text."""
    answers.write(json.dumps(answer, default=_encode) + "\n")
    answers.flush()


def _encode(value: object) -> str:
    """JSON for the values that it has no form of its own for."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} does not go into JSON")


def _answer(task: dict[str, str], embedder: Embedder | None) -> Answer:
    """Do one task; a MusicuError becomes a failure, MemoryError too, anything else a crash."""
    file = Path(task["file"])
    if task["task"] == "inspect":
        return _inspect(file)
    if task["task"] == "describe":
        return _try("describe", lambda: {"row": describe(file).document()})
    if task["task"] == "fingerprint":
        return _try("fingerprint", lambda: {"row": fingerprint(file)})
    assert embedder is not None
    return _try("decode", lambda: _embed(file, embedder))


def _inspect(file: Path) -> Answer:
    """The tags of a file and the hash of its audio."""
    hashed = _try("hash", lambda: {"content_hash": content_hash(file)})
    tagged = _try("tags", lambda: {"tags": read_tags(file)})
    return {"tags": {}, **tagged, **hashed}


def _embed(file: Path, embedder: Embedder) -> Answer:
    """The vector of a file's audio."""
    audio = read_audio(file, embedder.sample_rate, embedder.windows)
    vector = embedder.embed(audio).astype("<f4")
    return {
        "vector": base64.b64encode(vector.tobytes()).decode("ascii"),
        "complete": audio.complete,
    }


def _try(stage: str, work: Callable[[], Answer]) -> Answer:
    """What `work` returns, or the failure it met, for people."""
    try:
        return work()
    except MissingExtraError as error:
        return {"stage": "extra", "reason": str(error)}
    except MusicuError as error:
        return {"stage": stage, "reason": str(error)}
    except MemoryError:
        return {"stage": stage, "reason": "not enough memory for this file"}
