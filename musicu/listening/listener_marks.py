"""Which listeners a model was trained with, in marks that name nobody.

    models/<name>/listeners.parquet   mark: uint64, rising, one for each listener

A mark is 8 bytes of the BLAKE2b digest of a listener's pseudonym, under the catalog's key and a
salt of the model's own (RFC 7693). Who has the key can ask whether a listener is among them;
without it nobody can, and the marks of two models do not join. The file's metadata say by which
command the model was trained, and how many of its listeners have been forgotten since.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.catalog.files import write_atomically
from musicu.errors import ModelError
from musicu.listening.pseudonyms import pseudonym_of

MARKS_FILE = "listeners.parquet"
_VERSION = 1
_META = b"musicu.listener_marks"


@dataclass(frozen=True, slots=True, eq=False)
class ListenerMarks:
    """The marks of a model. marks: uint64 [listeners], rising. command: what trained the model,
    without "musicu"; empty where that is unknown. forgotten: listeners it was trained with who
    were forgotten since."""

    salt: bytes
    marks: NDArray[np.uint64]
    command: tuple[str, ...] = ()
    forgotten: int = 0

    @classmethod
    def of(cls, listeners: Iterable[str], key: bytes, command: Sequence[str] = ()) -> ListenerMarks:
        """The marks of listeners, by names or pseudonyms; key: of the pseudonyms."""
        salt = secrets.token_bytes(16)
        marks = np.unique(_marks(listeners, key, salt))
        return cls(salt, marks, tuple(command))

    def without(self, listeners: Collection[str], key: bytes) -> ListenerMarks:
        """The marks of all others; those that went are counted as forgotten."""
        gone = np.isin(self.marks, _marks(listeners, key, self.salt))
        return replace(self, marks=self.marks[~gone], forgotten=self.forgotten + int(gone.sum()))

    def write(self, room: Path) -> None:
        """Keep them in the folder of their model."""
        about = {
            "version": _VERSION,
            "salt": self.salt.hex(),
            "command": list(self.command),
            "forgotten": self.forgotten,
        }
        schema = pa.schema([("mark", pa.uint64())], metadata={_META: json.dumps(about)})
        table = pa.table([pa.array(self.marks, pa.uint64())], schema=schema)
        write_atomically(room / MARKS_FILE, lambda path: pq.write_table(table, path))


def read_marks(room: Path) -> ListenerMarks | None:
    """The marks in a model's folder; None where it has none. ModelError where they are damaged."""
    path = room / MARKS_FILE
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[_META])
        if about["version"] > _VERSION:
            raise ModelError(f"{path} has version {about['version']}: install a newer musicu")
        return ListenerMarks(
            bytes.fromhex(about["salt"]),
            table["mark"].to_numpy().astype(np.uint64),
            tuple(map(str, about["command"])),
            int(about["forgotten"]),
        )
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError, TypeError, pa.ArrowException) as error:
        raise ModelError(f"{path} is damaged ({error}): train the model again") from error


def _marks(listeners: Iterable[str], key: bytes, salt: bytes) -> NDArray[np.uint64]:
    """uint64 [listeners]"""
    digests = b"".join(
        hashlib.blake2b(
            pseudonym_of(listener, key).encode(), digest_size=8, key=key, salt=salt, person=b"marks"
        ).digest()
        for listener in listeners
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)
