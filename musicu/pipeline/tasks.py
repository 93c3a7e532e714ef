"""What goes to a worker, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from musicu.catalog.schema import vectors_schema
from musicu.embeddings.cards import ModelCard
from musicu.features.descriptors import SET_NAME, descriptors_schema
from musicu.ingest.sources import SourceFile
from musicu.records import Failure


@dataclass(frozen=True, slots=True)
class Pass:
    """What is made of each recording.

    stage: the task that workers know, whose answer has a `row`.
    name: of the model or the set of columns; failures are kept under it.
    table: of the catalog, with a row for each content hash.
    schema: of the table: content_hash, and the columns of a row.
    """

    stage: str
    name: str
    table: str
    schema: pa.Schema


def embedding(card: ModelCard) -> Pass:
    """The pass that makes vectors of a model."""
    return Pass("embed", card.name, f"vectors/{card.name}", vectors_schema(card.dim))


def describing() -> Pass:
    """The pass that makes descriptors."""
    return Pass("describe", SET_NAME, f"descriptors/{SET_NAME}", descriptors_schema())


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    known_hash: of its content, where it has not changed since it was taken. passes: what is to
    be made of it, where its recording has no such row; with `force`, also where it has. read_tags:
    also where the hash is known.
    """

    found: SourceFile
    known_hash: str | None
    new: bool
    passes: tuple[Pass, ...]
    force: bool
    read_tags: bool = False


@dataclass(slots=True)
class Result:
    """What came of one task.

    tags: None where they were not read again. rows: what was made, by the name of the pass.
    tried: the passes that were asked for. failures: by the name of the pass that failed, None where
    the file could not even be inspected.
    """

    found: SourceFile
    new: bool
    tags: Mapping[str, Any] | None = None
    content_hash: str | None = None
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    failures: dict[str | None, Failure] = field(default_factory=dict)

    @property
    def inspected(self) -> bool:
        """Whether the file was opened for its tags and its hash, or could not be."""
        return self.tags is not None or None in self.failures

    @property
    def reused(self) -> bool:
        """Whether the recording had all that is wanted of it."""
        return bool(self.content_hash) and not self.tried

    @property
    def audio_seconds(self) -> float:
        """The length of what was heard now, as far as tags or rows tell; 0 where nothing was."""
        told = [row["heard_seconds"] for row in self.rows.values() if "heard_seconds" in row]
        told.append((self.tags or {}).get("duration_seconds") or 0.0)
        return float(max(told)) if self.rows else 0.0

    def fail(self, name: str | None, stage: str, reason: str) -> None:
        """Note why a pass, or the inspection, has made nothing."""
        found = self.found
        self.failures[name] = Failure(found.track_id, found.path, stage, reason, self.content_hash)
