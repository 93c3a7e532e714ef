"""What is to be done with a file, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from musicu.catalog.schema import DESCRIPTOR_SET, vectors_schema
from musicu.embeddings.cards import ModelCard
from musicu.features.descriptor_sets import load_descriptor_set
from musicu.ingest.track_source import SourceFile
from musicu.records import Failure


@dataclass(frozen=True, slots=True)
class StageSpec:
    """What is made of each recording.

    task: what an executor is asked, whose answer has a `row`.
    name: of the model or the descriptor set; failures are kept under it.
    table: of the catalog, with a row for each content hash.
    schema: of the table: content_hash, and the columns of a row.
    failure_stage: of files that cannot be read for it.
    """

    task: Literal["embed", "describe"]
    name: str
    table: str
    schema: pa.Schema
    failure_stage: str


def embed_stage(card: ModelCard) -> StageSpec:
    """The stage that makes vectors of a model."""
    schema = vectors_schema(card.dim)
    return StageSpec("embed", card.name, f"vectors/{card.name}", schema, "decode")


def describe_stage(descriptor_set: str = DESCRIPTOR_SET) -> StageSpec:
    """The stage that makes the rows of a descriptor set."""
    found = load_descriptor_set(descriptor_set)
    return StageSpec("describe", found.name, found.table, found.schema(), found.stage)


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read.

    known_hash: of its content, where it has not changed since it was taken. stages: what is
    to be made of it, where its recording has no such row; with `force`, also where it has.
    read_tags: also where the hash is known.
    """

    found: SourceFile
    known_hash: str | None
    new: bool
    stages: tuple[StageSpec, ...]
    force: bool
    read_tags: bool = False


@dataclass(slots=True)
class Result:
    """What came of one task.

    tags: None where they were not read again. rows: what was made, by the name of the
    stage. tried: the stages that were asked for. failures: by the name of the stage that failed,
    None where the file could not even be inspected.
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
        """The length of what was read now, as far as tags or rows tell; 0 where nothing was."""
        told = [row.get("heard_seconds") or 0.0 for row in self.rows.values()]
        told.append((self.tags or {}).get("duration_seconds") or 0.0)
        return float(max(told)) if self.rows else 0.0

    def fail(self, name: str | None, stage: str, reason: str) -> None:
        """Note why a stage, or the inspection, has made nothing."""
        found = self.found
        self.failures[name] = Failure(found.track_id, found.path, stage, reason, self.content_hash)
