"""`musicu scan --jellyfin`: a Jellyfin server's songs joined to a catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from click.testing import CliRunner

from musicu.cli.app import app
from musicu.errors import PlayerError
from musicu.pipeline.run import run
from musicu.players import JellyfinServer, ServerScanOptions, every_player, scan_server

KEY = "0123abc"
QUIET = ServerScanOptions(download=False)


class JellyfinStandIn:
    """Users and items as `GET /Users` and `GET /Items` tell them."""

    def __init__(self, count: int) -> None:
        self.users = [{"Id": "u1", "Name": "mia"}]
        self.items = [
            {
                "Id": f"j{n}",
                "Name": f"Title {n}",
                "Artists": [f"Artist {n}"],
                "ArtistItems": [{"Id": f"a{n}", "Name": f"Artist {n}"}],
                "Album": "Album",
                "AlbumId": "al",
                "RunTimeTicks": (60 + n) * 10_000_000,
                "Path": f"/media/{n}.flac",
                "UserData": {"PlayCount": 0, "IsFavorite": False},
            }
            for n in range(count)
        ]
        self.asked: list[str] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                stand_in.asked.append(parts.path)
                good = f'Token="{KEY}"' in self.headers.get("Authorization", "")
                found: Any = stand_in.users
                if parts.path == "/Items":
                    query = parse_qs(parts.query)
                    start, count = int(query["startIndex"][0]), int(query["limit"][0])
                    found = {"Items": stand_in.items[start : start + count]}
                data = json.dumps(found).encode() if good else b""
                self.send_response(200 if good else 401)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    table = {
        "track_id": [f"t{n}" for n in range(3)],
        "title": [f"Title {n}" for n in range(3)],
        "artist": [f"Artist {n}" for n in range(3)],
        "duration_seconds": [60.0 + n for n in range(3)],
    }
    run(pa.table(table), tmp_path / "catalog", model=None)
    return tmp_path / "catalog"


def test_songs_plays_and_favourites_are_read(catalog: Path) -> None:
    stand_in = JellyfinStandIn(4)
    stand_in.items[0]["UserData"] = {
        "PlayCount": 3,
        "LastPlayedDate": "2026-05-01T10:00:00.1234567Z",
    }
    stand_in.items[1]["UserData"] = {"PlayCount": 0, "IsFavorite": True}
    with stand_in.running() as url:
        report = scan_server(JellyfinServer(url, KEY), catalog, QUIET)
        stand_in.items[0]["UserData"]["PlayCount"] = 4
        again = scan_server(JellyfinServer(url, KEY), catalog, QUIET)
    assert (report.songs, report.joined, report.unknown, again.read) == (4, 3, 1, 0)
    (links,) = every_player(catalog)
    assert links.songs_of_tracks() == {f"t{n}": f"j{n}" for n in range(3)}
    told = [(r["track_id"], r["weight"], r["context"]) for r in links.listens.to_pylist()]
    assert sorted(told) == [("t0", 1, "server"), ("t0", 3, "server"), ("t1", 1, "loved")]


def test_a_thousand_songs_take_two_pages(catalog: Path) -> None:
    stand_in = JellyfinStandIn(1_200)
    with stand_in.running() as url:
        assert scan_server(JellyfinServer(url, KEY), catalog, QUIET).songs == 1_200
    assert stand_in.asked.count("/Items") == 2


def test_a_wrong_key_and_several_users_are_said(catalog: Path) -> None:
    stand_in = JellyfinStandIn(1)
    with stand_in.running() as url:
        with pytest.raises(PlayerError, match="refuses the key: check MUSICU_JELLYFIN_API_KEY"):
            scan_server(JellyfinServer(url, "wrong"), catalog, QUIET)
        stand_in.users.append({"Id": "u2", "Name": "ben"})
        with pytest.raises(PlayerError, match="has the users mia, ben: name one"):
            scan_server(JellyfinServer(url, KEY), catalog, QUIET)
        assert scan_server(JellyfinServer(url, KEY, "ben"), catalog, QUIET).songs == 1
    with pytest.raises(PlayerError, match="cannot be reached"):
        scan_server(JellyfinServer("http://127.0.0.1:9", KEY), catalog, QUIET)


def test_the_command_takes_its_key_from_the_environment(catalog: Path) -> None:
    with JellyfinStandIn(3).running() as url:
        words = ["scan", "--jellyfin", url, "-o", str(catalog), "--no-download", "--json"]
        done = CliRunner().invoke(app, words, env={"MUSICU_JELLYFIN_API_KEY": KEY})
        both = CliRunner().invoke(app, [*words, "--subsonic", url])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["joined"] == 3
    assert both.exit_code == 2
