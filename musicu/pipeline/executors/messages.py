"""Requests and answers over the pipes to a worker process of this run, pickled."""

from __future__ import annotations

import pickle
from typing import IO, Any


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
