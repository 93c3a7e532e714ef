"""One run over a source: what is new or changed is read and embedded, the rest is left alone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store
from musicu.embeddings.cards import DEFAULT_MODEL, ModelCard
from musicu.errors import CatalogError, SourceError
from musicu.ingest.arrow_tables import TableLike
from musicu.ingest.table_import import import_rows
from musicu.ingest.track_source import open_source
from musicu.pipeline.executors.executor import DEFAULT_EXECUTOR
from musicu.pipeline.finish import compact_tables
from musicu.pipeline.loop import WorkOptions, go_through
from musicu.pipeline.plan import Survey
from musicu.pipeline.pruning import Absent, mark_gone, unreachable_parts
from musicu.pipeline.run_state import RunState
from musicu.pipeline.tasks import Result, describe_stage, embed_stage
from musicu.pipeline.thorough import choose_model
from musicu.records import check_count, check_kind, counted

#: A folder, a file, a table of any library, or a list of paths.
Source: TypeAlias = TableLike | Iterable[str | Path]


@dataclass(frozen=True, slots=True)
class EmbedOptions(WorkOptions):
    """How a run goes about it, and what else it does.

    prune: remove the tracks whose files are gone, and what only they used; see `Absent.objection`.
    confirm_prune: also where much is gone.
    root: the folder that paths of a list or table are relative to.
    thorough: read whole files in place of the model's windows; the vectors are kept under the
    model's name and "+thorough".
    describe: make the descriptors too.
    """

    prune: bool = False
    confirm_prune: bool = False
    root: Path | None = None
    thorough: bool = False
    describe: bool = False


@dataclass(slots=True)
class EmbedReport:
    """What a run did, in tracks.

    tracks: that the source holds; embedded, described: that got a vector or descriptors now;
    known: that needed nothing; reused: new or moved, with sound that had all that was wanted;
    updated: changed files whose sound needed nothing; failed: without a vector or descriptors that
    were wanted (or, in a scan, unreadable), of which `remembered` failed before and were not tried
    again; incomplete: read in part; gone: whose files are no longer there; pruned: removed;
    unreachable: whose files are out of sight, and which stay as they were. left_out: folders and
    files of the system's own, by name.
    warnings: sentences on what was not done, or could not be read, and why. out: the catalog's
    folder.
    """

    out: Path = field(default_factory=Path)
    tracks: int = 0
    embedded: int = 0
    described: int = 0
    known: int = 0
    reused: int = 0
    updated: int = 0
    failed: int = 0
    remembered: int = 0
    incomplete: int = 0
    gone: int = 0
    pruned: int = 0
    unreachable: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    audio_seconds: float = 0.0
    seconds: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """The catalog that came of it, opened."""
        return Catalog.open(self.out)

    def begin(self, survey: Survey) -> None:
        """Take in what there is to do."""
        self.tracks, self.known = survey.tracks, survey.known
        self.remembered, self.failed = survey.remembered, survey.failed

    def count(self, result: Result) -> None:
        """Take in what came of one task."""
        vector = next((row for row in result.rows.values() if "vector" in row), None)
        self.embedded += vector is not None
        self.described += len(result.rows) - (vector is not None)
        told = result.tags is not None and not result.new
        self.reused += result.reused and not told
        self.updated += told and not (result.rows or result.failures)
        self.failed += bool(result.failures)
        self.incomplete += vector is not None and not vector["complete"]
        self.audio_seconds += result.audio_seconds

    def miss(self, absent: Absent, options: EmbedOptions) -> bool:
        """Take in what was not found; returns whether it is to be pruned."""
        self.gone, self.unreachable = absent.gone, absent.hidden
        objection = absent.objection(options.confirm_prune) if options.prune else None
        if objection:
            self.warnings += (objection,)
        elif absent.unreachable:
            self.warnings += (
                f"{unreachable_parts(absent.unreachable)}; what lies there is kept as it was"
                + (f". {absent.advice}" if options.prune else ""),
            )
        prune = options.prune and objection is None
        if absent.own:
            them = "is removed" if prune else "counts as gone; --prune removes it"
            self.warnings += (
                f"{counted(absent.own, 'track')} of the catalog in folders of the system's own, as "
                f"deleted music in '#recycle', {them}",
            )
        self.pruned = self.gone if prune else 0
        return prune


def embed(
    source: Source,
    out: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    jobs: int | None = None,
    describe: bool = False,
    thorough: bool = False,
    force: bool = False,
    retry_failed: bool = False,
    prune: bool = False,
    confirm_prune: bool = False,
    root: str | Path | None = None,
    timeout_seconds: float = 300.0,
    nice: bool = False,
    executor: str = DEFAULT_EXECUTOR,
) -> EmbedReport:
    """Embed a folder, list or table of tracks into the catalog folder `out`, and report it.

    The report's `catalog` is what came of it. Only what is new or changed is read; files that fail
    are kept in `catalog.failures()`. The options are those of `EmbedOptions`. Raises SourceError,
    ModelError or CatalogError where the run as a whole cannot be.
    """
    options = EmbedOptions(
        executor=executor,
        jobs=jobs,
        force=force,
        retry_failed=retry_failed,
        timeout_seconds=timeout_seconds,
        nice=nice,
        prune=prune,
        confirm_prune=confirm_prune,
        root=None if root is None else Path(root),
        thorough=thorough,
        describe=describe,
    )
    return run(source, out, model=model, options=options)


def scan(
    source: Source,
    out: str | Path,
    *,
    jobs: int | None = None,
    force: bool = False,
    prune: bool = False,
    confirm_prune: bool = False,
    root: str | Path | None = None,
) -> EmbedReport:
    """Read tags and content hashes into the catalog folder `out`, decoding nothing.

    Also takes a table of tracks without files. Reports and raises as `embed` does.
    """
    folder = None if root is None else Path(root)
    options = EmbedOptions(
        jobs=jobs, force=force, prune=prune, confirm_prune=confirm_prune, root=folder
    )
    return run(source, out, model=None, options=options)


def run(
    source: Source,
    out: str | Path,
    *,
    model: str | Path | None = DEFAULT_MODEL,
    options: EmbedOptions | None = None,
) -> EmbedReport:
    """Do what `embed` does (or `scan`, where `model` is None) and report it."""
    check_kind("the catalog", out, (str, Path), "the path of a folder")
    options = options or EmbedOptions()
    if options.jobs is not None:
        check_count("jobs", options.jobs)
    began = time.monotonic()
    spec = None if model is None else choose_model(model, options.thorough)
    card = spec.card if spec else None
    opened = open_source(source, root=options.root)
    if opened.tracks is not None and card is not None:
        raise SourceError(
            "the table has no column of paths, so there is nothing to read: `musicu scan` takes "
            "it without sound, or name its column of files 'path'"
        )
    store = Store.create(Path(out))
    if opened.tracks is not None:
        report = _import(opened.tracks(), store.folder, began)
        report.warnings = opened.warnings
        return report
    with Store.writing(store.folder) as store:
        before = store.manifest.sequence
        _check_fingerprint(store, card, options.force)
        stages = [embed_stage(card)] if card else []
        stages += [describe_stage()] if options.describe else []
        state = RunState(store, card, stages, opened.extra_schema)
        state.forget_scan()
        report = EmbedReport(store.folder, warnings=opened.warnings)
        go_through(opened, state, spec, options, begin=report.begin, count=report.count)
        report.left_out = dict(sorted(opened.notes.left_out.items()))
        prune = report.miss(mark_gone(store, state, opened.notes), options)
        compact_tables(store, state, stages, prune=prune)
    if store.manifest.sequence != before:
        _refresh(store.folder)
    report.failures = state.new_failures
    report.seconds = time.monotonic() - began
    return report


def _import(tracks: pa.Table, folder: Path, began: float) -> EmbedReport:
    """Take in a table of tracks without files."""
    with Store.writing(folder) as store:
        done = import_rows(store, tracks)
    if done.known < done.tracks:
        _refresh(folder)
    seconds = time.monotonic() - began
    return EmbedReport(folder, done.tracks, known=done.known, updated=done.updated, seconds=seconds)


def _refresh(folder: Path) -> None:
    """Bring the vectors of the catalog's own track encoders up to date, where it has any."""
    if (folder / "models").is_dir():
        from musicu.embeddings.tracks.refresh import refresh_track_vectors

        refresh_track_vectors(folder)


def _check_fingerprint(store: Store, card: ModelCard | None, force: bool) -> None:
    """Refuse to put vectors of two models under one name."""
    entry = store.manifest.models.get(card.name) if card else None
    if card is None or entry is None or entry.fingerprint == card.fingerprint:
        return
    if not force:
        raise CatalogError(
            f"{store.folder} holds vectors of another {card.name} (fingerprint "
            f"{entry.fingerprint}, now {card.fingerprint}), and vectors of two models are never "
            "mixed: embed again with --force, or into another catalog"
        )
    store.drop_model(card.name)
