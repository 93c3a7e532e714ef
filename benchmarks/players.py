"""What joining a music server costs, and how fast the service answers in its ids.

    python benchmarks/players.py --songs 30000

Prints seconds of wall clock and processor time of a first and a second join, both beside the
network: the server is a table in memory, which answers as one does. In the first, half of the songs
are joined by path under a mapped root and half by names; before the second, fifty songs were played
and one starred. Then the times of `getSonicSimilarTracks` through the whole application
(count 50, one request after the other), where the service is there.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import tracks_table, vectors_table
from musicu.catalog.store import Change, Store
from musicu.players import Credentials, RootMap, ServerScanOptions, SubsonicClient, scan_server

PER_ALBUM, PER_ARTIST, STYLES, DIM = 12, 30, 60, 256
ROOT, TOKEN = "/home/mia/Music", "benchmark"


class ServerInMemory(SubsonicClient):
    """A server without a network: the calls that a scan makes."""

    def __init__(self, songs: list[dict[str, Any]]) -> None:
        super().__init__("http://localhost:4533", Credentials("mia", "x"))
        self.songs = songs

    def call(self, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        asked = dict(parameters or {})
        if name == "search3":
            start = asked["songOffset"]
            page = [dict(song) for song in self.songs[start : start + asked["songCount"]]]
            return {"searchResult3": {"song": page}}
        if name == "getAlbumList2":
            played = [song for song in self.songs if song.get("played")]
            played.sort(key=lambda song: song["played"], reverse=True)
            ids = list(dict.fromkeys(song["albumId"] for song in played))
            page = ids[asked["offset"] : asked["offset"] + asked["size"]]
            wanted = page if asked["type"] == "recent" else []
            return {"albumList2": {"album": [{"id": album} for album in wanted]}}
        if name == "getAlbum":
            first = int(asked["id"][3:]) * PER_ALBUM
            return {"album": {"song": [dict(s) for s in self.songs[first : first + PER_ALBUM]]}}
        if name == "getStarred2":
            return {"starred2": {"song": [s for s in self.songs if s.get("starred")]}}
        return {"indexes": {"lastModified": 1}} if name == "getIndexes" else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=int, default=30_000)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    folder = Path(tempfile.mkdtemp(prefix="musicu-players-"))
    try:
        make_catalog(folder / "catalog", options.songs, np.random.default_rng(options.seed))
        _joins(folder / "catalog", options.songs)
        _answers(folder / "catalog", options.requests, options.seed)
    finally:
        shutil.rmtree(folder)


def make_catalog(out: Path, count: int, rng: np.random.Generator) -> None:
    """Tracks of some styles, with unit vectors near the centre of each."""
    rows = [
        {
            "track_id": f"{n:016x}",
            "root": ROOT,
            "path": _path(n),
            "content_hash": hashlib.md5(str(n).encode()).hexdigest(),
            "gone": False,
            "complete": True,
            "title": f"Title {n}",
            "artists": [f"Artist {n // PER_ARTIST}"],
            "album": f"Album {n // PER_ALBUM}",
            "duration_seconds": 120.0 + n % 240,
        }
        for n in range(count)
    ]
    centres = rng.standard_normal((STYLES, DIM))
    style = np.arange(count) // PER_ARTIST % STYLES
    values = centres[style] + 1.5 * rng.standard_normal((count, DIM))
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    store = Store.create(out)
    tracks = tracks_table(rows, pa.schema([]))
    hashes = [row["content_hash"] for row in rows]
    vectors = vectors_table(hashes, list(values.astype(np.float32)), [True] * count)
    model = {"benchmark": ModelEntry("0" * 16, DIM)}
    store.commit([Change("tracks", tracks), Change("vectors/benchmark", vectors)], model)


def songs_of(count: int) -> list[dict[str, Any]]:
    """The same as a server tells of them: half with real paths, half with other ones."""
    return [
        {
            "id": hashlib.md5(f"song {n}".encode()).hexdigest(),
            "isDir": False,
            "title": f"Title {n}",
            "artist": f"Artist {n // PER_ARTIST}",
            "artistId": f"ar-{n // PER_ARTIST}",
            "album": f"Album {n // PER_ALBUM}",
            "albumId": f"al-{n // PER_ALBUM}",
            "duration": 120 + n % 240,
            "path": f"/music/{_path(n)}" if n % 2 else f"made/up/{n}.mp3",
            "suffix": "flac",
            "playCount": n % 7,
            **({"played": f"2026-01-01T00:00:{n % 60:02}Z"} if n % 7 else {}),
        }
        for n in range(count)
    ]


def _path(n: int) -> str:
    return f"Artist {n // PER_ARTIST}/Album {n // PER_ALBUM}/{n % PER_ALBUM + 1:02} Title {n}.flac"


def _joins(catalog: Path, count: int) -> None:
    server = ServerInMemory(songs_of(count))
    options = ServerScanOptions([RootMap("/music", Path(ROOT))], download=False)
    print("| join | songs | joined | new or changed | seconds | processor seconds |")
    print("|---|---|---|---|---|---|")
    for name in ("first", "second", "third, the library changed"):
        began, worked = time.perf_counter(), time.process_time()
        report = scan_server(server, catalog, options)
        seconds, processor = time.perf_counter() - began, time.process_time() - worked
        told = (f"{report.songs:,}", f"{report.joined:,}", f"{report.read:,}")
        print(f"| {name} | {' | '.join(told)} | {seconds:.1f} | {processor:.1f} |", flush=True)
        for song in server.songs[:50]:
            song["playCount"] = song.get("playCount", 0) + 1
            song["played"] = "2026-06-01T00:00:00Z"
        server.songs[7]["starred"] = "2026-06-01T00:00:00Z"
        if name == "second":
            server.songs.append(
                {"id": "new", "title": "New", "artist": "Nobody", "albumId": "al-x"}
            )
            server.call = _later(server.call)  # type: ignore[method-assign]


def _later(call: Any) -> Any:
    def answer(name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = call(name, parameters)
        return {"indexes": {"lastModified": 2}} if name == "getIndexes" else found

    return answer


def _answers(catalog: Path, requests: int, seed: int) -> None:
    from fastapi.testclient import TestClient

    from musicu.serving.application import create_application
    from musicu.serving.service import Service
    from musicu.serving.service_config import ServiceConfig

    config = ServiceConfig(token=TOKEN, read_only=True, hosts=("testserver",))
    count = len(Catalog.open(catalog).identities())
    rng = np.random.default_rng(seed)
    ids = [hashlib.md5(f"song {n}".encode()).hexdigest() for n in rng.integers(0, count, requests)]
    with TestClient(create_application(Service(catalog, config))) as client:
        times = {}
        for form, more in (("JSON", {"f": "json"}), ("XML", {})):
            took = []
            for song in ids:
                asked = {"apiKey": TOKEN, "id": song, "count": "50", **more}
                began, worked = time.perf_counter(), time.process_time()
                answer = client.get("/rest/getSonicSimilarTracks", params=asked)
                took.append([time.perf_counter() - began, time.process_time() - worked])
                assert answer.text.count("similarity") == 50, answer.text[:300]
            times[form] = 1000 * np.percentile(took[10:], [50, 99], axis=0)
    print("\n| getSonicSimilarTracks, 50 songs | median ms | p99 ms | processor: median | p99 |")
    print("|---|---|---|---|---|")
    for form, told in times.items():
        (median, usual), (last, most) = told.tolist()
        print(f"| {form} | {median:.1f} | {last:.1f} | {usual:.1f} | {most:.1f} |")


if __name__ == "__main__":
    main()
