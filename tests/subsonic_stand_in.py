"""An OpenSubsonic server of made songs: checks tokens and keys, pages, and can lie.

What Supysonic lacks is here: play counts, tokens, keys, thousands of songs.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD, KEY = "mia", "s3cret", "key-1"
Record = dict[str, Any]


class RefusedError(Exception):
    def __init__(self, code: int, message: str = "no") -> None:
        super().__init__(message)
        self.code = code


class SubsonicStandIn:
    """songs: child records by id; files: what `download` sends. calls: how often each was asked."""

    def __init__(self) -> None:
        self.songs: dict[str, Record] = {}
        self.files: dict[str, Path] = {}
        self.playlists: dict[str, Record] = {}
        self.modified = 1
        self.calls: Counter[str] = Counter()
        self.takes_tokens = True
        self.searches = True

    def add(self, song_id: str, file: Path | None = None, **child: Any) -> None:
        album = child.pop("albumId", "al-1")
        self.songs[song_id] = {"id": song_id, "albumId": album, "isDir": False, **child}
        if file is not None:
            self.files[song_id] = file
            self.songs[song_id].setdefault("suffix", file.suffix[1:])
        self.modified += 1

    def play(self, song_id: str, times: int, moment: str) -> None:
        song = self.songs[song_id]
        song["playCount"], song["played"] = song.get("playCount", 0) + times, moment

    def answer(self, name: str, query: dict[str, list[str]]) -> Record | Path:
        self.calls[name] += 1
        self._authorise(query)
        found: Record | Path = getattr(self, f"_{name.lower()}")(query)
        return found

    def _authorise(self, query: dict[str, list[str]]) -> None:
        if "apiKey" in query:
            if query["apiKey"] != [KEY]:
                raise RefusedError(44, "Invalid API key")
            return
        if query.get("u") != [USER]:
            raise RefusedError(40, "Wrong username or password")
        if "p" in query:
            good = query["p"][0] == f"enc:{PASSWORD.encode().hex()}"
        elif not self.takes_tokens:
            raise RefusedError(41, "Token authentication not supported")
        else:
            token = hashlib.md5((PASSWORD + query["s"][0]).encode()).hexdigest()
            good = query["t"] == [token]
        if not good:
            raise RefusedError(40, "Wrong username or password")

    def _ping(self, query: Any) -> Record:
        return {}

    def _tokeninfo(self, query: Any) -> Record:
        return {"tokenInfo": {"username": USER}}

    def _getindexes(self, query: Any) -> Record:
        return {"indexes": {"lastModified": self.modified, "ignoredArticles": ""}}

    def _search3(self, query: dict[str, list[str]]) -> Record:
        if not self.searches:
            return {"searchResult3": {}}
        start, count = int(query["songOffset"][0]), int(query["songCount"][0])
        return {"searchResult3": {"song": list(self.songs.values())[start : start + count]}}

    def _getalbumlist2(self, query: dict[str, list[str]]) -> Record:
        start, size = int(query["offset"][0]), int(query["size"][0])
        ids = list(dict.fromkeys(song["albumId"] for song in self.songs.values()))
        if query["type"] == ["recent"]:
            last = {a: max(s.get("played", "") for s in self._of(a)) for a in ids}
            ids = sorted((a for a in ids if last[a]), key=lambda a: last[a], reverse=True)
        page = [{"id": a, "songCount": len(self._of(a))} for a in ids[start : start + size]]
        return {"albumList2": {"album": page}}

    def _of(self, album: str) -> list[Record]:
        return [song for song in self.songs.values() if song["albumId"] == album]

    def _getalbum(self, query: dict[str, list[str]]) -> Record:
        return {"album": {"id": query["id"][0], "song": self._of(query["id"][0])}}

    def _getstarred2(self, query: Any) -> Record:
        return {"starred2": {"song": [s for s in self.songs.values() if "starred" in s]}}

    def _download(self, query: dict[str, list[str]]) -> Path:
        if query["id"][0] not in self.files:
            raise RefusedError(70, "not found")
        return self.files[query["id"][0]]

    def _getplaylists(self, query: Any) -> Record:
        return {"playlists": {"playlist": [self._shown(p) for p in self.playlists.values()]}}

    def _shown(self, playlist: Record) -> Record:
        return {k: v for k, v in playlist.items() if k != "songs"}

    def _getplaylist(self, query: dict[str, list[str]]) -> Record:
        playlist = self.playlists.get(query["id"][0])
        if playlist is None:
            raise RefusedError(70, "not found")
        entries = [self.songs[song] for song in playlist["songs"]]
        return {"playlist": {**self._shown(playlist), "entry": entries}}

    def _createplaylist(self, query: dict[str, list[str]]) -> Record:
        playlist_id = query.get("playlistId", [f"pl-{len(self.playlists) + 1}"])[0]
        known = self.playlists.setdefault(playlist_id, {"id": playlist_id, "owner": USER})
        known["songs"] = query.get("songId", [])
        if "name" in query:
            known["name"] = query["name"][0]
        return {"playlist": self._shown(known)}

    def _updateplaylist(self, query: dict[str, list[str]]) -> Record:
        playlist = self.playlists[query["playlistId"][0]]
        playlist.update({k: query[k][0] for k in ("name", "comment") if k in query})
        return {}

    @contextmanager
    def running(self) -> Iterator[str]:
        """The address of the server, as long as it runs."""
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                name = parts.path.removeprefix("/rest/").removesuffix(".view")
                try:
                    found = stand_in.answer(name, parse_qs(parts.query, keep_blank_values=True))
                    body: Record = {"status": "ok"}
                except RefusedError as error:
                    found = {"error": {"code": error.code, "message": str(error)}}
                    body = {"status": "failed"}
                if isinstance(found, Path):
                    self._send(found.read_bytes(), "application/octet-stream")
                    return
                whole = {"subsonic-response": {**body, "version": "1.16.1", **found}}
                self._send(json.dumps(whole).encode(), "application/json")

            def _send(self, data: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
