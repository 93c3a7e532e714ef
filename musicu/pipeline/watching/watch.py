"""Watching a folder: what is new, changed or gone reaches the catalog within seconds.

It looks at every file's size and time, again and again: that works on every system and on
network disks, and takes about a second for 100,000 files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from musicu.catalog.catalog import Catalog
from musicu.catalog.locations import absolute
from musicu.catalog.manifest import NAME as MANIFEST
from musicu.catalog.rows import track_file
from musicu.embeddings.cards import DEFAULT_MODEL
from musicu.errors import MusicuError, SourceError
from musicu.ingest.source_file import SourceFile
from musicu.ingest.track_source import open_source
from musicu.pipeline.loop import Progress
from musicu.pipeline.run import EmbedOptions, EmbedReport, run
from musicu.pipeline.watching.settling import Settling, Stamp, is_whole

#: Looking takes at most this share of the time, however large the folder is.
_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How to watch.

    interval_seconds: between two looks; longer where a look takes long. patience_seconds: how
    long a file that never becomes whole is waited for. model, embed: as for `embed`.
    """

    interval_seconds: float = 1.0
    patience_seconds: float = 30.0
    model: str | Path = DEFAULT_MODEL
    embed: EmbedOptions = field(default_factory=EmbedOptions)


def watch(
    source: str | Path,
    out: str | Path,
    *,
    options: WatchOptions | None = None,
    wait: Callable[[float], bool],
    changed: Callable[[EmbedReport], None] = lambda report: None,
    trouble: Callable[[str], None] = lambda text: None,
    progress: Callable[[Progress], None] | None = None,
) -> None:
    """Embed what is new or changed in a folder into a catalog, until `wait` says to stop.

    wait: waits so many seconds, and returns True to stop; `threading.Event().wait` does. changed:
    is called after each run that changed the catalog. trouble: is told what kept a run from being
    (another process writes the catalog, say); it is tried again at the next look.

    A file is taken when it is whole, see `Settling`. Files that are gone are marked so; a folder
    that is empty all at once is taken for a disk that is not there, and nothing is marked.
    Raises SourceError where the source is no folder.
    """
    options = options or WatchOptions()
    folder = absolute(Path(source).expanduser())
    if not folder.is_dir():
        raise SourceError(f"no such folder: {folder}")
    patience = max(2, round(options.patience_seconds / options.interval_seconds))
    settling = Settling(_known(Path(out), folder), is_whole, patience)
    taken: dict[Path, Stamp] | None = None  # the first run sees to what an earlier one left
    while True:
        began = time.monotonic()
        seen = _look(folder)
        ready = {path: seen[path] for path in settling.look(seen)}
        if ready and (taken is None or _differ(ready, seen, taken)):
            try:
                given = replace(options.embed, root=folder)
                files = sorted(ready)
                report = run(files, out, model=options.model, options=given, progress=progress)
            except MusicuError as error:
                trouble(str(error))
            else:
                taken = ready
                if _matters(report):
                    changed(report)
        took = time.monotonic() - began
        if wait(max(options.interval_seconds, took * (1 / _SHARE - 1))):
            return


def _known(out: Path, folder: Path) -> dict[Path, Stamp]:
    """The files of the folder that the catalog has taken, as they were then."""
    if not (out / MANIFEST).is_file():
        return {}
    columns = ["root", "path", "path_bytes", "size_bytes", "modified_ns"]
    rows = Catalog.open(out).tracks().select(columns).to_pylist()
    known = {
        absolute(track_file(row)): (row["size_bytes"], row["modified_ns"])
        for row in rows
        if row["root"] is not None
    }
    return {path: stamp for path, stamp in known.items() if path.is_relative_to(folder)}


def _look(folder: Path) -> dict[Path, Stamp]:
    """The audio files of the folder, in the order of its walk."""
    try:
        found = list(open_source(folder))
    except SourceError:  # there is none, or the folder itself is away
        return {}
    return {
        one.file: (one.size_bytes, one.modified_ns) for one in found if isinstance(one, SourceFile)
    }


def _differ(ready: dict[Path, Stamp], seen: dict[Path, Stamp], taken: dict[Path, Stamp]) -> bool:
    """Whether a run is due: a file to take that was not taken so, or one taken that is gone."""
    new = any(taken.get(path) != stamp for path, stamp in ready.items())
    return new or any(path not in seen for path in taken)


def _matters(report: EmbedReport) -> bool:
    """Whether a run changed anything that a shelf could show."""
    return bool(report.embedded or report.reused or report.updated or report.gone)
