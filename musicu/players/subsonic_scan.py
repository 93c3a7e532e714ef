"""A music server's songs, joined to a catalog; what its listener played and starred, as listens.

Nothing on the server is changed. All that was read is written at the end, in one step for each
file: a run that fails or is stopped leaves what was there before.
"""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.catalog.manifest import CONTENT_KEY
from musicu.catalog.store import Store
from musicu.errors import PlayerError
from musicu.listening.pseudonyms import KEY_FILE, listener_key, pseudonyms
from musicu.pipeline.run import EmbedOptions
from musicu.players.downloading import WantedSong, embed_songs, sound_model
from musicu.players.player_links import SONGS, PlayerLinks, links_of
from musicu.players.server_listens import listens_after
from musicu.players.server_songs import MusicServer, ServerSong, SongPlays, SubsonicServer
from musicu.players.song_joining import RootMap, join_songs, local_file
from musicu.players.subsonic_client import SubsonicClient
from musicu.records import counted

#: Members of a child record that say which track it is; where they are as before, so is its track.
_TELLING = (
    *("path", "title", "artist", "artists", "album", "duration", "musicBrainzId", "isrc"),
    *("size", "suffix"),
)
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ServerScanOptions:
    """How a server is read.

    roots: where its folders lie here. download: fetch songs whose files are not at hand, to embed
    them. force: read and join everything again. retry_failed: fetch songs again that failed.
    embed: how what is fetched is embedded.
    """

    roots: Sequence[RootMap] = ()
    download: bool = True
    force: bool = False
    retry_failed: bool = False
    embed: EmbedOptions = field(default_factory=EmbedOptions)


@dataclass(slots=True)
class ServerScanReport:
    """What became of a server's songs.

    songs: that it has; read: that were told anew; joined: that are tracks of the catalog, `by` by
    what, of those looked up now; embedded: from what the server sent; failed: song id → why;
    here: whose files lie under a mapped root, without being in the catalog; unknown: that are no
    track; vanished: whose ids the server has dropped since; lies: paths that lead to files of
    other names; listens: rows in `listens_file`, `new_plays` of which are new.
    """

    name: str = ""
    songs: int = 0
    read: int = 0
    joined: int = 0
    by: Counter[str] = field(default_factory=Counter)
    embedded: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    here: int = 0
    unknown: int = 0
    vanished: int = 0
    lies: int = 0
    listens: int = 0
    new_plays: int = 0
    listens_file: Path = field(default_factory=Path)
    seconds: float = 0.0


def scan_server(
    client: SubsonicClient | MusicServer,
    catalog: str | Path,
    options: ServerScanOptions | None = None,
) -> ServerScanReport:
    """Join a server's songs to the catalog folder, which is made where there is none.

    Raises PlayerError where the server refuses or cannot be reached; nothing is changed then.
    """
    began, options = time.monotonic(), options or ServerScanOptions()
    folder = Path(catalog)
    server = SubsonicServer(client) if isinstance(client, SubsonicClient) else client
    name = server.user_name()
    store = Store.create(folder)
    key = listener_key(store.folder / KEY_FILE)
    user_id = pseudonyms(pa.array([name]), key)[0].as_py()
    scan = _ServerScan(server, folder, links_of(folder, server.url, user_id), options)
    scan.read()
    scan.join()
    if options.download:
        scan.fetch()
    scan.finish()
    scan.report.seconds = time.monotonic() - began
    return scan.report


class _ServerScan:
    """One run: the rows of SONGS by id, as they were and as they become."""

    def __init__(
        self, server: MusicServer, catalog: Path, links: PlayerLinks, options: ServerScanOptions
    ) -> None:
        self._server, self._catalog, self._links = server, catalog, links
        self._options = options
        self._rows: dict[str, _Row] = {r["song_id"]: r for r in links.songs.to_pylist()}
        self._counted = _plays_of_tracks(self._rows.values())
        self._changed: set[str] = set()  # songs whose track may be another than before
        self.report = ServerScanReport(links.name, listens_file=links.listens_file)

    def read(self) -> None:
        """Ask the server for what has changed."""
        state = self._server.library_state()
        same = state.is_known and state == self._links.library and not self._options.force
        live = {i: _plays(row) for i, row in self._rows.items() if row["missed"] is None}
        if same and live:
            changed = self._server.changed_plays(live)
            for song_id, plays in changed.items():
                self._rows[song_id].update(_played(plays))
            self.report.read = len(changed)
        else:
            self._take(self._server.all_songs(), bool(live))
        self._links.library = state

    def _take(self, songs: Sequence[ServerSong], before: bool) -> None:
        if not songs and before:
            raise PlayerError(
                f"{self._server.url} says that it has no songs, and it had {len(self._rows):,}: "
                "nothing was changed; run again when its music is back"
            )
        for song in songs:
            old = self._rows.get(song.song_id)
            child = json.dumps(song.child, ensure_ascii=False, separators=(",", ":"))
            if old is None or old["child"] != child or old["missed"] is not None:
                self.report.read += 1
                if old is None or self._options.force or _told(old["child"]) != _told(child):
                    self._changed.add(song.song_id)
            row = old or dict.fromkeys(SONGS.names)
            row |= {"song_id": song.song_id, "child": child, "missed": None}
            self._rows[song.song_id] = row | _played(song.plays)
        here, now = {song.song_id for song in songs}, datetime.now(timezone.utc)
        for song_id, row in self._rows.items():
            if song_id not in here and row["missed"] is None:
                row["missed"] = now
                self.report.vanished += 1

    def join(self) -> None:
        """Look up the songs that are new, changed, or without a track in a changed catalog."""
        store = Store.open(self._catalog)
        fresh = store.manifest.sequence != self._links.catalog_sequence
        ids = _track_ids(store) if fresh else None
        wanted = {
            song_id: json.loads(row["child"])
            for song_id, row in self._rows.items()
            if row["missed"] is None
            and (
                song_id in self._changed
                or (ids is not None and (row["track_id"] is None or row["track_id"] not in ids))
            )
        }
        if not wanted:
            return
        tracks = Catalog.open(self._catalog).tracks()
        joined = join_songs(wanted, tracks, self._options.roots)
        names = tracks["track_id"]
        for song_id in wanted:
            match = joined.found.get(song_id)
            if match is not None:
                found = {"track_id": names[match.row].as_py(), "by": match.by, "failed": None}
                self._rows[song_id].update(found)
            elif self._rows[song_id]["by"] != "download":
                self._rows[song_id].update({"track_id": None, "by": None})
        self.report.by, self.report.lies = joined.by, joined.lies

    def fetch(self) -> None:
        """Embed the songs whose files are not at hand."""
        catalog = Catalog.open(self._catalog)
        model = sound_model(catalog)
        wanted = [song for song in self._without_sound(catalog, model) if not self._is_here(song)]
        if not wanted:
            return
        done = embed_songs(self._server, wanted, self._catalog, model, self._options.embed)
        for song_id, track_id in done.tracks.items():
            self._rows[song_id].update({"track_id": track_id, "by": "download", "failed": None})
        for song_id, reason in done.failed.items():
            self._rows[song_id]["failed"] = reason
        self.report.embedded, self.report.failed = len(done.tracks), done.failed

    def _without_sound(self, catalog: Catalog, model: str) -> list[WantedSong]:
        """Songs that are no track, or a track without a file and without a vector."""
        deaf = _deaf_tracks(catalog, model)
        return [
            WantedSong(song_id, str(json.loads(row["child"]).get("suffix") or ""), row["track_id"])
            for song_id, row in self._rows.items()
            if row["missed"] is None
            and (row["track_id"] is None or row["track_id"] in deaf)
            and (row["failed"] is None or self._options.retry_failed)
        ]

    def _is_here(self, song: WantedSong) -> bool:
        path = json.loads(self._rows[song.song_id]["child"]).get("path")
        file = local_file(str(path or ""), self._options.roots)
        found = file is not None and file.is_file()
        self.report.here += found
        return found

    def finish(self) -> None:
        """Make listens of plays, and write what is known now."""
        live = [row for row in self._rows.values() if row["missed"] is None]
        plays: dict[str, list[SongPlays]] = defaultdict(list)
        for row in live:
            if row["track_id"] is not None:
                plays[row["track_id"]].append(_plays(row))
        for row in self._rows.values():
            if row["missed"] is not None and row["track_id"] in plays:
                row["play_count"] = 0  # its successor counts on
        links, before = self._links, self._links.listens.num_rows
        links.listens = listens_after(links.listens, links.user_id, self._counted, plays)
        links.songs = pa.Table.from_pylist(
            sorted(self._rows.values(), key=lambda row: row["song_id"]), schema=SONGS
        )
        links.catalog_sequence = Store.open(self._catalog).manifest.sequence
        links.save()
        report = self.report
        report.songs, report.listens = len(live), links.listens.num_rows
        report.new_plays = links.listens.num_rows - before
        report.joined = sum(row["track_id"] is not None for row in live)
        report.unknown = len(live) - report.joined


def report_sentence(report: ServerScanReport) -> str:
    """A report in a line, for people."""
    ways = ", ".join(f"{n:,} by {way}" for way, n in report.by.most_common())
    parts = [f"{report.joined:,} of {counted(report.songs, 'song')} are in the catalog"]
    parts += [ways] if ways else []
    told = (
        (report.embedded, "embedded from the server"),
        (len(report.failed), "failed"),
        (report.vanished, "vanished from the server, and remembered"),
    )
    parts += [f"{n:,} {words}" for n, words in told if n]
    parts.append("nothing new" if not report.read else f"{report.read:,} new or changed")
    parts.append(counted(report.listens, "listen"))
    return f"{report.name}: {'; '.join(parts)} in {report.seconds:.1f} s"


def report_warnings(report: ServerScanReport) -> Iterable[str]:
    """A sentence for each thing that people should know of."""
    if report.lies:
        yield (
            f"{counted(report.lies, 'path')} of the server lead to files of other names or "
            "lengths: joined by names instead (Navidrome tells real paths where the player's "
            "setting 'Report Real Path' is on)"
        )
    if report.here:
        yield (
            f"{counted(report.here, 'song')} lie under a mapped root and are not in the catalog: "
            "run `musicu embed` on that folder"
        )
    left = report.unknown - report.here
    if left > 0 and not report.failed:
        yield f"{counted(left, 'song')} of the server are in no track of the catalog"
    for song_id, reason in list(report.failed.items())[:5]:
        yield f"song {song_id}: {reason}"


def _plays(row: Mapping[str, Any]) -> SongPlays:
    return SongPlays(row["play_count"] or 0, row["played"], row["starred"])


def _played(plays: SongPlays) -> _Row:
    return {"play_count": plays.count, "played": plays.played, "starred": plays.starred}


def _told(child: str) -> list[Any]:
    record = json.loads(child)
    return [record.get(name) for name in _TELLING]


def _plays_of_tracks(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for row in rows:
        if row["track_id"] is not None:
            sums[row["track_id"]] += row["play_count"] or 0
    return dict(sums)


def _track_ids(store: Store) -> set[str]:
    tracks = store.read("tracks", ["track_id"])
    return set() if tracks is None else set(tracks["track_id"].to_pylist())


def _deaf_tracks(catalog: Catalog, model: str) -> set[str]:
    """Tracks that have no file, and no vector of a model that reads sound."""
    tracks = catalog.columns(("track_id", "path"))
    fileless = tracks.filter(tracks["path"].is_null())["track_id"].to_pylist()
    if not fileless:
        return set()
    held = model in catalog.models() and catalog.model_entry(model)[1].key == CONTENT_KEY
    heard = set(catalog.vectors(model).ids.tolist()) if held else set()
    return set(fileless) - heard
