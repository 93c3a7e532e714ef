"""Names of listeners that tell nobody who they are.

A listener's id becomes the keyed BLAKE2b digest of it (RFC 7693, section 2.9), 128 bits as hex:
the same person has the same pseudonym in every import under one key, and without the key nobody
can try names until one fits. Keep the key as long as imports shall join, and apart from the
listens.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from musicu.catalog.files import plain_errors
from musicu.errors import SourceError

VARIABLE = "MUSICU_LISTENER_KEY"
KEY_FILE = "listener.key"

_LEAST_BYTES = 16
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")


def listener_key(file: Path) -> bytes:
    """The key: from the environment, else from `file`, which is made with a new one if missing.

    The environment's MUSICU_LISTENER_KEY and the file hold it as hex, 16 to 64 bytes. The file is
    readable by its owner alone. Raises SourceError where a key is too short or not hex.
    """
    known = known_key(file)
    if known is not None:
        return known
    key = secrets.token_bytes(32)
    with plain_errors(file):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as handle:
            handle.write(key.hex() + "\n")
    return key


def pseudonyms(users: pa.Array, key: bytes) -> pa.Array:
    """The pseudonym of each id, each distinct one hashed once."""
    encoded = users.dictionary_encode()
    names = [pseudonym(name, key) for name in encoded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(encoded.indices)


def pseudonym(name: str, key: bytes) -> str:
    """The pseudonym of a name, whatever form it has."""
    return hashlib.blake2b(name.encode(), key=key, digest_size=16).hexdigest()


def is_pseudonym(user_id: str) -> bool:
    """Whether an id has the form of a pseudonym: 32 hex digits in small letters."""
    return _PSEUDONYM.fullmatch(user_id) is not None


def pseudonym_of(user_id: str, key: bytes) -> str:
    """The pseudonym of a name; what has the form of one is taken as it is."""
    return user_id if is_pseudonym(user_id) else pseudonym(user_id, key)


def listener_ids(names: Iterable[str], file: Path) -> dict[str, str]:
    """The ids under which listeners may stand in a table, each with the listener's name.

    They are the names as given and, where the key is known (as `listener_key` has it, but none is
    made), their pseudonyms. Raises SourceError where a key is too short or not hex.
    """
    ids = {name: name for name in names}
    key = known_key(file)
    if key is None:
        return ids
    digests = pseudonyms(pa.array(list(ids), pa.string()), key).to_pylist()
    return dict(zip(digests, ids, strict=True)) | ids


def known_key(file: Path) -> bytes | None:
    """The key as `listener_key` has it; None where there is none, and none is made."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return _read(given, f"the environment's {VARIABLE}")
    try:
        return _read(file.read_text("ascii", "replace"), str(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SourceError(f"the key {file} cannot be read: {error.strerror}") from error


def _read(text: str, where: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if not _LEAST_BYTES <= len(key) <= 64:
        raise SourceError(
            f"{where} is no key: it must be 32 to 128 hex digits, as `openssl rand -hex 32` gives"
        )
    return key
