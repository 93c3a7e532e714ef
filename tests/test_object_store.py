"""Music on an object store is taken into a catalog as music on a disk is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from music import write

from musicu.catalog.catalog import Catalog
from musicu.errors import SourceError
from musicu.ingest.track_source import open_source
from musicu.object_store import (
    find_objects,
    is_object,
    local_file,
    look_at_object,
    object_path,
    object_url,
    read_object,
    remove_object,
    write_object,
)
from musicu.pipeline.describe import FillOptions, describe_catalog
from musicu.pipeline.run import EmbedOptions, run

pytest.importorskip("fsspec")
MODEL = "musicu-stats-v1"
TABLES = ("vectors/musicu-stats-v1", "descriptors/musicu-descriptors-v2")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    for i in range(4):
        artist = f"Ärtist {i // 2}"
        write(tmp_path / f"music/{artist}/tune {i}.flac", i, title=f"Tune {i}", artist=artist)
    (tmp_path / "music/@eaDir").mkdir()
    shutil.copy(tmp_path / "music/Ärtist 0/tune 0.flac", tmp_path / "music/@eaDir/thumb.flac")
    (tmp_path / "music/Ärtist 0/._tune 0.flac").write_bytes(b"\0\5\x16\7rest")
    (tmp_path / "music/cover.jpg").write_bytes(b"no music")
    return tmp_path / "music"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUSICU_OBJECT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(music: Path, url: str) -> str:
    for file in sorted(music.rglob("*")):
        if file.is_file():
            write_object(f"{url}/{file.relative_to(music).as_posix()}", file)
    return url


def go(source: Any, out: Path, **options: Any) -> Any:
    return run(source, out, model=MODEL, options=EmbedOptions(**{"executor": "local", **options}))


def tables(out: Path) -> dict[str, bytes]:
    """The bytes of tables that say nothing of where the music lies."""
    made = Catalog.open(out)
    assert not made.failures().num_rows
    return {
        name: b"".join(file.read_bytes() for file in sorted((out / name).iterdir()))
        for name in TABLES
        if (out / name).exists()
    }


def tracks(out: Path) -> list[dict[str, Any]]:
    own = {"root", "modified_ns", "changed_ns"}
    rows = Catalog.open(out).tracks().to_pylist()
    return [{name: row[name] for name in row.keys() - own} for row in rows]


class ObjectStoreContract:
    """A store `url` gives what the disk gives. Executors: that see the store."""

    executors: tuple[str, ...]

    def test_the_catalog_has_the_bytes_of_the_one_made_from_the_disk(
        self, url: str, music: Path, tmp_path: Path
    ) -> None:
        put(music, f"{url}/music")
        go(music, tmp_path / "disk")
        for executor in self.executors:
            out = tmp_path / executor
            report = go(f"{url}/music", out, executor=executor, jobs=2)
            assert (report.embedded, report.failed, report.left_out) == (
                4,
                0,
                {"._*": 1, "@eaDir": 1},
            )
            assert tables(out) == tables(tmp_path / "disk")
            assert tracks(out) == tracks(tmp_path / "disk")

    def test_a_second_run_fetches_nothing_and_a_changed_object_is_read(
        self, url: str, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(music, f"{url}/again")
        out = tmp_path / "out"
        go(f"{url}/again", out)
        fetched: list[str] = []
        fetch = "musicu.object_store.fetch_object"
        kept = __import__("musicu.object_store").object_store.fetch_object
        monkeypatch.setattr(fetch, lambda path, to: (fetched.append(str(path)), kept(path, to)))
        assert go(f"{url}/again", out).known == 4
        assert not fetched
        write_object(f"{url}/again/Ärtist 1/tune 3.flac", write(tmp_path / "new.flac", 17))
        remove_object(f"{url}/again/Ärtist 0/tune 0.flac")
        report = go(f"{url}/again", out, prune=True)
        assert (report.known, report.embedded, report.pruned) == (2, 1, 1)
        assert [Path(path).name for path in fetched] == ["tune 3.flac"]

    def test_a_store_that_shows_nothing_takes_no_tracks(
        self, url: str, music: Path, tmp_path: Path
    ) -> None:
        put(music, f"{url}/gone")
        out = tmp_path / "out"
        go(f"{url}/gone", out)
        for stored in list(find_objects(f"{url}/gone")):
            remove_object(stored.path)
        with pytest.raises(SourceError, match=r"no such folder|no audio files"):
            go(f"{url}/gone", out, prune=True)
        left = f"{url}/gone/Ärtist 0/tune 0.flac"
        report = go([left], out, root=Path(object_path(f"{url}/gone")), prune=True)
        assert report.pruned == 0
        assert Catalog.open(out).tracks().num_rows == 4

    def test_tables_and_lists_name_objects(self, url: str, music: Path, tmp_path: Path) -> None:
        put(music, f"{url}/list")
        files = [f"{url}/list/Ärtist 0/tune 0.flac", f"{url}/list/Ärtist 1/tune 2.flac"]
        assert go(files, tmp_path / "of a list").embedded == 2
        table = pa.table({"track_id": ["a", "b"], "path": files})
        assert go(table, tmp_path / "of a table").embedded == 2
        write_object(
            f"{url}/list/t.csv", b"path,mood\nArtist/x.flac,odd\n" + files[0].encode() + b",calm\n"
        )
        report = go(f"{url}/list/t.csv", tmp_path / "of a csv")
        assert (report.embedded, report.failed) == (1, 1)
        assert "no such file" in report.failures[0]["reason"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.mark.slow
def test_describe_reads_objects(music: Path, tmp_path: Path) -> None:
    sources = (music / "Ärtist 0", put(music / "Ärtist 0", "memory://described"))
    for source, out in zip(sources, (tmp_path / "disk", tmp_path / "store"), strict=True):
        run(source, out, model=None, options=EmbedOptions(executor="local"))
        assert describe_catalog(out, options=FillOptions(executor="local")).done == 2
    assert tables(tmp_path / "disk") == tables(tmp_path / "store")


class TestMemory(ObjectStoreContract):
    executors = ("local",)

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"memory://{tmp_path.name}"


class TestS3(ObjectStoreContract):
    executors = ("workers",)

    @pytest.fixture
    def url(self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        import fsspec

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "made-up")
        monkeypatch.setenv("AWS_ENDPOINT_URL", server)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        bucket = "b-" + str(abs(hash(tmp_path)))
        fsspec.filesystem("s3", use_listings_cache=False).mkdir(bucket)
        return f"s3://{bucket}"

    def test_a_store_out_of_reach_says_so_and_takes_no_tracks(
        self, url: str, music: Path, tmp_path: Path
    ) -> None:
        put(music, f"{url}/music")
        with pytest.raises(SourceError, match="no such folder"):
            list(open_source("s3://no-such-bucket-here/music"))
        assert go(f"{url}/music", tmp_path / "out").embedded == 4


def test_a_path_and_a_url_mean_the_same_object() -> None:
    assert object_url(Path("s3://bucket/a/b c.flac")) == "s3://bucket/a/b c.flac"
    assert object_path("gs://bucket/a/") == "gs:/bucket/a"
    assert not any(map(is_object, ("music/s3/x", "/s3:/x", "file:///x", Path("C:/x"), "s3:x")))


def test_the_cache_is_bounded_and_what_is_lent_out_stays(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSICU_OBJECT_CACHE_MB", "0.025")
    paths = [Path(f"memory:/bounded/{n}.bin") for n in range(5)]
    for path in paths:
        write_object(path, bytes([len(path.name)]) * 10_000)
    with local_file(paths[0]) as first:
        for path in paths[1:]:
            with local_file(path) as file:
                assert file.read_bytes() == read_object(path)
            held = sum(one.stat().st_size for one in cache.glob("*.object"))
            assert held <= 25_000
        assert first.read_bytes() == read_object(paths[0])
    assert not list(cache.glob("lent-*"))


def test_an_object_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), local_file(Path("memory:/nothing/here.flac")):
        pass
    with pytest.raises(FileNotFoundError):
        look_at_object("memory://nothing")
    with pytest.raises(SourceError, match="no address of an object store"):
        look_at_object(tmp_path)
