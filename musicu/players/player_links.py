"""What a catalog remembers of a music server: `players/<name>/` in the catalog's folder.

    songs.parquet      a row a song: its id there, the track it is, and what the server says of it
    listens.parquet    its listener's plays and stars, in the columns of LISTENS
    playlists.json     the playlists there that musicu made
    server.json        format, address, the listener's pseudonym, the state of the library

A song whose id has vanished keeps its row, with the moment when it was missed. Each server, and
each of its listeners, has a folder of its own, so that several stand beside each other.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.catalog.files import plain_errors, write_atomically
from musicu.errors import CatalogError
from musicu.listening.listens import LISTENS
from musicu.players.server_songs import LibraryState

FOLDER = "players"
FORMAT_VERSION = 1
_STATE, _PLAYLISTS = "server.json", "playlists.json"
_SONGS, _LISTENS = "songs.parquet", "listens.parquet"

#: A row a song. track_id: null where it is no track of the catalog; by: what it was joined by.
SONGS = pa.schema(
    [
        pa.field("song_id", pa.string(), nullable=False),
        ("track_id", pa.string()),
        ("by", pa.string()),
        ("child", pa.string()),  # JSON, as the server tells it, without what its listener did
        ("play_count", pa.int64()),
        ("played", pa.string()),
        ("starred", pa.string()),
        ("failed", pa.string()),  # why its file could not be had or embedded
        ("missed", pa.timestamp("us", "UTC")),  # since when the server does not know its id
    ]
)


@dataclass(frozen=True, slots=True)
class RememberedPlaylist:
    """A playlist that musicu made. marked: whether the server keeps the comment that says so."""

    playlist_id: str
    marked: bool = True


@dataclass(slots=True)
class PlayerLinks:
    """One server's folder, read. name: of the folder; url: of the server.

    user_id: the listener's pseudonym. songs: the columns of SONGS. playlists: those that
    musicu made there, by the key of what each holds. catalog_sequence: the state of the
    catalog that songs were joined to.
    """

    folder: Path
    url: str
    user_id: str
    songs: pa.Table = field(default_factory=SONGS.empty_table)
    listens: pa.Table = field(default_factory=LISTENS.empty_table)
    playlists: dict[str, RememberedPlaylist] = field(default_factory=dict)
    library: LibraryState = field(default_factory=LibraryState)
    catalog_sequence: int = -1

    @property
    def name(self) -> str:
        """The name of the server's folder."""
        return self.folder.name

    @property
    def listens_file(self) -> Path:
        """The table of the listener's plays and stars."""
        return self.folder / _LISTENS

    def save(self) -> None:
        """Write what was read and joined: tables first, then the state that speaks of them."""
        for name, table in ((_SONGS, self.songs), (_LISTENS, self.listens)):
            _write_table(self.folder / name, table)
        state = {
            "format": FORMAT_VERSION,
            "url": self.url,
            "user_id": self.user_id,
            "library": {"modified": self.library.modified, "newest": self.library.newest},
            "catalog_sequence": self.catalog_sequence,
        }
        _write_json(self.folder / _STATE, state)

    def save_playlists(self) -> None:
        """Write which playlists are musicu's."""
        told = {k: {"id": p.playlist_id, "marked": p.marked} for k, p in self.playlists.items()}
        _write_json(self.folder / _PLAYLISTS, told)

    def songs_of_tracks(self) -> dict[str, str]:
        """The server's id of each track that it has, by the catalog's; the first of several."""
        known = pc.and_(pc.is_null(self.songs["missed"]), pc.is_valid(self.songs["track_id"]))
        here = self.songs.filter(known)
        pairs = zip(here["track_id"].to_pylist(), here["song_id"].to_pylist(), strict=True)
        return dict(reversed(list(pairs)))


def links_of(catalog: Path, url: str, user_id: str) -> PlayerLinks:
    """What a catalog remembers of a server and one of its listeners; nothing where it is new."""
    folder = catalog / FOLDER / _folder_name(url, user_id)
    return read_links(folder) if (folder / _STATE).is_file() else PlayerLinks(folder, url, user_id)


def every_player(catalog: Path) -> list[PlayerLinks]:
    """All servers that a catalog knows, by their folders' names."""
    states = sorted((catalog / FOLDER).glob(f"*/{_STATE}"))
    return [read_links(path.parent) for path in states]


def forget_players(catalog: Path, ids: Collection[str]) -> dict[Path, int]:
    """Remove what is remembered of servers for some listeners, given by pseudonym.

    Returns each folder that went, with its rows of songs and listens. What was joined for others
    stays; a listener's own songs are read again by the next scan.
    """
    gone = {}
    for links in every_player(catalog):
        if links.user_id in ids:
            gone[links.folder] = links.songs.num_rows + links.listens.num_rows
            with plain_errors(links.folder):
                (links.folder / _STATE).unlink()  # first: without it nobody looks for the rest
                shutil.rmtree(links.folder)
    return gone


def read_links(folder: Path) -> PlayerLinks:
    """Read a server's folder; raises CatalogError where it is damaged or of a newer version."""
    state = _read_json(folder / _STATE)
    found = state.get("format")
    if not isinstance(found, int) or found > FORMAT_VERSION:
        raise CatalogError(
            f"{folder} has format {found}, and this musicu reads up to {FORMAT_VERSION}: install a "
            "newer one"
        )
    try:
        return PlayerLinks(
            folder,
            str(state["url"]),
            str(state["user_id"]),
            _read_table(folder / _SONGS, SONGS),
            _read_table(folder / _LISTENS, LISTENS),
            {
                str(key): RememberedPlaylist(str(told["id"]), bool(told["marked"]))
                for key, told in _read_json(folder / _PLAYLISTS).items()
            },
            LibraryState(**state["library"]),
            int(state["catalog_sequence"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / _STATE, error) from error


def _folder_name(url: str, user_id: str) -> str:
    parts = urlsplit(url)
    place = re.sub(r"[^a-z0-9.]+", "-", f"{parts.netloc}{parts.path}".lower()).strip("-.")
    digest = hashlib.blake2b(f"{url}\n{user_id}".encode(), digest_size=4).hexdigest()
    return f"{place[:60]}-{digest}"


def _write_table(path: Path, table: pa.Table) -> None:
    write_atomically(path, lambda to: pq.write_table(table, to, compression="zstd"))


def _write_json(path: Path, document: Any) -> None:
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8"))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error
    if not isinstance(found, dict):
        raise _damaged(path, "it holds no object")
    return found


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        return schema.empty_table()
    try:
        with pq.ParquetFile(path) as file:
            return file.read().select(schema.names).cast(schema)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: object) -> CatalogError:
    return CatalogError(
        f"{path} is damaged ({error}): remove the folder {path.parent} and scan the server again"
    )
