"""Tracks that come in: decoded and embedded in a process that may die, and shown at once.

A file is kept under the name of its content in `uploads/audio` of the catalog, so that the same
file twice is one track. The catalog is written to while no other process writes; until then what
came in waits in `uploads/pending`, each track in a file of its own, and is shown all the same.
"""

from __future__ import annotations

import logging
import os
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.catalog.files import plain_errors
from musicu.catalog.manifest import CONTENT_KEY
from musicu.catalog.rows import Row
from musicu.catalog.schema import METADATA, TRACKS
from musicu.embeddings.cards import DEFAULT_MODEL, MODELS, ModelCard, find_model
from musicu.errors import SourceError
from musicu.ingest.folder import AUDIO_SUFFIXES
from musicu.ingest.source_file import SourceFile, derived_id, examine, relative_bytes
from musicu.ingest.table_import import with_release_day
from musicu.ingest.track_rows import track_row
from musicu.ingest.track_source import open_source
from musicu.pipeline.executors.requests import WorkerConfig, WorkRequest
from musicu.pipeline.executors.worker_process import Worker, WorkerDiedError
from musicu.serving.arrivals import Arrival, ArrivalStore
from musicu.serving.generation_keeper import GenerationKeeper
from musicu.serving.row_vectors import RowVectors
from musicu.serving.service_config import ServiceConfig

_LOG = logging.getLogger("musicu.serving")
AUDIO_FOLDER = Path("uploads") / "audio"
_COPY_BYTES = 1 << 20
_LONGEST_TITLE = 200  # letters of a file's name


class RefusedUploadError(Exception):
    """An upload that is not taken in; status: of the answer, field: which part of it is wrong."""

    def __init__(self, text: str, field: str = "file", status: int = 422) -> None:
        super().__init__(text)
        self.field, self.status = field, status


@dataclass(frozen=True, slots=True)
class UploadTaken:
    """A track that came in. known: it was there before. searchable: it has a vector."""

    track_id: str
    known: bool
    searchable: bool


class Uploads:
    """Takes tracks in; several at a time wait for the workers, and too many are refused."""

    def __init__(self, catalog: Path, config: ServiceConfig, keeper: GenerationKeeper) -> None:
        self._catalog, self._config, self._keeper = catalog, config, keeper
        self._card = _audio_model(Catalog.open(catalog), config)
        self._rows = RowVectors()
        self._store = ArrivalStore(catalog, keeper, self._card)
        self._threads = ThreadPoolExecutor(config.upload_workers, "upload")
        self._workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._made: list[Worker] = []
        self._waiting = 0
        self._lock = Lock()
        self._roots = tuple(Path(os.path.realpath(root)) for root in config.upload_roots)

    def start(self) -> None:
        """Show what still waits to be written, and have the workers get ready."""
        self._store.start()
        for _ in range(self._config.upload_workers):
            worker = Worker(WorkerConfig(self._card), self._config.upload_seconds)
            worker.start()
            self._made.append(worker)
            self._workers.put(worker)

    def stop(self) -> None:
        """Take no more; what was begun is finished."""
        self._threads.shutdown(cancel_futures=True)
        for worker in self._made:
            worker.close()
        self._store.stop()

    def submit(self, work: Callable[[], UploadTaken]) -> Any:
        """Have one of the methods below called in turn: a future of what it gives.

        Raises RefusedUploadError (503) where too many wait.
        """
        with self._lock:
            if self._waiting >= self._config.waiting_uploads:
                raise RefusedUploadError("too many uploads wait: try again later", status=503)
            self._waiting += 1
        future = self._threads.submit(work)
        future.add_done_callback(self._finished)
        return future

    def _finished(self, _: Any) -> None:
        with self._lock:
            self._waiting -= 1

    def take_stream(self, stream: BinaryIO, name: str) -> UploadTaken:
        """Take in the bytes of a file; `name` says its format, and its title where no tag does."""
        suffix = Path(name.replace("\\", "/")).suffix.lower()
        if suffix not in AUDIO_SUFFIXES:
            known = " ".join(sorted(AUDIO_SUFFIXES))
            raise RefusedUploadError(f"the file's name has to end in one of {known}")
        folder = self._catalog / AUDIO_FOLDER
        file = _kept(stream, folder, suffix)
        try:
            title = Path(name.replace("\\", "/")).stem[:_LONGEST_TITLE]
            return self._take(file, relative_bytes(file.name), str(folder), title=title)
        except RefusedUploadError:
            if self._keeper.current.row(derived_id(relative_bytes(file.name))) is None:
                file.unlink(missing_ok=True)
            raise

    def take_path(self, path: str) -> UploadTaken:
        """Take in a file that lies under one of the roots; links are followed first."""
        if "\0" in path or not Path(path).is_absolute():
            raise RefusedUploadError("give the full path of a file", "path")
        real = Path(os.path.realpath(path))
        root = next((root for root in self._roots if real.is_relative_to(root)), None)
        if root is None:
            raise RefusedUploadError("the path is under no folder that may be named", "path", 403)
        if real.suffix.lower() not in AUDIO_SUFFIXES:
            raise RefusedUploadError("the path does not name a file of music", "path")
        return self._take(real, relative_bytes(str(real.relative_to(root))), str(root), "path")

    def take_row(self, given: Mapping[str, Any]) -> UploadTaken:
        """Take in what is said of a track without its sound; it needs a `track_id`."""
        track_id = given.get("track_id")
        if not isinstance(track_id, str) or not 0 < len(track_id) <= 1024:
            raise RefusedUploadError("track_id is a text of 1 to 1,024 letters", "track_id")
        try:
            source = open_source(pa.Table.from_pylist([dict(given)]))
            if source.tracks is None:
                raise RefusedUploadError("a row has no path: give the path alone", "path")
            table = with_release_day(source.tracks())
        except (pa.ArrowException, SourceError, OverflowError, ValueError) as error:
            raise RefusedUploadError(f"the row cannot be read: {error}", "row") from error
        known = self._keeper.current.row(track_id)
        row: Row = dict.fromkeys(TRACKS.names) | dict(known or {})
        told = {k: v for k, v in table.to_pylist()[0].items() if k in METADATA.names}
        if given.get("date") and not told.get("date"):
            raise RefusedUploadError("the date cannot be read: write 2026-05-21", "date")
        row |= {name: value for name, value in told.items() if value is not None}
        row |= {"track_id": track_id, "gone": False}
        has_sound = row["content_hash"] is not None  # and a vector that says more
        made = None if has_sound else self._rows.encoded(row, self._keeper.current.base)
        self._store.add(Arrival(row, *(made or (None, None))))
        return UploadTaken(track_id, known is not None, searchable=made is not None)

    def _take(
        self, file: Path, name: bytes, root: str, field: str = "file", title: str = ""
    ) -> UploadTaken:
        found = examine(file, name, name, root)
        if not isinstance(found, SourceFile):
            raise RefusedUploadError(f"it {found.reason}", field)
        known = self._keeper.current.row(found.track_id)
        if known is not None and known.get("size_bytes") == found.size_bytes:
            vector = self._keeper.current.vector(found.track_id)
            return UploadTaken(found.track_id, known=True, searchable=vector is not None)
        arrival = self._read(found, field, title)
        self._store.add(arrival)
        shown = self._keeper.current.vector(found.track_id)
        return UploadTaken(found.track_id, known=False, searchable=shown is not None)

    def _read(self, found: SourceFile, field: str, title: str) -> Arrival:
        """What a worker says of a file; RefusedUploadError where it cannot be read."""
        worker = self._workers.get()
        try:
            inspected = worker.ask(WorkRequest("inspect", found.file))
            content_hash = inspected.get("content_hash")
            if content_hash is None:
                raise RefusedUploadError(_reason(inspected, found), field)
            answer: Mapping[str, Any] = {}
            if self._card is not None:
                answer = worker.ask(WorkRequest("embed", found.file))
                if "row" not in answer:
                    raise RefusedUploadError(_reason(answer, found), field)
        except WorkerDiedError as error:
            raise RefusedUploadError(f"it cannot be decoded: {error}", field) from error
        finally:
            self._workers.put(worker)
        made = answer.get("row", {})
        row = track_row(found, inspected.get("tags") or {}, content_hash, made.get("complete"))
        full = {name: row.get(name) for name in TRACKS.names}
        full["title"] = full["title"] or title or None
        vector = made.get("vector")
        values = None if vector is None else np.asarray(vector, np.float32)
        return Arrival(full, values, self._card, made.get("heard_seconds"))


def _reason(answer: Mapping[str, Any], found: SourceFile) -> str:
    """Why a file cannot be read, without where it lies."""
    reason = str(answer.get("reason") or answer.get("died") or "nobody knows why")
    for place in (str(found.file), found.root, str(found.file.parent)):
        reason = reason.replace(place, "the file") if place else reason
    return f"it cannot be decoded: {reason[:300]}"


def _kept(stream: BinaryIO, folder: Path, suffix: str) -> Path:
    """The bytes as a file named by what they are, on the disk."""
    digest = blake2b(digest_size=16)
    with plain_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{os.urandom(8).hex()}.tmp"
        try:
            with temporary.open("xb") as out:
                while chunk := stream.read(_COPY_BYTES):
                    digest.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            file = folder / f"{digest.hexdigest()}{suffix}"
            if file.exists():
                temporary.unlink()
            else:
                temporary.replace(file)
        except BaseException:  # Ctrl-C too must leave no half; it is raised again
            temporary.unlink(missing_ok=True)
            raise
    return file


def _audio_model(catalog: Catalog, config: ServiceConfig) -> ModelCard | None:
    """The model that reads sound: the one in use, else another of the catalog, else musicu's own.

    None where vectors of it would not be those that the catalog has under its name.
    """
    held = catalog.models()
    known = [name for name in (config.model, *held, DEFAULT_MODEL) if name in MODELS.names()]
    for name in [config.upload_model] if config.upload_model else known:
        card = find_model(str(name))
        if card.name not in held:
            return card
        entry = catalog.model_entry(card.name)[1]
        if entry.fingerprint == card.fingerprint and entry.key == CONTENT_KEY:
            return card
    _LOG.warning("no model of the catalog reads sound: uploads are shown, and not searchable")
    return None
