"""A shelf: tracks in order, each with its score and its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from html import escape
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pyarrow as pa

from musicu.catalog.files import write_atomically
from musicu.catalog.rows import track_file
from musicu.items.constraints import Constraints
from musicu.items.exposure_floors import FloorCount
from musicu.playlists.entries import Playlist
from musicu.playlists.playlist_files import write_playlist
from musicu.records import counted
from musicu.shelves.shelf_reasons import Reason
from musicu.shelves.transitions import Transition

FORMAT_VERSION = 1

SHELF = pa.schema(
    [
        ("position", pa.int32()),  # from 1
        ("track_id", pa.string()),
        ("title", pa.string()),
        ("artists", pa.list_(pa.string())),
        ("album", pa.string()),
        ("date", pa.string()),
        ("duration_seconds", pa.float64()),
        ("score", pa.float64()),
        ("reason", pa.string()),  # a sentence
        # what stands behind the sentence; `value` is JSON
        (
            "reasons",
            pa.list_(
                pa.struct([("kind", pa.string()), ("value", pa.string()), ("points", pa.float64())])
            ),
        ),
        ("after", pa.float64()),  # how well it follows the item before, 0 to 1
        ("path", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class ShelfTrack:
    """A track as a shelf shows it; `row` is its row of the catalog's tracks."""

    row: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.track_id!r}, {self.title!r} by {self.artist!r})"

    @property
    def track_id(self) -> str:
        """The track's id."""
        return str(self.row["track_id"])

    @property
    def title(self) -> str:
        """The title, else the file's name without its ending."""
        return title_of(self.row.get("title"), self.row.get("path"), self.track_id)

    @property
    def artist(self) -> str:
        """The performers, else the album's; "Unknown artist" where neither is known."""
        return artist_of(self.row.get("artists"), self.row.get("album_artist"))

    @property
    def year(self) -> str | None:
        """The year of release, as four digits."""
        text = self.row.get("date") or str(self.row.get("released") or "")
        return text[:4] if text[:4].isdigit() else None

    @property
    def file(self) -> Path | None:
        """Where the file lies; None where the tracks came without their paths."""
        row = {"path_bytes": None, **self.row}
        return track_file(row) if row.get("root") is not None and row.get("path") else None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ShelfItem(ShelfTrack):
    """A track on a shelf: its place (from 1), its score, and why it is there.

    after: how it follows the item before it, on a shelf that is ordered to be listened through.
    """

    position: int
    score: float
    reason: str
    reasons: tuple[Reason, ...]
    after: Transition | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Tracks in the order to show or play them, under a title.

    seed: the track that they were chosen for, if it was one.
    about: a line under the title. notes: what people should know of how it was made. name: what
    kind of shelf it is, as exposures call it, such as "daily-mixes-2"; "" where nobody said.
    floors: what exposure floors did to it.
    """

    title: str
    items: tuple[ShelfItem, ...]
    rules: Constraints
    seed: ShelfTrack | None = None
    about: str = ""
    notes: tuple[str, ...] = ()
    name: str = ""
    floors: tuple[FloorCount, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[ShelfItem]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"Shelf({self.title!r}, {counted(len(self), 'track')})"

    def _repr_html_(self) -> str:
        """The shelf as a table, as notebooks show it."""
        rows = "".join(
            f"<tr><td>{item.position}</td><td>{escape(item.title)}</td><td>{escape(item.artist)}"
            f"</td><td>{item.score:.3f}</td><td>{escape(item.reason)}</td></tr>"
            for item in self.items
        )
        head = "<tr><th></th><th>title</th><th>artist</th><th>score</th><th>reason</th></tr>"
        return f"<h4>{escape(self.title)}</h4><table>{head}{rows}</table>"

    @property
    def track_ids(self) -> list[str]:
        """The ids of the tracks, in order."""
        return [item.track_id for item in self.items]

    def to_table(self) -> pa.Table:
        """The shelf as a table with the columns of `SHELF`, a row an item, in order."""
        return pa.Table.from_pylist([_record(item) for item in self.items], schema=SHELF)

    def to_json(self, path: str | Path | None = None) -> str:
        """The shelf as JSON (format 1); also written to `path` where one is given."""
        document = {
            "format": FORMAT_VERSION,
            "title": self.title,
            "about": self.about,
            "notes": list(self.notes),
            "seed": _about(self.seed) if self.seed else None,
            "rules": self._rules(),
            "items": [
                {
                    "position": item.position,
                    **_about(item),
                    "score": item.score,
                    "reason": item.reason,
                    "reasons": _reasons(item),
                    "after": None if item.after is None else asdict(item.after),
                }
                for item in self.items
            ],
        }
        text = json.dumps(document, indent=2, allow_nan=False, default=_plain)
        if path is not None:
            write_atomically(Path(path), lambda to: to.write_text(text + "\n", encoding="utf-8"))
        return text

    def _rules(self) -> dict[str, object]:
        """The constraints; of exposure floors also what they did, a filter as text."""
        where = None if self.rules.where is None else str(self.rules.where)
        rules: dict[str, object] = asdict(replace(self.rules, floors=None, where=None))
        del rules["floors"]
        rules["where"] = where
        if self.rules.floors is None:
            return rules
        counts = [asdict(count) for count in self.floors]
        return {**rules, "floors": {**self.rules.floors.to_dict(), "counts": counts}}

    def to_playlist(
        self, path: str | Path, *, paths: Literal["relative", "absolute"] = "relative"
    ) -> None:
        """Write the shelf as a playlist: .m3u8, .xspf, .jspf or .csv, by the path's ending.

        Raises QueryError where an item has no file or for another ending, CatalogError where the
        disk refuses.
        """
        write_playlist(self.playlist(), path, paths=paths)

    def playlist(self) -> Playlist:
        """The shelf as a playlist, to be written or gathered in a folder."""
        return Playlist.of_tracks(self.title, [item.row for item in self.items])

    def to_html(
        self,
        path: str | Path,
        audio: Literal["relative", "absolute", "embedded", "copied"] = "relative",
        *,
        embed_limit_bytes: int = 100_000_000,
    ) -> list[str]:
        """Write one page with players that works offline, from the disk.

        audio: "relative" names the files as seen from the page (move both together),
            "absolute" names them by their full path, "embedded" puts them into the page, in
            order, as long as they fit into `embed_limit_bytes`, "copied" puts copies into a
            folder `music` beside the page.
        Returns a sentence for each track that cannot be played there, and why; the page says
        the same. Raises PageError where another kind of page lies there, CatalogError where
        the disk refuses.
        """
        from musicu.shelves.shelf_page import write_shelf

        return write_shelf(self, Path(path), audio, embed_limit_bytes)


def title_of(title: str | None, path: str | None, track_id: str) -> str:
    """What a page calls a track: its title, else its file's name without the ending."""
    return title or PurePosixPath(path or track_id).stem


def artist_of(artists: Sequence[str] | None, album_artist: str | None) -> str:
    """Whose a track is, on a page: the performers, else the album's."""
    return ", ".join(filter(None, artists or ())) or album_artist or "Unknown artist"


def _about(track: ShelfTrack) -> dict[str, Any]:
    """What JSON says of a track."""
    known = {name: track.row.get(name) for name in ("title", "artists", "album", "date", "path")}
    return {"track_id": track.track_id, **known, "duration_seconds": _duration(track)}


def _record(item: ShelfItem) -> dict[str, Any]:
    """An item as a row of the table."""
    reasons = [
        {**reason, "value": json.dumps(reason["value"], ensure_ascii=False, default=_plain)}
        for reason in _reasons(item)
    ]
    after = None if item.after is None else item.after.score
    own = {"position": item.position, "score": item.score, "reason": item.reason, "after": after}
    return {**_about(item), **own, "reasons": reasons}


def _reasons(item: ShelfItem) -> list[dict[str, Any]]:
    return [{"kind": r.kind, "value": r.value, "points": r.points} for r in item.reasons]


def _duration(track: ShelfTrack) -> float | None:
    seconds = track.row.get("duration_seconds")
    return float(seconds) if seconds is not None else None


def _plain(value: object) -> object:
    """JSON for sets (sorted) and dates."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} does not go into JSON")


def named_shelves(recipe: str, shelves: Sequence[Shelf]) -> list[Shelf]:
    """The shelves of a recipe that hold something, called as the recipe, by number if several."""
    several = len(shelves) > 1
    return [
        replace(shelf, name=f"{recipe}-{number}" if several else recipe)
        for number, shelf in enumerate(shelves, 1)
        if len(shelf)
    ]
