"""Songs whose files are not at hand, embedded from what the server sends.

A few are fetched at a time into a temporary folder and embedded there into a catalog of their own,
as `musicu embed` does it; then their tags and vectors come into the catalog, and the files go. A
run that is stopped keeps what it has finished.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.catalog.compaction import compact
from musicu.catalog.incomplete import heard_seconds
from musicu.catalog.manifest import CONTENT_KEY
from musicu.catalog.rows import vectors_table
from musicu.catalog.schema import METADATA
from musicu.catalog.store import Change, Store
from musicu.embeddings.cards import DEFAULT_MODEL
from musicu.errors import PlayerError
from musicu.ingest.source_file import derived_id
from musicu.ingest.table_import import import_rows
from musicu.pipeline.run import EmbedOptions, run
from musicu.players.server_songs import MusicServer
from musicu.progress import tell

SONGS_AT_ONCE = 64
_DOWNLOADS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class WantedSong:
    """A song to be fetched. track_id: the track without sound that it is; None for a new one."""

    song_id: str
    suffix: str
    track_id: str | None = None


@dataclass(slots=True)
class Embedded:
    """What came of songs. tracks: song id → track id. failed: song id → why."""

    tracks: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def sound_model(catalog: Catalog) -> str:
    """The model that songs are embedded with: the catalog's default where it reads sound."""
    name = catalog.default_model
    if name is not None and catalog.model_entry(name)[1].key == CONTENT_KEY:
        return name
    heard = [m for m in catalog.models() if catalog.model_entry(m)[1].key == CONTENT_KEY]
    return heard[0] if heard else DEFAULT_MODEL


def embed_songs(
    server: MusicServer,
    songs: Sequence[WantedSong],
    catalog: Path,
    model: str,
    options: EmbedOptions,
) -> Embedded:
    """Fetch and embed songs into a catalog; one that cannot be is counted and stops no other."""
    done = Embedded()
    for start in range(0, len(songs), SONGS_AT_ONCE):
        tell("fetching and embedding songs", start, len(songs), "songs", len(done.failed))
        part = songs[start : start + SONGS_AT_ONCE]
        with tempfile.TemporaryDirectory(prefix="musicu-songs-") as folder:
            _embed_part(server, part, Path(folder), catalog, (model, options), done)
    return done


def song_track_id(url: str, song_id: str) -> str:
    """The id of a track that is known from a server alone."""
    return derived_id(f"{url}\n{song_id}".encode())


def _embed_part(
    server: MusicServer,
    songs: Sequence[WantedSong],
    folder: Path,
    catalog: Path,
    how: tuple[str, EmbedOptions],
    done: Embedded,
) -> None:
    files = _fetched(server, songs, folder, done)
    if not files:
        return
    ids = {s.song_id: s.track_id or song_track_id(server.url, s.song_id) for s in songs}
    names = {ids[song_id]: song_id for song_id in files}
    given = pa.table(
        {"track_id": list(names), "path": [str(files[song]) for song in names.values()]}
    )
    report = run(given, folder / "catalog", model=how[0], options=how[1])
    for failure in report.failures:
        done.failed[names[failure["track_id"]]] = f"{failure['reason']} ({failure['stage']})"
    standing = _take_in(Catalog.open(folder / "catalog"), catalog, how[0])
    good = {t: song for t, song in names.items() if song not in done.failed}
    done.tracks.update({song: standing.get(t, t) for t, song in good.items()})


def _fetched(
    server: MusicServer, songs: Sequence[WantedSong], folder: Path, done: Embedded
) -> dict[str, Path]:
    """The files that the server sent, by song; why it did not send others is noted."""

    def fetch(numbered: tuple[int, WantedSong]) -> Path | str:
        number, song = numbered
        file = folder / f"{number:04d}.{_plain(song.suffix)}"
        try:
            server.download(song.song_id, file)
        except PlayerError as error:
            return str(error)
        return file

    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as threads:
        found = list(threads.map(fetch, enumerate(songs)))
    pairs = list(zip(songs, found, strict=True))
    done.failed.update((s.song_id, one) for s, one in pairs if isinstance(one, str))
    return {s.song_id: one for s, one in pairs if isinstance(one, Path)}


def _take_in(made: Catalog, catalog: Path, model: str) -> dict[str, str]:
    """Bring tracks and vectors over; the ids of tracks whose sound the catalog has already."""
    vectors = made.vectors(model)
    rows = _heard(made, vectors.ids.tolist())
    if not rows.num_rows:
        return {}
    hashes = rows["content_hash"].to_pylist()
    with Store.writing(catalog) as store:
        standing = _tracks_of_sounds(store, rows)
        entry = {model: made.model_entry(model)[1]}
        seconds = heard_seconds(Store.open(made.path))
        complete, heard = rows["complete"].to_pylist(), [seconds.get(each) for each in hashes]
        table = vectors_table(hashes, list(vectors.values), complete, heard)
        store.commit([Change(f"vectors/{model}", table)], entry)
        new = rows.filter(pa.array([t not in standing for t in rows["track_id"].to_pylist()]))
        if new.num_rows:
            import_rows(store, new)
        compact(store, f"vectors/{model}", CONTENT_KEY)
    return standing


def _heard(made: Catalog, ids: Sequence[str]) -> pa.Table:
    """The tracks that have a vector, in its order, without where their files lay."""
    tracks = made.tracks()
    names = ["track_id", "content_hash", "complete", *METADATA.names]
    places = pc.index_in(pa.array(ids, pa.string()), tracks["track_id"].combine_chunks())
    return tracks.select(names).take(places)


def _tracks_of_sounds(store: Store, rows: pa.Table) -> dict[str, str]:
    """New ids whose sound a track of the catalog has already → that track's id."""
    tracks = store.read("tracks", ["track_id", "content_hash"])
    if tracks is None:
        return {}
    known: Mapping[Any, Any] = dict(
        zip(tracks["content_hash"].to_pylist(), tracks["track_id"].to_pylist(), strict=True)
    )
    held = set(tracks["track_id"].to_pylist())
    pairs = zip(rows["track_id"].to_pylist(), rows["content_hash"].to_pylist(), strict=True)
    return {t: known[sound] for t, sound in pairs if sound in known and t not in held}


def _plain(suffix: str) -> str:
    """An ending that a file can have."""
    return re.sub(r"[^A-Za-z0-9]", "", suffix)[:8].lower() or "mp3"
