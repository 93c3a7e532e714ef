"""From files of listens to one table that a catalog understands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq

from musicu.catalog.files import write_atomically
from musicu.errors import SourceError
from musicu.listening.importers.notes import ReadingNotes
from musicu.listening.importers.reading import ReadingOptions, read_listens
from musicu.listening.listen_matching import WAYS, Matcher, Matches
from musicu.listening.listens import LISTENS, latest, undated_before_sound
from musicu.listening.pseudonyms import pseudonyms
from musicu.progress import tell, tracked
from musicu.records import counted

ME = "me"

_Unmatched = tuple["str | None", "str | None", "str | None", "str | None", "str | None"]
_NAMED = ("artist", "title", "album", "isrc", "recording_mbid")


@dataclass(slots=True)
class ListenImport:
    """What became of the listens of some files.

    listens: written, of which `undated` have no moment, or none that can be read. read: found in
    the files. weightless: left out, as their weight is 0 or no number. future: left out, as they
    are later than a day from now. early: undated, as their moment is before sound was recorded.
    notes: what the readers left out, and were not sure of. matched: how many by each of
    `matching.WAYS`. ambiguous: of those by name, how many fit several recordings. unmatched: what
    could not be matched and how often, the most frequent first. listeners: how many there are.
    """

    read: int = 0
    listens: int = 0
    weightless: int = 0
    future: int = 0
    early: int = 0
    undated: int = 0
    ambiguous: int = 0
    matched: dict[str, int] = field(default_factory=dict)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmatched: Counter[_Unmatched] = field(default_factory=Counter)
    listeners: int = 0
    notes: ReadingNotes = field(default_factory=ReadingNotes)

    def summary(self) -> str:
        """A line for people."""
        ways = ", ".join(f"{n:,} by {way}" for way, n in self.matched.items() if n)
        missing = sum(self.unmatched.values())
        read, listeners = counted(self.read, "listen"), counted(self.listeners, "listener")
        strangers = counted(len(self.unmatched), "track")
        parts = [f"{self.listens:,} of {read} by {listeners}"]
        parts += [ways] if ways else []
        if self.taken:
            (said, name), _ = self.taken.most_common(1)[0]
            parts.append(f"spelled otherwise, such as {said!r} for {name!r}")
        parts += [f"{missing:,} unmatched ({strangers})"] if missing else []
        parts += [f"{self.ambiguous:,} fit several recordings"] if self.ambiguous else []
        parts += [f"{self.weightless:,} without weight left out"] if self.weightless else []
        parts += [f"{self.future:,} in the future left out"] if self.future else []
        parts += [f"{self.early:,} from before sound was recorded"] if self.early else []
        parts += [f"{self.undated:,} without a moment that can be read"] if self.undated else []
        return "; ".join(parts)

    def unmatched_table(self) -> pa.Table:
        """What could not be matched: listens, then what the source says of the track."""
        rows = sorted(self.unmatched.items(), key=lambda pair: (-pair[1], repr(pair[0])))
        columns = {"listens": pa.array([count for _, count in rows], pa.int64())}
        for place, name in enumerate(_NAMED):
            columns[name] = pa.array([names[place] for names, _ in rows], pa.string())
        return pa.table(columns)


def import_listens(
    files: Iterable[Path],
    tracks: pa.Table,
    out: Path,
    key: bytes,
    *,
    user: str | None = None,
    columns: Mapping[str, str] | None = None,
    day_first: bool | None = None,
) -> ListenImport:
    """Write the listens of some files to `out`, a Parquet table of `candidates.LISTENS`.

    tracks: of the catalog. key: that of the pseudonyms. user: whose the exports of one person are
    ("me" where None). columns, day_first: see `reading.ReadingOptions`. Listens that fit no track
    are counted and left out, and so are files without listens beside others. Raises SourceError
    where a file is not there, or none holds listens; nothing is written then.
    """
    done = ListenImport()
    options = ReadingOptions(columns or {}, day_first, done.notes)

    def write(path: Path) -> None:
        tell("reading the names of the catalog")
        matcher = Matcher(tracks)
        users: set[str] = set()
        with pq.ParquetWriter(path, LISTENS, compression="zstd") as writer:
            tables = _read(list(files), options)
            for raw in tracked(tables, "reading listens", unit="listens", size=len):
                part = _matched(raw, matcher, key, user or ME, done)
                users.update(part["user_id"].unique().to_pylist())
                writer.write_table(part)
        done.listeners, done.taken = len(users), matcher.taken

    write_atomically(out, write)
    return done


def write_unmatched(done: ListenImport, path: Path) -> None:
    """Write what could not be matched as CSV."""
    write_atomically(path, lambda temporary: pc_csv.write_csv(done.unmatched_table(), temporary))


def _read(files: list[Path], options: ReadingOptions) -> Iterator[pa.Table]:
    """Tables of RAW of all files that hold listens; the others are named in the notes."""
    errors = []
    for file in files:
        try:
            yield from read_listens(file, options)
        except SourceError as error:
            if not file.exists():
                raise
            errors.append(error)
    if errors and len(errors) == len(files):
        raise errors[0]
    options.notes.skipped += [str(error) for error in errors]


def _matched(
    raw: pa.Table, matcher: Matcher, key: bytes, user: str, done: ListenImport
) -> pa.Table:
    """The listens of a table of RAW that are of known tracks, and a note of the others."""
    done.read += raw.num_rows
    weight = raw["weight"].to_numpy()
    heavy = np.isfinite(weight) & (weight != 0)
    done.weightless += int((~heavy).sum())
    raw = raw.filter(pa.array(heavy))
    late = pc.fill_null(pc.greater(raw["timestamp"], latest()), False)
    done.future += pc.sum(late).as_py() or 0
    raw, early = undated_before_sound(raw.filter(pc.invert(late)))
    done.early += early
    found = matcher.match(raw)
    _count(raw, found, done)
    known = np.flatnonzero(found.row >= 0)
    kept = raw.take(pa.array(known))
    done.listens += len(known)
    done.undated += kept["timestamp"].null_count
    columns = [
        pseudonyms(pc.fill_null(kept["user"], user).combine_chunks(), key),
        matcher.ids.take(pa.array(found.row[known])).cast(pa.string()),
        kept["timestamp"],
        kept["weight"],
        kept["context"],
    ]
    return pa.Table.from_arrays(columns, schema=LISTENS)


def _count(raw: pa.Table, found: Matches, done: ListenImport) -> None:
    for number, way in enumerate(WAYS[:-1]):
        done.matched[way] = done.matched.get(way, 0) + int((found.way == number).sum())
    done.ambiguous += int(found.ambiguous.sum())
    lost = raw.filter(pa.array(found.row < 0)).select(_NAMED)
    done.unmatched.update(zip(*(column.to_pylist() for column in lost.columns), strict=True))
