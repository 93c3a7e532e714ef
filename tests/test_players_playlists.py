"""Playlists go back to players, under stable names; what musicu did not make is never changed."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner
from subsonic_stand_in import PASSWORD, USER, SubsonicStandIn

from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.cli.publish import made_of_shelves
from musicu.errors import PlayerError
from musicu.pipeline.run import run
from musicu.players import Credentials, ServerScanOptions, SubsonicClient, every_player, scan_server
from musicu.players.player_files import write_player_files
from musicu.players.player_links import PlayerLinks
from musicu.players.server_playlists import MadePlaylist, publish_playlists

NAMES = ["One", "Two", "Three", "Four", "Five"]
MIX = MadePlaylist("daily-mixes/1", "Daily mix 1", ["t0", "t1", "t2"], "Calm piano")
OTHER = MadePlaylist("daily-mixes/1", "Daily mix 1", ["t3", "t1"], "Loud guitars")


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    table = {
        "track_id": [f"t{n}" for n in range(len(NAMES))],
        "title": NAMES,
        "artist": [f"Artist {n}" for n in range(len(NAMES))],
        "duration_seconds": [60.0 + n for n in range(len(NAMES))],
    }
    run(pa.table(table), tmp_path / "catalog", model=None)
    return tmp_path / "catalog"


@pytest.fixture
def server() -> SubsonicStandIn:
    """A server that has all tracks but the last."""
    made = SubsonicStandIn()
    for n, title in enumerate(NAMES[:-1]):
        made.add(f"s{n}", title=title, artist=f"Artist {n}", duration=60 + n)
    return made


def scanned(url: str, catalog: Path) -> tuple[SubsonicClient, PlayerLinks]:
    client = SubsonicClient(url, Credentials(USER, PASSWORD))
    scan_server(client, catalog, ServerScanOptions(download=False))
    (links,) = every_player(catalog)
    return client, links


def there(server: SubsonicStandIn) -> dict[str, tuple[Any, list[str]]]:
    return {p["name"]: (p.get("comment"), p["songs"]) for p in server.playlists.values()}


def test_a_playlist_is_made_then_kept_up_to_date(catalog: Path, server: SubsonicStandIn) -> None:
    with server.running() as url:
        client, links = scanned(url, catalog)
        first = publish_playlists(client, links, [MIX])
        assert there(server) == {
            "Daily mix 1": ("Calm piano [musicu daily-mixes/1]", ["s0", "s1", "s2"])
        }
        server.calls.clear()
        same = publish_playlists(client, every_player(catalog)[0], [MIX])
        assert not server.calls.keys() & {"createPlaylist", "updatePlaylist"}
        changed = publish_playlists(client, every_player(catalog)[0], [OTHER])
    assert (first.made, same.unchanged, changed.updated) == (["Daily mix 1"],) * 3
    assert there(server) == {"Daily mix 1": ("Loud guitars [musicu daily-mixes/1]", ["s3", "s1"])}


def test_somebodys_playlist_of_that_name_stays(catalog: Path, server: SubsonicStandIn) -> None:
    theirs = {"id": "pl-1", "owner": USER, "name": "Daily mix 1", "songs": ["s3"]}
    server.playlists["pl-1"] = dict(theirs)
    with server.running() as url:
        client, links = scanned(url, catalog)
        for wanted in (MIX, OTHER):
            publish_playlists(client, links, [wanted])
    assert server.playlists["pl-1"] == theirs
    assert there(server)["Daily mix 1 (musicu)"][1] == ["s3", "s1"]
    assert len(server.playlists) == 2


@pytest.mark.parametrize("comment", ["mine now", "[musicu daily-mixes/2]"])
def test_a_playlist_that_somebody_made_their_own_stays(
    catalog: Path, server: SubsonicStandIn, comment: str
) -> None:
    with server.running() as url:
        client, links = scanned(url, catalog)
        publish_playlists(client, links, [MIX])
        server.playlists["pl-1"]["comment"] = comment
        report = publish_playlists(client, links, [OTHER])
    assert there(server)["Daily mix 1"] == (comment, ["s0", "s1", "s2"])
    assert there(server)["Daily mix 1 (musicu)"][1] == ["s3", "s1"]
    assert "another comment" in report.left["Daily mix 1"]


def test_a_mark_alone_is_not_enough(catalog: Path, server: SubsonicStandIn) -> None:
    server.playlists["x"] = {"id": "x", "name": "Old", "comment": MIX.comment, "songs": ["s3"]}
    with server.running() as url:
        client, links = scanned(url, catalog)
        publish_playlists(client, links, [MIX])
    assert server.playlists["x"]["songs"] == ["s3"]


def test_a_playlist_that_was_deleted_there_is_made_again(
    catalog: Path, server: SubsonicStandIn
) -> None:
    with server.running() as url:
        client, links = scanned(url, catalog)
        publish_playlists(client, links, [MIX])
        server.playlists.clear()
        assert publish_playlists(client, links, [MIX]).made == ["Daily mix 1"]


def test_tracks_that_the_server_lacks_are_counted(catalog: Path, server: SubsonicStandIn) -> None:
    both = MadePlaylist("a", "Both", ["t0", "t4"])
    none = MadePlaylist("b", "None", ["t4"])
    with server.running() as url:
        client, links = scanned(url, catalog)
        report = publish_playlists(client, links, [both, none])
    assert (report.missing, report.empty) == ({"Both": 1}, ["None"])
    assert list(there(server)) == ["Both"]


def test_a_server_that_was_not_scanned_is_named(catalog: Path, tmp_path: Path) -> None:
    client = SubsonicClient("http://127.0.0.1:9", Credentials(USER, PASSWORD))
    links = PlayerLinks(tmp_path / "x", client.url, "u")
    with pytest.raises(PlayerError, match="run `musicu scan --subsonic"):
        publish_playlists(client, links, [MIX])


def test_long_playlists_go_in_parts(catalog: Path, server: SubsonicStandIn) -> None:
    asked: list[int] = []
    original = server._updateplaylist

    def counting(query: dict[str, list[str]]) -> dict[str, Any]:
        asked.append(len(query.get("songIdToAdd", [])))
        server.playlists[query["playlistId"][0]]["songs"] += query.get("songIdToAdd", [])
        return original(query)

    server._updateplaylist = counting  # type: ignore[method-assign]
    long = MadePlaylist("long", "Long", ["t0", "t1"] * 200)
    with server.running() as url:
        client, links = scanned(url, catalog)
        publish_playlists(client, links, [long])
        report = publish_playlists(client, links, [long])
    assert there(server)["Long"][1] == ["s0", "s1"] * 200
    assert report.unchanged == ["Long"]
    assert max(asked) <= 150


def test_the_command_sends_a_playlist(
    catalog: Path, server: SubsonicStandIn, tmp_path: Path
) -> None:
    file = tmp_path / "party.m3u8"
    file.write_text("#EXTM3U\n#PLAYLIST:Party\n#EXTINF:60,Artist 0 - One\nx.mp3\n")
    env = {"MUSICU_SUBSONIC_USER": USER, "MUSICU_SUBSONIC_PASSWORD": PASSWORD}
    with server.running() as url:
        scanned(url, catalog)
        words = ["playlist", str(file), "--catalog", str(catalog), "--to-subsonic", url]
        done = CliRunner().invoke(app, words, env=env)
    assert done.exit_code == 0, done.output
    assert "made: Party" in done.output
    assert there(server) == {"Party": ("[musicu playlist/Party]", ["s0"])}


def test_the_mixes_of_a_listener_go_to_the_server(tmp_path: Path) -> None:
    from serving_samples import style_catalog, style_of

    folder = style_catalog(tmp_path / "catalog").path
    server = SubsonicStandIn()
    for row in Catalog.open(folder).tracks().to_pylist():
        server.add(f"nd-{row['track_id']}", title=row["title"], artist=row["artists"][0])
    plays = [f"ann,s{s}-{n:02},2026-05-{n + 1:02}T10:00:00Z,1" for s in (1, 4) for n in range(8)]
    listens = tmp_path / "listens.csv"
    listens.write_text("\n".join(["user_id,track_id,timestamp,weight", *plays]) + "\n")
    env = {"MUSICU_SUBSONIC_USER": USER, "MUSICU_SUBSONIC_PASSWORD": PASSWORD}
    words = ["--listens", str(listens), "--today", "2026-05-20", "-o", str(tmp_path / "page")]
    with server.running() as url:
        scanned(url, folder)
        command = ["shelves", str(folder), *words, "--to-subsonic", url]
        first = CliRunner().invoke(app, command, env=env)
        second = CliRunner().invoke(app, command, env=env)
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    made = there(server)
    mixes = [name for name in made if name.startswith("Daily mix ")]
    assert mixes[:2] == ["Daily mix 1", "Daily mix 2"]
    styles = [Counter(style_of(song[3:]) for song in made[mix][1]) for mix in mixes[:2]]
    assert {each.most_common(1)[0][0] for each in styles} == {1, 4}
    assert made["Daily mix 1"][0].endswith("[musicu daily-mixes/1]")
    assert "unchanged: Daily mix 1" in second.output


def test_shelves_keep_their_names_from_day_to_day() -> None:
    class Made:
        title, about, track_ids = "Calm piano", "Daily mix 1", ("a",)

    shelves: Any = [("daily-mixes", [Made(), Made()]), ("new-for-you", [Made()])]
    found = made_of_shelves(shelves)
    assert [(p.key, p.name) for p in found] == [
        ("daily-mixes/1", "Daily mix 1"),
        ("daily-mixes/2", "Daily mix 2"),
        ("new-for-you/1", "New for you"),
    ]


ROWS = {
    f"t{n}": {
        "track_id": f"t{n}",
        "title": name,
        "artists": [f"Artist {n}"],
        "duration_seconds": 60.0,
        "root": "/music",
        "path": f"a/{name}.flac",
        "path_bytes": None,
    }
    for n, name in enumerate(NAMES)
} | {"fileless": {"track_id": "fileless", "root": None, "path": None}}


def test_mpd_gets_paths_from_its_music_folder(tmp_path: Path) -> None:
    mix = MadePlaylist("daily-mixes/1", "Daily: mix 1", ["t0", "t1", "fileless"])
    report = write_player_files(tmp_path, "mpd", [mix], ROWS)
    text = (tmp_path / "Daily  mix 1.m3u").read_text()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "a/One.flac",
        "a/Two.flac",
    ]
    assert (report.made, report.missing) == (["Daily: mix 1"], {"Daily: mix 1": 1})
    deeper = write_player_files(tmp_path, "mpd", [mix], ROWS, Path("/music/a"))
    assert deeper.updated == ["Daily: mix 1"]
    assert "\nOne.flac\n" in (tmp_path / "Daily  mix 1.m3u").read_text()
    with pytest.raises(PlayerError, match="no folder"):
        write_player_files(tmp_path / "not", "mpd", [mix], ROWS)


def test_jellyfin_gets_m3u8_with_paths_from_the_file(tmp_path: Path) -> None:
    rows = {k: {**v, "root": str(tmp_path)} if v["root"] else v for k, v in ROWS.items()}
    (tmp_path / "lists").mkdir()
    write_player_files(tmp_path / "lists", "jellyfin", [MIX], rows)
    text = (tmp_path / "lists" / "Daily mix 1.m3u8").read_text()
    assert text.startswith("#EXTM3U\n#MUSICU daily-mixes/1 ")
    assert "\n../a/One.flac\n" in text


@pytest.mark.parametrize("change", ["#EXTM3U\nmine.flac\n", "more"])
def test_files_that_are_somebodys_own_stay(tmp_path: Path, change: str) -> None:
    file = tmp_path / "Daily mix 1.m3u"
    write_player_files(tmp_path, "mpd", [MIX], ROWS)
    theirs = file.read_text() + "b/x.flac\n" if change == "more" else change
    file.write_text(theirs)
    report = write_player_files(tmp_path, "mpd", [OTHER], ROWS)
    again = write_player_files(tmp_path, "mpd", [OTHER], ROWS)
    assert file.read_text() == theirs
    assert "a/Four.flac" in (tmp_path / "Daily mix 1 (musicu).m3u").read_text()
    assert "somebody's own" in report.left["Daily mix 1"]
    assert again.unchanged == ["Daily mix 1 (musicu)"]


def test_a_real_server_keeps_a_mix_up_to_date(
    demo_catalog: Path, demo_music: Path, tmp_path: Path
) -> None:
    pytest.importorskip("supysonic", reason="needs Supysonic: pip install supysonic")
    import shutil

    from supysonic_server import PASSWORD as PASS
    from supysonic_server import USER as ANN
    from supysonic_server import supysonic

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    out = Path(shutil.copytree(demo_catalog, tmp_path / "catalog"))
    ids = Catalog.open(out).tracks()["track_id"].to_pylist()
    with supysonic(demo_music, tmp_path) as url:
        client = SubsonicClient(url, Credentials(ANN, PASS))
        client.call("createPlaylist", {"name": "Mine"})
        scan_server(client, out)
        (links,) = every_player(out)
        for tracks in (ids[:3], ids[:3], ids[2:5]):
            publish_playlists(client, links, [MadePlaylist("mix/1", "Mix", tracks, "Calm")])
        listed = client.call("getPlaylists")["playlists"]["playlist"]
        mix = next(p for p in listed if p["name"] == "Mix")
        entries = client.call("getPlaylist", {"id": mix["id"]})["playlist"]["entry"]
    assert sorted(p["name"] for p in listed) == ["Mine", "Mix"]
    assert mix["comment"] == "Calm [musicu mix/1]"
    found = links.songs_of_tracks()
    assert [entry["id"] for entry in entries] == [found[track] for track in ids[2:5]]
