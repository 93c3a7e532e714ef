"""One run over a source: what is new or changed is read and embedded, the rest is left alone."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.catalog.imported import import_rows
from musicu.catalog.lock import write_lock
from musicu.catalog.rows import Row
from musicu.catalog.sources import open_source
from musicu.catalog.store import Store
from musicu.embeddings.cards import DEFAULT_MODEL, ModelCard, find_model
from musicu.errors import CatalogError, SourceError
from musicu.pipeline.ledger import Ledger
from musicu.pipeline.pace import CommitPace
from musicu.pipeline.plan import Plan, make_plan
from musicu.pipeline.pool import work_through

Source: TypeAlias = str | Path | Iterable[str | Path] | pa.Table


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How a run goes about it; none of these changes a vector.

    jobs: worker processes; None for one a processor core.
    force: embed also what has a vector.
    retry_failed: try again what failed before and has not changed since.
    prune: remove the tracks whose files are gone, and what only they used.
    timeout_seconds: how long one file may take before it counts as failed.
    root: the folder that paths of a list or table are relative to.
    """

    jobs: int | None = None
    force: bool = False
    retry_failed: bool = False
    prune: bool = False
    timeout_seconds: float = 300.0
    root: Path | None = None


@dataclass(slots=True)
class EmbedReport:
    """What a run did, in tracks.

    tracks: that the source holds; embedded: that got a vector now; known: that needed nothing;
    reused: new or moved, with sound that had a vector; updated: with other tags than before;
    failed: without a vector (or, in a scan, unreadable), of which `remembered` failed before and
    were not tried again; incomplete: heard in part; gone: whose files are no longer there;
    pruned: removed.
    """

    tracks: int = 0
    embedded: int = 0
    known: int = 0
    reused: int = 0
    updated: int = 0
    failed: int = 0
    remembered: int = 0
    incomplete: int = 0
    gone: int = 0
    pruned: int = 0
    audio_seconds: float = 0.0
    seconds: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: tracks done of those to do, failures and seconds of music so far."""

    done: int
    todo: int
    failed: int
    audio_seconds: float


def embed(
    source: Source,
    out: str | Path,
    *,
    model: str | Path = DEFAULT_MODEL,
    options: EmbedOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Catalog:
    """Embed a folder, list or table of tracks into the catalog folder `out`, and open it.

    Only what is new or changed is read; files that fail are kept in `catalog.failures()`.
    Raises SourceError, ModelError or CatalogError where the run as a whole cannot be.
    """
    run(source, out, model=model, options=options, progress=progress)
    return Catalog.open(out)


def scan(
    source: Source,
    out: str | Path,
    *,
    options: EmbedOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Catalog:
    """Read tags and content hashes into the catalog folder `out`, decoding nothing."""
    run(source, out, model=None, options=options, progress=progress)
    return Catalog.open(out)


def run(
    source: Source,
    out: str | Path,
    *,
    model: str | Path | None = DEFAULT_MODEL,
    options: EmbedOptions | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> EmbedReport:
    """Do what `embed` does (or `scan`, where `model` is None) and report it."""
    options = options or EmbedOptions()
    began = time.monotonic()
    card = find_model(model) if model is not None else None
    opened = open_source(source, root=options.root)
    if opened.rows is not None and card is not None:
        raise SourceError(
            "the table has no column of paths, so there is nothing to hear: `musicu scan` takes "
            "it without sound, or name its column of files 'path'"
        )
    store = Store.create(Path(out))
    if opened.rows is not None:
        return _import(opened.rows(), opened.extra_schema, store.folder, began)
    with write_lock(store.folder):
        store = Store.open(store.folder)  # as it is now that no one else writes
        store.clean()
        _check_fingerprint(store, card, options.force)
        ledger = Ledger(store, card, opened.extra_schema)
        plan = make_plan(opened, ledger, options.force, options.retry_failed)
        report = EmbedReport(
            tracks=plan.tracks, known=plan.known, failed=plan.remembered, remembered=plan.remembered
        )
        try:
            _work(plan, ledger, card, options, report, progress)
        finally:
            ledger.commit()
        report.gone = ledger.mark_gone(plan.seen)
        report.pruned = ledger.prune() if options.prune else 0
        ledger.finish()
        store.clean()
    report.failures = ledger.new_failures
    report.seconds = time.monotonic() - began
    return report


def _import(
    rows: Iterator[tuple[str, Row]], extra: pa.Schema, folder: Path, began: float
) -> EmbedReport:
    """Take in a table of tracks without files."""
    with write_lock(folder):
        store = Store.open(folder)  # as it is now that no one else writes
        store.clean()
        done = import_rows(store, rows, extra)
        store.clean()
    seconds = time.monotonic() - began
    return EmbedReport(done.tracks, known=done.known, updated=done.updated, seconds=seconds)


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


def _work(
    plan: Plan,
    ledger: Ledger,
    card: ModelCard | None,
    options: EmbedOptions,
    report: EmbedReport,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Send the plan's tasks through the workers, committing from time to time."""
    for failure in plan.scan_failures:
        ledger.add_failure(failure)
        report.failed += 1
    pace = CommitPace()
    jobs = min(options.jobs or os.cpu_count() or 1, max(1, len(plan.todo)))
    results = work_through(plan.todo, ledger, card, jobs, options.timeout_seconds)
    for done, result in enumerate(results, start=1):
        ledger.add(result)
        report.embedded += result.vector is not None
        report.reused += result.reused and result.new
        report.updated += not result.new and result.vector is None and result.failure is None
        report.failed += result.failure is not None
        report.incomplete += result.complete is False
        report.audio_seconds += result.audio_seconds if result.vector is not None else 0.0
        if progress:
            progress(Progress(done, len(plan.todo), report.failed, report.audio_seconds))
        if pace.due():
            ledger.commit()
    if progress and not plan.todo:
        progress(Progress(0, 0, report.failed, 0.0))
