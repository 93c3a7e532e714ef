"""Requests and answers over a pipe: one line of JSON, then the arrays that it names, as bytes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from musicu.pipeline.executors.requests import WorkRequest
from musicu.records import Audio

_ARRAY, _AUDIO, _PATH, _DATE = "$array", "$audio", "$path", "$date"
_AUDIO_FIELDS = ("samples", "sample_rate", "edges", "starts", "duration_seconds", "complete")
_REQUEST_FIELDS = ("task", "file", "descriptor_set", "audios", "ahead")


def send(stream: IO[bytes], message: WorkRequest | dict[str, Any]) -> None:
    """Write a message. Raises OSError where nobody reads any more."""
    if isinstance(message, WorkRequest):
        message = {name: getattr(message, name) for name in _REQUEST_FIELDS}
    arrays: list[NDArray[Any]] = []

    def plain(value: object) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(np.ascontiguousarray(value))
            return {_ARRAY: [value.dtype.str, list(value.shape)]}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Audio):
            return {_AUDIO: {name: getattr(value, name) for name in _AUDIO_FIELDS}}
        if isinstance(value, Path):
            return {_PATH: str(value)}
        if isinstance(value, date):
            return {_DATE: value.isoformat()}
        raise TypeError(f"{value!r} does not go into JSON")

    line = json.dumps(message, default=plain)
    stream.write(line.encode("ascii") + b"\n")
    for array in arrays:
        stream.write(array.data)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any] | None:
    """The next message; None where the other side has ended, also in the middle of one."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    arrays: list[NDArray[Any]] = []

    def rich(value: dict[str, Any]) -> Any:
        if _ARRAY in value:
            dtype, shape = value[_ARRAY]
            arrays.append(np.empty(shape, dtype))
            return arrays[-1]
        if _AUDIO in value:
            told = value[_AUDIO]
            return Audio(**{**told, "edges": tuple(told["edges"]), "starts": tuple(told["starts"])})
        if _DATE in value:
            return date.fromisoformat(value[_DATE])
        return Path(value[_PATH]) if _PATH in value else value

    message: dict[str, Any] = json.loads(line, object_hook=rich)
    whole = all(_fill(stream, array) for array in arrays)
    return message if whole else None


def receive_request(stream: IO[bytes]) -> WorkRequest | None:
    """The next request; None where there are no more."""
    told = receive(stream)
    if told is None:
        return None
    return WorkRequest(**{**told, "audios": tuple(told["audios"]), "ahead": tuple(told["ahead"])})


def _fill(stream: IO[bytes], array: NDArray[Any]) -> bool:
    """Read an array's bytes into it; whether there were as many."""
    if not array.nbytes:
        return True
    told = stream.read(array.nbytes)
    if len(told) < array.nbytes:
        return False
    array.reshape(-1).view(np.uint8)[:] = np.frombuffer(told, np.uint8)
    return True
