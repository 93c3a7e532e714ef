"""What a run asks of whoever does its work, and how it goes through the pipes to its workers."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from musicu.embeddings.cards import ModelCard
from musicu.records import Audio

#: What comes back: "tags", with "content_hash" where it was asked for; a "row"; an "audio";
#: "answers", one for each of several audios; "stage" and "reason" of a failure; or why the worker
#: "died".
Answer: TypeAlias = dict[str, Any]
FileTask: TypeAlias = Literal["inspect", "tags", "describe", "embed", "decode"]


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to answer requests.

    model: None where nothing is to be embedded. thorough: read whole files in place of the model's
    windows. shared_model: one worker embeds for all, since they had better not share the model's
    device. nice: let other programs go first.
    """

    model: ModelCard | None = None
    thorough: bool = False
    shared_model: bool = False
    nice: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class WorkRequest:
    """One thing to do; each is told from every other, equal or not.

    task: "inspect" a file (tags and hash); read its "tags" alone; "describe" it (a row of
    `descriptor_set`); "embed" it (a row with its vector); "decode" it (its audio, as the model
    reads it); "embed_batch" (the rows of `audios`). ahead: files that are wanted soon, which the
    system may fetch meanwhile.
    """

    task: FileTask | Literal["embed_batch"]
    file: Path | None = None
    descriptor_set: str | None = None
    audios: tuple[Audio, ...] = ()
    ahead: tuple[Path, ...] = ()


def send(stream: IO[bytes], message: object) -> None:
    """Write a message. Raises OSError where nobody reads any more."""
    pickle.dump(message, stream, protocol=5)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message; None where the other side has ended, also in the middle of one."""
    try:
        return pickle.load(stream)
    except (EOFError, pickle.UnpicklingError):
        return None
