"""A catalog on an object store is the one that was pushed, in one state."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from musicu.catalog.catalog import Catalog
from musicu.catalog.publishing import GENERATION, pull_catalog, push_catalog
from musicu.errors import CatalogError, SourceError
from musicu.object_store import fetch_object, find_objects, read_object, write_object
from musicu.pipeline.run import scan

pytest.importorskip("fsspec")


def made(folder: Path, tracks: int = 5) -> Path:
    ids = [f"t{n}" for n in range(tracks)]
    scan(pa.table({"track_id": ids, "title": [f"Tune {n}" for n in ids]}), folder)
    values = np.random.default_rng(0).standard_normal((tracks, 4)).astype(np.float32)
    Catalog.open(folder).add_vectors("drawn", ids, values, version="1", replace=True)
    (folder / "feedback").mkdir(exist_ok=True)
    (folder / "feedback" / "listener.key").write_bytes(b"secret")
    return folder


def held(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".") and file.parent.name != "feedback"
    }


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"memory://published/{tmp_path.name}"


def test_a_pulled_catalog_has_the_bytes_of_the_one_that_was_pushed(
    tmp_path: Path, address: str
) -> None:
    here = made(tmp_path / "here")
    pushed = push_catalog(here, address)
    pulled = pull_catalog(address, tmp_path / "there")
    assert held(tmp_path / "there") == held(here)
    assert pulled.copied == pushed.copied == len(held(here))
    assert Catalog.open(tmp_path / "there").tracks().num_rows == 5
    assert not any(b"secret" in read_object(one.path) for one in find_objects(address))


def test_only_what_differs_is_copied(tmp_path: Path, address: str) -> None:
    here, there = made(tmp_path / "here"), tmp_path / "there"
    push_catalog(here, address)
    pull_catalog(address, there)
    assert push_catalog(here, address).copied == 0
    assert pull_catalog(address, there).copied == 0
    before = set(held(there))
    scan(pa.table({"track_id": ["new"], "title": ["One more"]}), here)
    assert push_catalog(here, address).copied == 2  # the tracks, and the manifest
    done = pull_catalog(address, there)
    assert done.copied == 2
    assert done.removed == len(before - set(held(there))) > 0
    assert held(there) == held(here)
    for number in range(3):  # what no state of late has is removed from the store
        scan(pa.table({"track_id": [f"n{number}"], "title": ["And more"]}), here)
        last = push_catalog(here, address)
        assert len(list(find_objects(f"{address}/files"))) <= len(held(here)) + 2
    assert last.removed


def test_nothing_of_others_is_lost_without_force(tmp_path: Path, address: str) -> None:
    here, there = made(tmp_path / "here"), tmp_path / "there"
    push_catalog(here, address)
    pull_catalog(address, there)
    scan(pa.table({"track_id": ["a"], "title": ["A"]}), here)
    push_catalog(here, address)
    scan(pa.table({"track_id": ["b"], "title": ["B"]}), there)
    with pytest.raises(CatalogError, match="was not made from"):
        push_catalog(there, address)
    with pytest.raises(CatalogError, match="was changed since"):
        pull_catalog(address, there)
    assert "b" in Catalog.open(there).tracks()["track_id"].to_pylist()
    pull_catalog(address, there, force=True)
    assert held(there) == held(here)
    other = tmp_path / "music"
    other.mkdir()
    (other / "a.flac").write_bytes(b"music")
    with pytest.raises(CatalogError, match="not a catalog and not empty"):
        pull_catalog(address, other, force=True)


def test_a_push_that_is_killed_leaves_the_state_before(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = made(tmp_path / "here")
    push_catalog(here, address)
    before = held(here)
    scan(pa.table({"track_id": ["a"], "title": ["A"]}), here)
    sent = []

    def one_only(path: str, source: Path | bytes) -> None:
        if sent:
            raise KeyboardInterrupt
        sent.append(path)
        write_object(path, source)

    monkeypatch.setattr("musicu.catalog.publishing.write_object", one_only)
    with pytest.raises(KeyboardInterrupt):
        push_catalog(here, address)
    monkeypatch.undo()
    pull_catalog(address, tmp_path / "there")
    assert held(tmp_path / "there") == before
    assert push_catalog(here, address).copied == 1


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_pull_that_was_stopped_goes_on(
    tmp_path: Path, address: str, fresh: bool, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = made(tmp_path / "here"), tmp_path / "there"
    push_catalog(here, address)
    if not fresh:
        pull_catalog(address, there)
        made(here, 7)
        push_catalog(here, address)
    copied = []

    def stopped(url: str, path: Path) -> None:
        if len(copied) == after:
            raise KeyboardInterrupt
        copied.append(url)
        fetch_object(url, path)

    monkeypatch.setattr("musicu.catalog.publishing.fetch_object", stopped)
    with pytest.raises(KeyboardInterrupt):
        pull_catalog(address, there)
    monkeypatch.undo()
    done = pull_catalog(address, there)
    assert done.copied + done.known == len(held(here))
    assert done.known >= len(copied) == after
    assert held(there) == held(here)
    assert pull_catalog(address, there).copied == 0


def test_a_file_that_was_changed_after_a_stopped_pull_is_not_overwritten(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = made(tmp_path / "here"), tmp_path / "there"
    push_catalog(here, address)
    pull_catalog(address, there)
    made(here, 7)
    push_catalog(here, address)

    def stopped(url: str, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("musicu.catalog.publishing.fetch_object", stopped)
    with pytest.raises(KeyboardInterrupt):
        pull_catalog(address, there)
    monkeypatch.undo()
    (there / "manifest.json").write_text("{}")
    with pytest.raises(CatalogError, match="changed"):
        pull_catalog(address, there)
    pull_catalog(address, there, force=True)
    assert held(there) == held(here)


def test_a_damaged_or_newer_store_is_refused(tmp_path: Path, address: str) -> None:
    here = made(tmp_path / "here")
    push_catalog(here, address)
    file = next(iter(find_objects(f"{address}/files"))).path
    kept = read_object(file)
    write_object(file, kept[:-1] + b"?")
    with pytest.raises(CatalogError, match="is damaged"):
        pull_catalog(address, tmp_path / "there")
    write_object(file, kept)
    said = json.loads(read_object(f"{address}/{GENERATION}"))
    for told, match in (
        ({**said, "format": 9}, "has format 9"),
        ({**said, "files": {"../x": ["ab", 1]}}, "is damaged"),
        ([], "is damaged"),
    ):
        write_object(f"{address}/{GENERATION}", json.dumps(told).encode())
        with pytest.raises(CatalogError, match=match):
            pull_catalog(address, tmp_path / "there")
    with pytest.raises(CatalogError, match="has no catalog"):
        pull_catalog(address + "/nothing", tmp_path / "there")
    with pytest.raises(SourceError, match="no address of an object store"):
        push_catalog(here, tmp_path / "folder")
    with pytest.raises(CatalogError, match="musicu pull"):
        Catalog.open(address)
