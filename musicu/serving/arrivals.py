"""What came in and is to be in the catalog: written at once, or when its other writer is done.

uploads/arrivals.jsonl            which track came in when, a line each
uploads/pending/<id>.parquet      a track that waits for the catalog's lock
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import blake2b
from pathlib import Path
from threading import Event, Lock, Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from musicu.catalog.compaction import compact
from musicu.catalog.files import plain_errors, write_atomically
from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import Row, tracks_table, vectors_by_track, vectors_table
from musicu.catalog.store import Change, Store
from musicu.embeddings.cards import ModelCard, read_card
from musicu.embeddings.tracks.refresh import FOLDER
from musicu.embeddings.tracks.track_encoder import KIND
from musicu.errors import BusyCatalogError, CatalogError
from musicu.serving.generation import ARRIVALS, FreshTrack, Generation
from musicu.serving.generation_keeper import GenerationKeeper

_LOG = logging.getLogger("musicu.serving")
_PENDING = Path("uploads") / "pending"
_LOOK_SECONDS = 2.0
_MOST_PIECES = 200  # of a table, before they are joined


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A track that came in.

    row: the columns of TRACKS. vector: float32 [dim], of the model of `card`. heard_seconds: what
    could be decoded of a file of which that is not all.
    """

    row: Row
    vector: NDArray[np.float32] | None
    card: ModelCard | None
    heard_seconds: float | None = None

    @property
    def track_id(self) -> str:
        """The track's id."""
        return str(self.row["track_id"])


class ArrivalStore:
    """Puts arrivals into the catalog, and into what the service shows."""

    def __init__(self, catalog: Path, keeper: GenerationKeeper, card: ModelCard | None) -> None:
        self._catalog, self._keeper, self._card = catalog, keeper, card
        self._lock = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._go_on, name="arrivals", daemon=True)

    def start(self) -> None:
        """Show what waits, and write it when that can be done."""
        self._show(map(self._read_pending, self._pending()))
        self._thread.start()

    def stop(self) -> None:
        """Leave what waits to the next start."""
        self._stopping.set()
        self._thread.join()

    def add(self, arrival: Arrival) -> None:
        """Keep an arrival on the disk, and show it. Raises CatalogError where the disk refuses."""
        with self._lock:
            if not self._committed([arrival]):
                self._wait(arrival)
            self._note(arrival.track_id)
            self._show([arrival])

    def _show(self, arrivals: Iterable[Arrival]) -> None:
        current = self._keeper.current
        tracks = [fresh_track(arrival, current) for arrival in arrivals]
        if tracks:
            self._keeper.add(tracks)

    def _committed(self, arrivals: Sequence[Arrival]) -> bool:
        """Put arrivals into the catalog; False where another process is writing to it."""
        try:
            with Store.writing(self._catalog, patience_seconds=0) as store:
                before = store.manifest.sequence
                changes, models = _changes(arrivals, store)
                store.commit(changes, models)
                self._join_pieces(store, changes)
                self._keeper.wrote(before, store.manifest.sequence)
        except BusyCatalogError:
            return False
        return True

    @staticmethod
    def _join_pieces(store: Store, changes: Sequence[Change]) -> None:
        """Compact tables that have come to lie in many pieces."""
        for change in changes:
            if len(store.files(change.table)[1]) >= _MOST_PIECES:
                compact(store, change.table, change.rows.column_names[0])

    def _go_on(self) -> None:
        """Write what waits, as soon as that can be done."""
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                with self._lock:
                    waiting = self._pending()
                    if waiting and self._committed([self._read_pending(p) for p in waiting]):
                        for path in waiting:
                            path.unlink(missing_ok=True)
            except CatalogError as error:
                _LOG.warning("what came in cannot be written yet: %s", error)

    def _pending(self) -> list[Path]:
        return sorted((self._catalog / _PENDING).glob("*.parquet"))

    def _wait(self, arrival: Arrival) -> None:
        table = tracks_table([arrival.row], pa.schema([]))
        vector = None if arrival.vector is None else arrival.vector.tolist()
        table = table.append_column("vector", pa.array([vector], pa.list_(pa.float32())))
        model = None if arrival.card is None else arrival.card.name
        table = table.append_column("model", pa.array([model], pa.string()))
        heard = pa.array([arrival.heard_seconds], pa.float64())
        table = table.append_column("heard_seconds", heard)
        name = blake2b(arrival.track_id.encode("utf-8", "replace"), digest_size=12).hexdigest()
        path = self._catalog / _PENDING / f"{name}.parquet"
        write_atomically(path, lambda to: pq.write_table(table, to))

    def _read_pending(self, path: Path) -> Arrival:
        row: Row = pq.read_table(path).to_pylist()[0]
        vector, model, heard = row.pop("vector"), row.pop("model"), row.pop("heard_seconds", None)
        card = None if vector is None else self._card_of(model)
        values = None if card is None else np.array(vector, np.float32)
        return Arrival(row, values, card, heard)

    def _card_of(self, model: str) -> ModelCard | None:
        """The model that reads sound, or a track encoder of the catalog; None for another."""
        if self._card is not None and model == self._card.name:
            return self._card
        folder = self._catalog / FOLDER / model
        return read_card(folder) if (folder / "card.json").is_file() else None

    def _note(self, track_id: str) -> None:
        """Write down when a track came in; it is not worth a sync."""
        path = self._catalog / ARRIVALS
        line = json.dumps({"track_id": track_id, "at": datetime.now(timezone.utc).isoformat()})
        with plain_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            with os.fdopen(descriptor, "ab") as file:
                file.write(line.encode() + b"\n")


def fresh_track(arrival: Arrival, current: Generation) -> FreshTrack:
    """An arrival as a generation shows it, with its vector where that is of the model in use.

    What is said anew of a track that has its sound already leaves it the vector that it has.
    """
    own = arrival.card is not None and current.base.model in (None, arrival.card.name)
    vector = arrival.vector if own else None
    known, sound = current.row(arrival.track_id), arrival.row["content_hash"]
    if arrival.vector is None and known is not None and sound is not None:
        same = known["content_hash"] == sound
        vector = current.vector(arrival.track_id) if same else None
    return FreshTrack(arrival.row, vector)


def _changes(
    arrivals: Sequence[Arrival], store: Store
) -> tuple[list[Change], dict[str, ModelEntry]]:
    """What a commit adds: rows of tracks, and of vectors."""
    changes = [Change("tracks", tracks_table([a.row for a in arrivals], pa.schema([])))]
    models: dict[str, ModelEntry] = {}
    made: dict[str, list[tuple[Row, NDArray[np.float32], ModelCard, float | None]]] = {}
    for arrival in arrivals:
        if arrival.card is not None and arrival.vector is not None:
            each = arrival.row, arrival.vector, arrival.card, arrival.heard_seconds
            made.setdefault(arrival.card.name, []).append(each)
    for name, group in made.items():
        rows, vectors, (card, *_), heard = zip(*group, strict=True)
        if card.kind == KIND:
            ids = [str(row["track_id"]) for row in rows]
            table = vectors_by_track(ids, np.stack(vectors))
        else:
            hashes = [str(row["content_hash"]) for row in rows]
            complete = [row["complete"] is not False for row in rows]
            table = vectors_table(hashes, vectors, complete, heard)
        changes.append(Change(f"vectors/{name}", table))
        if name not in store.manifest.models:
            models[name] = ModelEntry(card.fingerprint, card.dim)
    return changes, models
