"""The compact arrays know what the tables hold, to the last byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from musicu.catalog.store import Change, Store
from musicu.pipeline import known
from musicu.pipeline.known import Recordings, hash_bytes, track_key, track_keys


def digest(i: int) -> str:
    return hashlib.sha256(str(i).encode()).hexdigest()[:32]


#: Also hashes that end in zero bytes, which NumPy's text arrays leave off.
HASHES = [*(digest(i) for i in range(600)), "ab" + "00" * 15, "00" * 15 + "01"]


def recordings(store: Store, hashes: list[str], complete: list[bool | None]) -> Recordings:
    table = pa.table({"content_hash": hashes, "complete": pa.array(complete, pa.bool_())})
    store.commit([Change("descriptors/a", table)])
    return Recordings.read(store, "descriptors/a")


@pytest.mark.parametrize("recent", [3, 100_000])
def test_recordings_are_those_of_the_table_and_those_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recent: int
) -> None:
    monkeypatch.setattr(known, "_RECENT", recent)
    made = recordings(Store.create(tmp_path / "c"), HASHES[::2], [True] * len(HASHES[::2]))
    assert [made.said(h) for h in HASHES] == [(i % 2 == 0) or None for i in range(len(HASHES))]
    for content_hash in HASHES[1::2]:
        made.add(content_hash, False)
    assert [made.said(h) for h in HASHES] == [i % 2 == 0 for i in range(len(HASHES))]
    asked = hash_bytes(pa.chunked_array([[*HASHES, None, digest(-1)]]))
    assert made.complete_of(asked).tolist() == [int(i % 2 == 0) for i in range(len(HASHES))] + [
        -1,
        -1,
    ]
    assert made.holds(asked).tolist() == [True] * len(HASHES) + [False, False]


def test_what_was_written_last_counts(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "c")
    recordings(store, HASHES[:3], [True, True, None])
    made = recordings(store, HASHES[:1], [False])
    assert [made.said(h) for h in HASHES[:2]] == [False, True]


def test_keys_of_a_column_are_those_of_its_ids() -> None:
    ids = ["0123456789abcdef", "0123456789ABCDEF", "T001", "", "ffffffffffffffff", "é" * 8]
    keys = track_keys(pa.chunked_array([ids]))
    assert keys.tolist() == [track_key(i) for i in ids]
    assert len(set(keys.tolist())) == len(ids)
    assert keys[0] == np.uint64(0x0123456789ABCDEF)
