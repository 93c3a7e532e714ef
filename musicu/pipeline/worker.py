"""A worker process: reads tasks as JSON lines, answers each with one JSON line.

It is a process of its own, so that a decoder that crashes or hangs costs one file. It is started
as a fresh Python, neither forked nor spawned, so that a caller's script needs no guard.

It says {"ready": true} once it can work. A task is {"task": "inspect", "tags", "embed",
"describe" or "fingerprint", "file": path, "ahead": paths that are wanted soon}; an answer has
"tags" and "content_hash", or "row" (the columns of a table of recordings, a vector as base64 of
little-endian float32), or "stage" and "reason".
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from musicu.audio import read_audio
from musicu.embeddings.embedder import Embedder
from musicu.errors import MissingExtraError, ModelError, MusicuError
from musicu.pipeline.thorough import embed_whole
from musicu.tags.content import content_hash
from musicu.tags.fields import read_tags

Answer = dict[str, Any]

_NICENESS = 10


@dataclass(frozen=True, slots=True)
class Duty:
    """What a worker is there for.

    folder, fingerprint: of the model to embed with; None where nothing is to be embedded.
    thorough: hear whole files in place of the model's windows.
    nice: let other programs go first.
    """

    folder: str | None = None
    fingerprint: str | None = None
    thorough: bool = False
    nice: bool = False


def main(duty: Duty) -> None:
    """Answer tasks from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    if duty.nice and hasattr(os, "nice"):  # on Windows the parent sees to it
        os.nice(_NICENESS)
    try:
        embedder = _load(duty.folder, duty.fingerprint) if duty.folder else None
    except MusicuError as error:
        _reply(answers, {"unusable": str(error)})
        return
    _reply(answers, {"ready": True})
    for line in sys.stdin:
        task = json.loads(line)
        for path in task["ahead"]:
            _fetch(path)
        _reply(answers, _answer(task, embedder, duty.thorough))


def _load(folder: str, fingerprint: str | None) -> Embedder:
    """The model, as long as it is the one that the run began with."""
    embedder = Embedder.load(Path(folder))
    if embedder.fingerprint != fingerprint:
        raise ModelError(
            f"the model in {folder} was changed during the run, and vectors of two models are "
            "never mixed: run again with --force"
        )
    return embedder


def _fetch(path: str) -> None:
    """Ask the system to have a file's bytes at hand soon; what keeps it from that is no matter."""
    if not hasattr(os, "posix_fadvise"):
        return
    with suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(file)


def _reply(answers: TextIO, answer: Answer) -> None:
    """Send one line; dates go as ISO text."""
    answers.write(json.dumps(answer, default=_encode) + "\n")
    answers.flush()


def _encode(value: object) -> str:
    """JSON for the values that it has no form of its own for."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} does not go into JSON")


def _answer(task: Answer, embedder: Embedder | None, thorough: bool) -> Answer:
    """Do one task; a MusicuError becomes a failure, MemoryError too, anything else a crash."""
    file = Path(task["file"])
    if task["task"] == "inspect":
        return _inspect(file)
    if task["task"] == "tags":
        return _try("tags", lambda: {"tags": read_tags(file)})
    if task["task"] == "describe":
        return _try("describe", lambda: {"row": _describe(file)})
    if task["task"] == "fingerprint":
        return _try("fingerprint", lambda: {"row": _fingerprint(file)})
    assert embedder is not None
    return _try("decode", lambda: {"row": _embed(file, embedder, thorough)})


def _inspect(file: Path) -> Answer:
    """The tags of a file and the hash of its audio."""
    hashed = _try("hash", lambda: {"content_hash": content_hash(file)})
    tagged = _try("tags", lambda: {"tags": read_tags(file)})
    return {"tags": {}, **tagged, **hashed}


def _describe(file: Path) -> Answer:
    """The descriptors of a file. Imported here: SciPy's signal room takes most of a start."""
    from musicu.features.describing import describe

    return describe(file).document()


def _fingerprint(file: Path) -> Answer:
    """The fingerprint and faults of a file."""
    from musicu.features.fingerprinting import fingerprint

    return fingerprint(file)


def _embed(file: Path, embedder: Embedder, thorough: bool) -> Answer:
    """The vector of a file's audio."""
    if thorough:
        vector, complete = embed_whole(file, embedder)
    else:
        audio = read_audio(file, embedder.sample_rate, embedder.windows)
        vector, complete = embedder.embed(audio), audio.complete
    encoded = base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return {"vector": encoded, "complete": complete}


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
