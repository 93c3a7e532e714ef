"""What a catalog folder promises to its writers and readers."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from musicu.catalog import files
from musicu.catalog.files import write_atomically
from musicu.catalog.lock import write_lock
from musicu.catalog.manifest import ModelEntry
from musicu.catalog.store import Change, Store
from musicu.errors import CatalogError


def table(*values: int) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "catalog")


def test_rows_read_back_in_the_order_they_were_committed(store: Store) -> None:
    store.commit([Change("descriptors/x", table(3, 1))])
    store.commit([Change("descriptors/x", table(2))])
    assert Store.open(store.folder).read("descriptors/x") == table(3, 1, 2)


def test_replace_puts_rows_in_the_place_of_all_others(store: Store) -> None:
    store.commit([Change("descriptors/x", table(3, 1))])
    store.commit([Change("descriptors/x", table(2), replace=True)])
    assert Store.open(store.folder).read("descriptors/x") == table(2)


def test_columns_that_hold_nothing_take_no_memory_of_their_own(store: Store) -> None:
    nothing = {name: pa.nulls(5, pa.string()) for name in ("title", "label")}
    rows = pa.table({**nothing, "some": pa.array([None, "a", "", "b", "c"])})
    store.commit([Change("descriptors/x", rows)])
    read = store.read("descriptors/x")
    assert read is not None
    assert read == rows
    title, label = (read[name].chunk(0).buffers() for name in nothing)
    assert [b and b.address for b in title] == [b and b.address for b in label]


def test_large_tables_go_into_several_files(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicu.catalog.store.ROWS_PER_FILE", 2)
    store.commit([Change("descriptors/x", table(1, 2, 3, 4, 5))])
    assert len(store.manifest.tables["descriptors/x"]) == 3
    assert Store.open(store.folder).read("descriptors/x") == table(1, 2, 3, 4, 5)


def test_a_commit_that_fails_leaves_the_catalog_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.commit([Change("descriptors/x", table(1))])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("musicu.catalog.files._sync", full)
        with pytest.raises(CatalogError, match="the disk is full"):
            store.commit([Change("descriptors/x", table(2))])
    assert Store.open(store.folder).read("descriptors/x") == table(1)
    assert not list(store.folder.rglob("*.tmp"))


def test_files_that_no_manifest_lists_are_not_read_and_are_cleaned(store: Store) -> None:
    store.commit([Change("descriptors/x", table(1))])
    listed = store.folder / store.manifest.tables["descriptors/x"][0]
    orphan = listed.with_name("00000099.parquet")
    half = listed.with_name("00000100.parquet.tmp")
    theirs = listed.with_name("notes.txt")
    for path in (orphan, half, theirs):
        path.write_bytes(b"not parquet")
    again = Store.open(store.folder)
    assert again.read("descriptors/x") == table(1)
    again.clean()
    assert sorted(p.name for p in listed.parent.iterdir()) == [listed.name, "notes.txt"]


def test_a_reader_follows_a_writer_that_replaced_its_files(store: Store) -> None:
    store.commit([Change("descriptors/x", table(1))])
    reader = Store.open(store.folder)
    store.commit([Change("descriptors/x", table(2), replace=True)])
    store.clean()
    assert reader.read("descriptors/x") == table(2)


def test_a_missing_file_is_named(store: Store) -> None:
    store.commit([Change("descriptors/x", table(1))])
    (store.folder / store.manifest.tables["descriptors/x"][0]).unlink()
    with pytest.raises(CatalogError, match=r"00000001\.parquet is missing"):
        Store.open(store.folder).read("descriptors/x")


def test_a_damaged_file_is_named(store: Store) -> None:
    store.commit([Change("descriptors/x", table(1))])
    (store.folder / store.manifest.tables["descriptors/x"][0]).write_bytes(b"PAR1 and nothing")
    with pytest.raises(CatalogError, match=r"00000001\.parquet is damaged"):
        Store.open(store.folder).read("descriptors/x")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"format": 99, "tables": {}, "models": {}, "sequence": 0}, "pip install --upgrade"),
        ({"format": 1, "tables": {"tracks": ["../x"]}, "models": {}, "sequence": 0}, "damaged"),
        ({"format": 1, "tables": {"tracks": ["/x"]}, "models": {}, "sequence": 0}, "damaged"),
        ({"format": 1, "tables": [], "models": {}, "sequence": 0}, "damaged"),
        ({"format": "1"}, "damaged"),
        ({}, "damaged"),
        ([], "damaged"),
        (None, "damaged"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(
    store: Store, document: object, words: str
) -> None:
    (store.folder / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(CatalogError, match=words):
        Store.open(store.folder)


def test_a_manifest_that_is_no_json_is_refused(store: Store) -> None:
    (store.folder / "manifest.json").write_bytes(b"\xff{")
    with pytest.raises(CatalogError, match="damaged"):
        Store.open(store.folder)


def test_a_folder_with_other_things_is_not_made_a_catalog(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").touch()
    with pytest.raises(CatalogError, match="not empty"):
        Store.create(tmp_path)


def test_a_folder_without_a_manifest_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="is not a catalog: make one with `musicu embed"):
        Store.open(tmp_path / "nowhere")


def test_a_dropped_model_is_in_no_table(store: Store) -> None:
    store.commit([Change("vectors/a", table(1))], {"a": ModelEntry("f", 1)})
    store.drop_model("a")
    again = Store.open(store.folder)
    assert again.read("vectors/a") is None
    assert again.manifest.models == {}


def test_a_second_writer_is_refused_until_the_first_is_done(store: Store) -> None:
    code = (
        "import sys; from pathlib import Path; from musicu.catalog.lock import write_lock\n"
        "from musicu.errors import CatalogError\n"
        "try:\n"
        "    with write_lock(Path(sys.argv[1])): print('taken')\n"
        "except CatalogError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(store.folder)]
    with write_lock(store.folder):
        second = subprocess.run(command, capture_output=True, text=True, check=True)
    third = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "another process is writing" in second.stdout
    assert third.stdout == "taken\n"


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def half(temporary: Path) -> None:
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(CatalogError, match="the disk is full"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_that_a_reader_has_open_on_windows_is_replaced_when_it_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, replace = [1, 2, 3], Path.replace

    def busy(temporary: Path, path: Path) -> Path:
        if held:
            raise PermissionError(13, f"in use by another process ({held.pop()})")
        return replace(temporary, path)

    monkeypatch.setattr(Path, "replace", busy)
    monkeypatch.setattr(files, "_READERS_SECONDS", 60.0)
    write_atomically(tmp_path / "file", lambda path: path.write_bytes(b"new"))
    assert (tmp_path / "file").read_bytes() == b"new"
    held += [1, 2]
    monkeypatch.setattr(files, "_READERS_SECONDS", 0.0)
    with pytest.raises(CatalogError, match="permission denied"):
        write_atomically(tmp_path / "file", lambda path: path.write_bytes(b"newer"))
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX systems")
def test_files_are_written_with_the_mode_that_the_umask_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def private(path: Path) -> None:
        path.write_bytes(b"")
        path.chmod(0o600)

    files._mode.cache_clear()
    before = os.umask(0o002)
    try:
        write_atomically(tmp_path / "plain", lambda path: path.write_bytes(b""))
        write_atomically(tmp_path / "private", private)
    finally:
        os.umask(before)
        files._mode.cache_clear()
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o664, 0o664]
