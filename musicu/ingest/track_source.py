"""Where tracks come from: a folder, a list of paths, or a table that names files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa

from musicu.errors import SourceError
from musicu.ingest.arrow_tables import TableLike, as_table, is_table
from musicu.ingest.delimited import plain_suffix
from musicu.ingest.folder import AUDIO_SUFFIXES, walk
from musicu.ingest.object_folder import walk_objects
from musicu.ingest.path_list import absolute, listed, split_paths
from musicu.ingest.source_file import SourceFile, SourceNotes
from musicu.ingest.table import TABLE_SUFFIXES, TableSource, read_table
from musicu.object_store import is_object, local_file, object_url
from musicu.records import Failure, id_list

__all__ = ["AUDIO_SUFFIXES", "SourceFile", "TrackSource", "open_source", "split_paths"]


class TrackSource:
    """The files to take into a catalog; iterating again reads the folder or list again.

    tracks: of a table without files, gives each track's id and typed columns; None for others.
    extra_schema: columns of a table beyond METADATA, as they appear in `SourceFile.given`.
    count: how many files a list or table names; None for a folder, which is not known before.
    warnings: sentences on cells of a table that cannot be read.
    notes: what the last time through a folder has left out, and what it could not reach.
    """

    def __init__(
        self,
        files: Callable[[], Iterator[SourceFile | Failure]],
        extra_schema: pa.Schema | None = None,
        count: int | None = None,
        tracks: Callable[[], pa.Table] | None = None,
        warnings: tuple[str, ...] = (),
        notes: SourceNotes | None = None,
    ) -> None:
        self._files = files
        self.notes = notes or SourceNotes()
        self.extra_schema = extra_schema if extra_schema is not None else pa.schema([])
        self.count = count
        self.tracks = tracks
        self.warnings = warnings

    def __iter__(self) -> Iterator[SourceFile | Failure]:
        """Each file, or the Failure (stage "scan") of one that cannot be used.

        Raises SourceError where a folder holds no audio files.
        """
        self.notes.left_out.clear()
        self.notes.own_folders.clear()
        return self._files()


def open_source(
    source: TableLike | Iterable[str | Path],
    *,
    root: str | Path | None = None,
) -> TrackSource:
    """Open a folder, a CSV, TSV or Parquet file, a single audio file, a table, or a list of paths.

    Each may be on an object store ("s3://bucket/music", "gs://…"), with the extra `cloud`. A table
    may be of pyarrow, pandas, Polars or DuckDB.

    root: what paths are relative to and ids derived from. The default for a folder is the folder;
    for a table its folder where that holds every file; for a list the current directory where that
    holds every file; else the deepest folder that holds them all.
    Raises SourceError where there is nothing of the kind, or a table that makes no sense.
    """
    base = Path(absolute(root, Path.cwd())) if root is not None else None
    if isinstance(source, (str, Path)):
        return _open_path(Path(absolute(source, Path.cwd())), base)
    if is_table(source):
        return _from_table(TableSource(as_table(cast("TableLike", source)), Path.cwd(), base))
    paths = _paths(source)
    return TrackSource(lambda: listed(paths, base), count=len(set(paths)))


def _paths(source: object) -> list[str | Path]:
    """A list of paths; raises SourceError where it is none."""
    if hasattr(source, "to_pylist") or hasattr(source, "to_list"):  # one column
        return list(id_list(source))
    if not isinstance(source, Iterable) or isinstance(source, bytes | Mapping | type):
        raise SourceError(
            f"the source is {source!r}: give a folder, a file, a table of pyarrow, pandas, Polars "
            "or DuckDB, or a list of paths"
        )
    paths = list(source)
    for path in paths:
        if not isinstance(path, str | Path):
            raise SourceError(f"the list of paths holds {path!r}: give paths as text")
    return paths


def _open_path(path: Path, root: Path | None) -> TrackSource:
    if is_object(path):
        return _open_object(path, root)
    if path.is_dir():
        notes = SourceNotes()
        return TrackSource(lambda: walk(path, root, notes), notes=notes)
    if not path.exists():
        raise SourceError(f"no such folder or file: {path}")
    if plain_suffix(path) in TABLE_SUFFIXES:
        return _from_table(TableSource(read_table(path), path.parent, root))
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return TrackSource(lambda: listed([path], root or path.parent), count=1)
    raise SourceError(
        f"{path} is neither a folder, nor a table ({' '.join(sorted(TABLE_SUFFIXES))}), nor audio"
    )


def _open_object(path: Path, root: Path | None) -> TrackSource:
    """A table or audio file of an object store by its suffix, else a folder."""
    if plain_suffix(path) in TABLE_SUFFIXES:
        try:
            with local_file(path) as file:
                table = read_table(file)
        except FileNotFoundError:
            raise SourceError(f"no such file: {object_url(path)}") from None
        return _from_table(TableSource(table, path.parent, root))
    if path.suffix.lower() in AUDIO_SUFFIXES:
        return TrackSource(lambda: listed([path], root or path.parent), count=1)
    notes = SourceNotes()
    return TrackSource(lambda: walk_objects(path, root, notes), notes=notes)


def _from_table(table: TableSource) -> TrackSource:
    tracks = None if table.has_files else table.tracks
    return TrackSource(table.files, table.extra_schema, table.count, tracks, tuple(table.unread()))
