"""Watching a folder: what is new, changed or gone reaches the catalog within seconds.

The system's notifications say when to look (`FolderNotifications`), or a clock does; a look at
every file's size and time, about a second for 100,000 files, says at what. So what is true does
not depend on which notifications came, and a clock alone does for network disks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
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
from musicu.pipeline.pruning import unreachable_parts
from musicu.pipeline.run import EmbedOptions, EmbedReport, run
from musicu.pipeline.watching.stable_files import StableFiles, Stamp, is_whole

#: Looking takes at most this share of the time, however large the folder is.
_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How to watch.

    interval_seconds: between two looks while files are waited for, or always where no notifications
    come; longer then where a look takes long. idle_seconds: at most between two looks where
    notifications come and nothing is waited for. patience_seconds: how long a file that never
    becomes whole is waited for. prune_seconds: how long what is gone may stay away before it is
    pruned, where `embed` says so: it may be on its way to another folder.
    model, embed: as for `embed`.
    """

    interval_seconds: float = 1.0
    idle_seconds: float = 600.0
    patience_seconds: float = 30.0
    prune_seconds: float = 30.0
    model: str | Path = DEFAULT_MODEL
    embed: EmbedOptions = field(default_factory=EmbedOptions)


def watch(
    source: str | Path,
    out: str | Path,
    *,
    options: WatchOptions | None = None,
    wait: Callable[[float], bool],
    notified: bool = False,
    changed: Callable[[EmbedReport], None] = lambda report: None,
    trouble: Callable[[str], None] = lambda text: None,
) -> None:
    """Embed what is new or changed in a folder into a catalog, until `wait` says to stop.

    wait: waits so many seconds, and returns True to stop; `threading.Event().wait` does.
    notified: whether it returns sooner where something has changed in the folder. changed: is
    called after each run that changed the catalog. trouble: is told what kept a run from being
    (another process writes the catalog, say); it is tried again at the next look.

    A file is taken when it is whole, see `StableFiles`. Files that are gone are marked, and pruned
    later, once no file waits to be taken: one that was moved is known by its sound and costs no
    embedding. A folder that is empty all at once is taken for a disk that is not there, and nothing
    is marked.
    Raises SourceError where the source is no folder.
    """
    options = options or WatchOptions()
    folder = absolute(Path(source).expanduser())
    if not folder.is_dir():
        raise SourceError(f"no such folder: {folder}")
    state = _WatchedFolder(options, folder, Path(out))
    while True:
        began = time.monotonic()
        try:
            report = state.look()
        except MusicuError as error:
            trouble(str(error))
        else:
            if report is not None and _matters(report):
                changed(report)
        took = time.monotonic() - began
        seconds = options.interval_seconds
        if not notified:
            seconds = max(seconds, took * (1 / _SHARE - 1))
        elif not state.waits:
            seconds = options.idle_seconds
        if wait(seconds):
            return


class _WatchedFolder:
    """A folder as it was taken last, and what is still to be pruned."""

    def __init__(
        self,
        options: WatchOptions,
        folder: Path,
        out: Path,
    ) -> None:
        self._options, self._folder, self._out = options, folder, out
        self._settling: StableFiles | None = None
        self._taken: dict[Path, Stamp] | None = None  # the first run sees to what an earlier left
        self._to_prune = False
        self._told: dict[str, str] = {}  # what could not be reached when pruning was due
        self._looks_left = 0  # before what is gone is pruned
        self.waits = False  # whether the next look is due though nothing happens till then

    def look(self) -> EmbedReport | None:
        """Look once, and run where there is anything to do; raises MusicuError where it cannot."""
        seen, unreachable = _look(self._folder)
        self.waits = True
        if self._settling is None:
            known = _known(self._out, self._folder)
            taken = {path: stamp for path, stamp in seen.items() if known.get(path) == stamp[:2]}
            patience = self._looks(self._options.patience_seconds)
            self._settling = StableFiles(taken, is_whole, patience)
        ready = {path: seen[path] for path in self._settling.look(seen)}
        report = self._acted_on(ready, seen, unreachable)
        self.waits = len(ready) < len(seen) or self._to_prune
        return report

    def _acted_on(
        self, ready: dict[Path, Stamp], seen: dict[Path, Stamp], unreachable: Mapping[str, str]
    ) -> EmbedReport | None:
        """Take what is ready and not taken, or prune what is due; raises MusicuError."""
        if not ready:
            return None
        if self._taken is None or _differ(ready, seen, self._taken):
            report = self._run(ready, prune=False)
            if self._taken is None or any(path not in seen for path in self._taken):
                self._looks_left = self._looks(self._options.prune_seconds)
            self._taken = ready
            self._to_prune = self._options.embed.prune and report.gone > 0
            return report
        self._looks_left -= 1
        if not self._to_prune or self._looks_left > 0 or len(ready) < len(seen):
            return None
        return self._prune(ready, unreachable)

    def _prune(
        self, ready: dict[Path, Stamp], unreachable: Mapping[str, str]
    ) -> EmbedReport | None:
        """Prune, unless a part of the folder cannot be reached: then say so, once, and wait."""
        if not unreachable:
            report = self._run(ready, prune=True)
            self._to_prune = False
            return report
        if unreachable != self._told:
            self._told = dict(unreachable)
            raise SourceError(f"nothing is pruned: {unreachable_parts(unreachable)}")
        return None

    def _run(self, ready: dict[Path, Stamp], *, prune: bool) -> EmbedReport:
        given = replace(self._options.embed, root=self._folder, prune=prune)
        files, model = sorted(ready), self._options.model
        return run(files, self._out, model=model, options=given)

    def _looks(self, seconds: float) -> int:
        return max(2, round(seconds / self._options.interval_seconds))


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


def _look(folder: Path) -> tuple[dict[Path, Stamp], Mapping[str, str]]:
    """The audio files of the folder, in the order of its walk, and what cannot be reached."""
    try:
        source = open_source(folder)
        found = list(source)
    except SourceError:  # there is none, or the folder itself is away
        return {}, {}
    stamps: dict[Path, Stamp] = {
        one.file: (one.size_bytes, one.modified_ns, one.changed_ns or 0)
        for one in found
        if isinstance(one, SourceFile)
    }
    return stamps, source.notes.unreachable


def _differ(ready: dict[Path, Stamp], seen: dict[Path, Stamp], taken: dict[Path, Stamp]) -> bool:
    """Whether a run is due: a file to take that was not taken so, or one taken that is gone."""
    new = any(taken.get(path) != stamp for path, stamp in ready.items())
    return new or any(path not in seen for path in taken)


def _matters(report: EmbedReport) -> bool:
    """Whether a run changed anything that a shelf could show."""
    return bool(report.embedded or report.reused or report.updated or report.gone)
