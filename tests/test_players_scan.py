"""`musicu scan --subsonic`: songs of a server joined to a catalog, plays and stars as listens."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from subsonic_stand_in import KEY, PASSWORD, USER, SubsonicStandIn

from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.errors import CatalogError, PlayerError, QueryError
from musicu.pipeline.run import EmbedOptions, run
from musicu.players import (
    Credentials,
    RootMap,
    ServerScanOptions,
    SubsonicClient,
    every_player,
    scan_server,
)
from musicu.players.player_links import PlayerLinks, links_of
from musicu.players.server_listens import moment_of
from musicu.players.subsonic_client import plain_url

MIA = Credentials(USER, PASSWORD)
QUIET = ServerScanOptions(download=False)


@pytest.fixture
def catalog(demo_catalog: Path, tmp_path: Path) -> Path:
    """A copy of the demo's catalog, to be written to."""
    return Path(shutil.copytree(demo_catalog, tmp_path / "catalog"))


def served(catalog: Path, **more: Any) -> SubsonicStandIn:
    """A server that has the catalog's tracks, with paths of its own."""
    server = SubsonicStandIn()
    for n, row in enumerate(Catalog.open(catalog).tracks().to_pylist()):
        server.add(
            f"s{n}",
            Path(row["root"], row["path"]),
            title=row["title"],
            artist=row["artists"][0],
            album=row["album"],
            albumId=f"al-{row['album']}",
            duration=round(row["duration_seconds"]),
            path=f"/music/{row['path']}",
            **more,
        )
    return server


def links(catalog: Path) -> PlayerLinks:
    (only,) = every_player(catalog)
    return only


def test_songs_are_joined_by_their_path_under_a_mapped_root(
    catalog: Path, demo_music: Path
) -> None:
    server = served(catalog)
    for song in server.songs.values():
        del song["title"], song["artist"], song["album"], song["duration"]
    with server.running() as url:
        roots = [RootMap.parse(f"/music={demo_music}")]
        report = scan_server(SubsonicClient(url, MIA), catalog, ServerScanOptions(roots))
    tracks = Catalog.open(catalog).tracks().to_pylist()
    assert report.by == {"path": len(tracks)}
    found = {r["song_id"]: r["track_id"] for r in links(catalog).songs.to_pylist()}
    assert found == {f"s{n}": row["track_id"] for n, row in enumerate(tracks)}


def test_songs_are_joined_by_name_where_nothing_else_is_told(catalog: Path) -> None:
    server = served(catalog)
    for song in server.songs.values():
        del song["path"]
    with server.running() as url:
        report = scan_server(SubsonicClient(url, MIA), catalog, QUIET)
    assert report.joined == len(server.songs)
    assert set(report.by) == {"name"}


def test_songs_are_joined_by_musicbrainz_id_and_isrc_before_names(tmp_path: Path) -> None:
    recordings = [f"{n:08x}-1111-4111-8111-111111111111" for n in range(3)]
    table = {
        "track_id": ["a", "b", "c"],
        "title": ["One", "Two", "Three"],
        "artist": ["Ann", "Ann", "Ann"],
        "musicbrainz_recording_id": recordings,
        "isrc": ["USRC17607839", "USRC17607840", "USRC17607841"],
    }
    run(pa.table(table), tmp_path / "catalog", model=None)
    server = SubsonicStandIn()
    server.add("s1", title="Other", artist="Else", musicBrainzId=recordings[1])
    server.add("s2", title="One", artist="Ann", musicBrainzId=recordings[2])
    server.add("s3", title="Other", artist="Else", isrc=["USRC17607839"])
    with server.running() as url:
        report = scan_server(SubsonicClient(url, MIA), tmp_path / "catalog", QUIET)
    found = {r["song_id"]: r["track_id"] for r in links(tmp_path / "catalog").songs.to_pylist()}
    assert found == {"s1": "b", "s2": "c", "s3": "a"}
    assert report.by == {"musicbrainz": 2, "isrc": 1}


def test_a_server_that_lies_about_paths_is_not_believed(catalog: Path) -> None:
    server = served(catalog)
    songs = list(server.songs.values())
    paths = [song["path"] for song in songs]
    for song, path in zip(songs, [*paths[1:], paths[0]], strict=True):
        song["path"] = path
    with server.running() as url:
        root = Catalog.open(catalog).tracks()["root"][0].as_py()
        options = ServerScanOptions([RootMap("/music", Path(root))], download=False)
        report = scan_server(SubsonicClient(url, MIA), catalog, options)
    tracks = {row["track_id"]: row for row in Catalog.open(catalog).tracks().to_pylist()}
    assert report.lies > 0
    for row in links(catalog).songs.to_pylist():
        assert tracks[row["track_id"]]["title"] == json.loads(row["child"])["title"]


def test_plays_and_stars_become_listens_and_grow(catalog: Path) -> None:
    server = served(catalog)
    server.play("s0", 3, "2026-05-01T10:00:00Z")
    server.songs["s1"]["starred"] = "2026-04-01T00:00:00.123456789Z"
    with server.running() as url:
        client = SubsonicClient(url, MIA)
        scan_server(client, catalog, QUIET)
        server.play("s0", 2, "2026-05-02T10:00:00Z")
        server.songs["s2"]["starred"] = "2026-05-02T00:00:00Z"
        del server.songs["s1"]["starred"]
        scan_server(client, catalog, QUIET)
        scan_server(client, catalog, QUIET)
    ids = Catalog.open(catalog).tracks()["track_id"].to_pylist()
    rows = links(catalog).listens.to_pylist()
    assert {row["user_id"] for row in rows} == {links(catalog).user_id}
    told = [(row["track_id"], row["weight"], row["context"], row["timestamp"]) for row in rows]
    first, second = (datetime(2026, 5, d, 10, tzinfo=timezone.utc) for d in (1, 2))
    star = datetime(2026, 5, 2, tzinfo=timezone.utc)
    assert told == [
        (ids[0], 3, "server", first),
        (ids[0], 2, "server", second),
        (ids[2], 1, "loved", star),
    ]


def test_a_second_run_reads_only_what_changed(catalog: Path) -> None:
    server = served(catalog)
    with server.running() as url:
        client = SubsonicClient(url, MIA)
        scan_server(client, catalog, QUIET)
        server.calls.clear()
        server.play("s3", 1, "2026-05-01T10:00:00Z")
        report = scan_server(client, catalog, QUIET)
        assert report.read == 1
        assert "search3" not in server.calls
        server.add("new", title="Other", artist="Stranger", duration=9)
        report = scan_server(client, catalog, QUIET)
    assert (report.read, report.unknown) == (1, 1)


def test_a_song_that_vanishes_is_remembered_and_its_plays_are_not_counted_twice(
    catalog: Path,
) -> None:
    server = served(catalog)
    server.play("s0", 5, "2026-05-01T10:00:00Z")
    with server.running() as url:
        client = SubsonicClient(url, MIA)
        scan_server(client, catalog, QUIET)
        song = server.songs.pop("s0")
        server.add("renamed", **{k: v for k, v in song.items() if k not in ("id", "isDir")})
        report = scan_server(client, catalog, QUIET)
        server.play("renamed", 1, "2026-05-03T10:00:00Z")
        scan_server(client, catalog, QUIET)
    track = Catalog.open(catalog).tracks()["track_id"][0].as_py()
    assert report.vanished == 1
    rows = {r["song_id"]: r for r in links(catalog).songs.to_pylist()}
    assert rows["s0"]["missed"] is not None
    assert rows["s0"]["track_id"] == rows["renamed"]["track_id"] == track
    assert links(catalog).songs_of_tracks()[track] == "renamed"
    assert [row["weight"] for row in links(catalog).listens.to_pylist()] == [5, 1]


def test_a_server_without_songs_loses_nothing(catalog: Path) -> None:
    server = served(catalog)
    with server.running() as url:
        client = SubsonicClient(url, MIA)
        scan_server(client, catalog, QUIET)
        before = links(catalog)
        server.songs.clear()
        server.modified += 1
        with pytest.raises(PlayerError, match="says that it has no songs, and it had 7"):
            scan_server(client, catalog, QUIET)
    after = links(catalog)
    assert after.songs.equals(before.songs)
    assert after.library == before.library


def test_songs_come_album_by_album_where_a_search_gives_none(catalog: Path) -> None:
    server = served(catalog)
    server.searches = False
    with server.running() as url:
        report = scan_server(SubsonicClient(url, MIA), catalog, QUIET)
    assert report.songs == len(server.songs)


def test_songs_that_are_not_at_hand_are_embedded_from_downloads(
    demo_catalog: Path, tmp_path: Path
) -> None:
    pairs = [("a", "musicu-stats-v1")]
    known, server = Catalog.open(demo_catalog), served(demo_catalog)
    out = tmp_path / "catalog"
    few = {k: server.songs[k] for k in ("s0", "s1")}
    server.songs = few
    server.songs["s1"]["suffix"] = "../flac"
    server.add("lost", title="Gone", artist="Nobody")
    _default_to(out, pairs[0][1], demo_catalog)
    with server.running() as url:
        client = SubsonicClient(url, MIA)
        options = ServerScanOptions(embed=EmbedOptions(jobs=1, executor="local"))
        report = scan_server(client, out, options)
        again = scan_server(client, out, options)
    assert (report.embedded, list(report.failed), again.embedded) == (2, ["lost"], 0)
    made = Catalog.open(out)
    assert made.tracks()["path"].null_count == len(made) == 2
    for song_id, track in zip(("s0", "s1"), known.tracks().to_pylist()[:2], strict=True):
        mine = {r["song_id"]: r["track_id"] for r in links(out).songs.to_pylist()}[song_id]
        assert made.track(mine)["content_hash"] == track["content_hash"]
        vectors, other = made.vectors(), known.vectors("musicu-stats-v1")
        np.testing.assert_allclose(
            vectors.values[vectors.ids.tolist().index(mine)],
            other.values[other.ids.tolist().index(track["track_id"])],
            atol=1e-6,
        )


def _default_to(out: Path, model: str, like: Path) -> None:
    """An empty catalog whose default is a quick model."""
    from musicu.catalog.store import Change, Store

    store, entry = Store.create(out), Catalog.open(like).model_entry(model)[1]
    table = Store.open(like).read(f"vectors/{model}")
    assert table is not None
    with Store.writing(store.folder) as writing:
        writing.commit([Change(f"vectors/{model}", table.slice(0, 0))], {model: entry})


def test_two_servers_stand_beside_each_other_on_one_catalog(catalog: Path) -> None:
    one, other = served(catalog), served(catalog)
    other.songs = {f"other-{k}": {**v, "id": f"other-{k}"} for k, v in other.songs.items()}
    with one.running() as url, other.running() as second:
        scan_server(SubsonicClient(url, MIA), catalog, QUIET)
        scan_server(SubsonicClient(second, MIA), catalog, QUIET)
    found = {player.url: player.songs_of_tracks() for player in every_player(catalog)}
    assert set(found) == {url, second}
    assert found[second] == {track: f"other-{song}" for track, song in found[url].items()}


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        (Credentials(USER, "wrong"), "refuses the name, password or key .*MUSICU_SUBSONIC_USER"),
        (Credentials(api_key="wrong"), "refuses the name, password or key .*Invalid API key"),
    ],
)
def test_wrong_credentials_are_said_and_change_nothing(
    tmp_path: Path, credentials: Credentials, words: str
) -> None:
    with SubsonicStandIn().running() as url, pytest.raises(PlayerError, match=words):
        scan_server(SubsonicClient(url, credentials), tmp_path / "catalog")
    assert not (tmp_path / "catalog").exists()


def test_a_key_is_enough(catalog: Path) -> None:
    server = served(catalog)
    with server.running() as url:
        client = SubsonicClient(url, Credentials(api_key=KEY))
        scan_server(client, catalog, QUIET)
        by_key = links(catalog).user_id
        scan_server(SubsonicClient(url, MIA), catalog, QUIET)
    assert links(catalog).user_id == by_key


def test_a_password_goes_in_place_of_a_token_only_where_nobody_can_read_it() -> None:
    server = SubsonicStandIn()
    server.takes_tokens = False
    with server.running() as url:
        client = SubsonicClient(url, MIA)
        assert client.call("ping")["status"] == "ok"
        far = SubsonicClient(url, MIA)
        far.__class__ = type("Far", (SubsonicClient,), {"is_private": False})
        with pytest.raises(PlayerError, match=r"takes no tokens .* HTTPS"):
            far.call("ping")
    assert [SubsonicClient(u, MIA).is_private for u in ("https://a", "http://a", "[::1]:1")] == [
        *(True, False, True)
    ]


def test_what_is_no_server_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlayerError, match="cannot be reached"):
        scan_server(SubsonicClient("http://127.0.0.1:9", MIA), tmp_path / "c")
    with pytest.raises(PlayerError, match="no address"):
        SubsonicClient("ftp://x", MIA)
    assert plain_url("http://mia@host:4533/music/rest/?x=1") == "http://host:4533/music"


def test_a_map_is_server_and_local() -> None:
    root = RootMap.parse("/music/=/home/mia")
    assert root.place("/music/a/b.mp3") == Path("/home/mia/a/b.mp3")
    assert root.place("/musical/a.mp3") is None
    assert root.place("/music/../../etc/passwd") is None
    assert RootMap.parse("=/home/mia").place("a/b.mp3") == Path("/home/mia/a/b.mp3")
    with pytest.raises(QueryError, match="SERVER=LOCAL"):
        RootMap.parse("/music")


def test_moments_are_read_with_any_fraction() -> None:
    first = datetime(2026, 5, 1, 10, tzinfo=timezone.utc)
    for text in ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00.123456789Z", "2026-05-01T10:00:00"):
        found = moment_of(text)
        assert found is not None
        assert found.replace(microsecond=0) == first
    assert moment_of("yesterday") is moment_of(None) is None


def test_a_damaged_or_newer_folder_is_named(tmp_path: Path) -> None:
    folder = links_of(tmp_path, "http://host", "u").folder
    folder.mkdir(parents=True)
    (folder / "server.json").write_text('{"format": 99}')
    with pytest.raises(CatalogError, match="has format 99"):
        links_of(tmp_path, "http://host", "u")
    (folder / "server.json").write_text("{")
    with pytest.raises(CatalogError, match="damaged"):
        links_of(tmp_path, "http://host", "u")


def test_a_forgotten_listener_leaves_no_player(catalog: Path) -> None:
    from musicu.privacy import forget

    server = served(catalog)
    server.play("s0", 3, "2026-05-01T10:00:00Z")
    with server.running() as url:
        scan_server(SubsonicClient(url, MIA), catalog, QUIET)
    folder = links(catalog).folder
    stranger = forget(Catalog.open(catalog), ["somebody else"])
    assert stranger.rows == 0
    assert folder.is_dir()
    done = forget(Catalog.open(catalog), [USER])
    assert (done.rows, done.leftovers) == (8, [])
    assert not folder.exists()


def scan(*words: str, **env: str) -> Result:
    clean = {f"MUSICU_SUBSONIC_{name}": None for name in ("USER", "PASSWORD", "API_KEY")}
    return CliRunner().invoke(app, ["scan", *words], env={**clean, **env})


def test_the_command_takes_credentials_from_the_environment(catalog: Path) -> None:
    server = served(catalog)
    server.play("s0", 3, "2026-05-01T10:00:00Z")
    words = ("-o", str(catalog), "--json")
    with server.running() as url:
        done = scan(
            *("--subsonic", url, *words),
            MUSICU_SUBSONIC_USER=USER,
            MUSICU_SUBSONIC_PASSWORD=PASSWORD,
        )
        missing = scan("--subsonic", url, *words)
        typed = scan("--subsonic", f"http://mia:pw@{url.removeprefix('http://')}", *words)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["songs"], report["joined"], report["listens"]) == (7, 7, 1)
    assert isinstance(missing.exception, PlayerError)
    assert "set MUSICU_SUBSONIC_USER" in str(missing.exception)
    assert typed.exit_code == 2
    assert "shell's history" in typed.output


def test_the_command_wants_one_source(catalog: Path) -> None:
    for words in ([], ["music", "--subsonic", "http://x"], ["music", "--map-root", "a=b"]):
        assert scan(*words, "-o", str(catalog)).exit_code == 2


@pytest.fixture(scope="module")
def real_server(demo_music: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("supysonic", reason="needs Supysonic: pip install supysonic")
    from supysonic_server import supysonic

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with supysonic(demo_music, tmp_path_factory.mktemp("supysonic")) as url:
        yield url


def test_a_real_server_is_read_and_joined(catalog: Path, real_server: str) -> None:
    from supysonic_server import PASSWORD as PASS
    from supysonic_server import USER as ANN

    client = SubsonicClient(real_server, Credentials(ANN, PASS))
    report = scan_server(client, catalog)
    assert (report.songs, report.joined, report.embedded) == (7, 7, 0)
    song = next(iter(links(catalog).songs_of_tracks().values()))
    client.call("star", {"id": song})
    again = scan_server(client, catalog)
    assert (again.read, again.listens) == (1, 1)
    assert links(catalog).listens["context"].to_pylist() == ["loved"]
    with pytest.raises(PlayerError, match="refuses the name, password or key"):
        scan_server(SubsonicClient(real_server, Credentials(ANN, "no")), catalog)
