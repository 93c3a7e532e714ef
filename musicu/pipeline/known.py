"""What a catalog knows, as sorted arrays: tens of bytes a track where objects would take 1,000."""

from __future__ import annotations

import hashlib
import re
from binascii import unhexlify
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicu.catalog.store import Store
from musicu.ingest.track_source import SourceFile

Hashes = NDArray[np.bytes_]
Numbers = NDArray[np.uint64]

_HASH_BYTES = 16
_ID_BYTES = 8
_HASH = np.dtype(f"S{_HASH_BYTES}")
_RECENT = 65_536  # additions that are kept in a dictionary before they go into the array
_UNKNOWN = np.int8(-1)
_DERIVED = re.compile(r"[0-9a-f]{16}")
_MIX = 0x9E3779B97F4A7C15

#: What is noted of a track: in the source, its file gone, to be worked on, its file unchanged.
SEEN, GONE, TO_DO, SAME = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8)


class Recordings:
    """The content hashes that a table holds, 17 bytes each, and what it says of `complete`."""

    def __init__(self, hashes: Hashes, complete: NDArray[np.int8]) -> None:
        order = _last_of_each(hashes)
        self._hashes, self._complete = hashes[order], complete[order]
        self._recent: dict[bytes, bool] = {}

    @classmethod
    def read(cls, store: Store, table: str) -> Recordings:
        """Those of a table; none where the catalog has no such table."""
        hashes, told = [np.empty(0, _HASH)], [np.empty(0, np.int8)]
        for batch in store.batches(table, ["content_hash", "complete"]):
            hashes.append(hash_bytes(batch["content_hash"]))
            told.append(_flags(batch, "complete"))
        return cls(np.concatenate(hashes), np.concatenate(told))

    def said(self, content_hash: str) -> bool | None:
        """Whether a recording was read whole; None where the table has no row of it."""
        wanted = bytes.fromhex(content_hash)
        if wanted in self._recent:
            return self._recent[wanted]
        at, here = self._find(np.array([wanted], _HASH))
        return bool(self._complete[at[0]]) if here[0] else None

    def add(self, content_hash: str, complete: bool) -> None:
        """Note that a recording has a row now."""
        self._recent[bytes.fromhex(content_hash)] = complete
        if len(self._recent) >= _RECENT:
            self._take_up()

    def complete_of(self, hashes: Hashes) -> NDArray[np.int8]:
        """1 for what was read whole, 0 in part, -1 for what is not here; int8 [hashes]."""
        if self._recent:
            self._take_up()
        at, here = self._find(hashes)
        said: NDArray[np.int8] = np.full(len(hashes), _UNKNOWN)
        said[here] = self._complete[at[here]]
        return said

    def holds(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which of the recordings are here, bool [hashes]."""
        if self._recent:
            self._take_up()
        return self._find(hashes)[1]

    def _find(self, hashes: Hashes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where each recording stands in the sorted array, and whether it does."""
        at = np.minimum(np.searchsorted(self._hashes, hashes), max(len(self._hashes) - 1, 0))
        none = np.zeros(len(hashes), np.bool_)
        return at, self._hashes[at] == hashes if len(self._hashes) else none

    def _take_up(self) -> None:
        """Move what was added into the sorted array."""
        added = np.array(list(self._recent), _HASH)
        told = np.array(list(self._recent.values()), np.int8)
        hashes, complete = np.append(self._hashes, added), np.append(self._complete, told)
        order = _last_of_each(hashes)
        self._hashes, self._complete, self._recent = hashes[order], complete[order], {}


class Tracks:
    """The tracks of a catalog in the order of their keys, 46 bytes each.

    keys: uint64, see `track_key`. stamps: uint64 of size and time of the file. changes: uint64,
    when its inode was changed last, in nanoseconds, 0 where unknown. hashes: of the
    sound, b"" where unknown. roots: of `root_names`. complete: -1 where null. flags: SEEN,
    GONE, TO_DO, SAME.
    """

    def __init__(self, store: Store) -> None:
        parts = [_columns(batch, self) for batch in self._batches(store)]
        empty = (_NO_KEYS, _NO_KEYS, _NO_KEYS, np.empty(0, _HASH), *_NO_FLAGS)
        keys, *columns = (np.concatenate(column) for column in zip(empty, *parts, strict=True))
        del parts
        order = _last_of_each(keys)
        self.keys: Numbers = keys[order]
        self.stamps, self.changes, self.hashes, self.roots, self.complete, self.flags = (
            column[order] for column in columns
        )

    #: Folders that tracks lie in, by number.
    root_names: list[str | None]

    def _batches(self, store: Store) -> Iterator[pa.Table]:
        self.root_names = []
        return store.batches("tracks", _NEEDED)

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, track_id: str) -> int | None:
        """Where a track stands, if it is known."""
        key = np.uint64(track_key(track_id))
        at = int(np.searchsorted(self.keys, key))
        return at if at < len(self.keys) and self.keys[at] == key else None

    def rows(self, ids: pa.ChunkedArray) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where each of many tracks stands, int64 [ids], and whether it is known at all."""
        keys = track_keys(ids)
        if not len(self.keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return at, self.keys[at] == keys

    def has_stamp(self, row: int, found: SourceFile) -> bool:
        """Whether a file has the size and time that it had."""
        return int(self.stamps[row]) == _stamp(found.size_bytes, found.modified_ns)

    def may_be_retagged(self, row: int, found: SourceFile) -> bool:
        """Whether a file's inode was changed since, though its size and time are as they were."""
        return found.changed_ns is not None and int(self.changes[row]) != found.changed_ns

    def hash_of(self, row: int) -> str | None:
        """A track's content hash."""
        raw: bytes = self.hashes[row]
        return raw.ljust(_HASH_BYTES, b"\0").hex() if raw else None

    def root_number(self, root: str | None) -> int:
        """The number of a folder, a new one where it has none yet."""
        if root not in self.root_names:
            self.root_names.append(root)
        return self.root_names.index(root)


def _last_of_each(keys: NDArray[Any]) -> NDArray[np.int64]:
    """The places of the distinct keys in their order; of equal ones, what was written last."""
    order = np.argsort(keys, kind="stable")
    rising = keys[order]
    last: NDArray[np.int64] = order[np.append(rising[1:] != rising[:-1], True)[: len(keys)]]
    return last


def track_key(track_id: str) -> int:
    """An id as 64 bits: a derived one is its own key, others are hashed.

    Two ids of one key are taken for one track that changes from run to run: it is read once too
    often, and nothing is lost.
    """
    if _DERIVED.fullmatch(track_id):
        return int(track_id, 16)
    return int.from_bytes(hashlib.blake2b(track_id.encode(), digest_size=_ID_BYTES).digest(), "big")


def track_keys(ids: pa.ChunkedArray) -> Numbers:
    """The keys of a column of ids, uint64 [rows]."""
    raw, derived = _from_hex(ids, _ID_BYTES)
    keys = np.ascontiguousarray(raw).view(">u8").astype(np.uint64).reshape(-1)
    for row in np.flatnonzero(~derived):
        keys[row] = track_key(ids[int(row)].as_py())
    return keys


def _stamp(size_bytes: int, modified_ns: int) -> int:
    """The state of a file as 64 bits."""
    return (size_bytes * _MIX + modified_ns) & 0xFFFFFFFFFFFFFFFF


def hash_bytes(column: pa.ChunkedArray) -> Hashes:
    """A column of content hashes as bytes, b"" where null."""
    raw, _ = _from_hex(column, _HASH_BYTES)
    return np.ascontiguousarray(raw).view(_HASH).reshape(-1)


def _from_hex(column: pa.ChunkedArray, width: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Lower-case hex digits as bytes [rows, width], zeros for what is none; and which are some."""
    text = column.combine_chunks()
    fits = pc.fill_null(pc.match_substring_regex(text, f"^[0-9a-f]{{{2 * width}}}$"), False)
    good = fits.to_numpy(zero_copy_only=False).astype(np.bool_)
    raw = np.zeros((len(text), width), np.uint8)
    if good.any():
        chosen = text.filter(fits).cast(pa.binary()).cast(pa.binary(2 * width))
        digits = memoryview(chosen.buffers()[1])[: 2 * width * len(chosen)]
        raw[good] = np.frombuffer(unhexlify(digits), np.uint8).reshape(-1, width)
    return raw, good


def _flags(batch: pa.Table, name: str) -> NDArray[np.int8]:
    """A column of booleans as 1 and 0, -1 where null or where there is no such column."""
    if name not in batch.column_names:
        return np.full(batch.num_rows, _UNKNOWN)
    values = pc.fill_null(batch[name].cast(pa.int8()), _UNKNOWN)
    flags: NDArray[np.int8] = values.to_numpy()
    return flags


def _numbers(batch: pa.Table, name: str) -> Numbers:
    """A column of whole numbers, 0 where null or where there is no such column."""
    if name not in batch.column_names:
        return np.zeros(batch.num_rows, np.uint64)
    numbers: Numbers = pc.fill_null(batch[name], 0).to_numpy().astype(np.uint64)
    return numbers


_NEEDED = ["track_id", "size_bytes", "modified_ns", "changed_ns", "content_hash", "root"]
_NEEDED += ["complete", "gone"]
_NO_KEYS = np.empty(0, np.uint64)
_NO_FLAGS = np.empty(0, np.uint32), np.empty(0, np.int8), np.empty(0, np.uint8)


def _columns(batch: pa.Table, tracks: Tracks) -> tuple[NDArray[np.generic], ...]:
    """What is kept of a batch of tracks."""
    size, time, change = (_numbers(batch, n) for n in ("size_bytes", "modified_ns", "changed_ns"))
    roots = batch["root"].combine_chunks().dictionary_encode()
    names = np.array([tracks.root_number(n) for n in roots.dictionary.to_pylist()] or [0])
    numbers = pc.fill_null(roots.indices, 0).to_numpy()
    if roots.null_count:
        names = np.append(names, tracks.root_number(None))
        numbers = pc.fill_null(roots.indices, len(names) - 1).to_numpy()
    return (
        track_keys(batch["track_id"]),
        size * np.uint64(_MIX) + time,
        change,
        hash_bytes(batch["content_hash"]),
        names[numbers].astype(np.uint32),
        _flags(batch, "complete"),
        np.where(_flags(batch, "gone") == 1, GONE, np.uint8(0)),
    )
