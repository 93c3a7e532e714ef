"""What goes to a worker, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.sources import SourceFile
from musicu.records import Failure


@dataclass(frozen=True, slots=True)
class Task:
    """A file to read. known_hash: of its content, where it has not changed since it was taken."""

    found: SourceFile
    known_hash: str | None
    new: bool
    force: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one task.

    tags: None where they were not read again. vector: None where none was made; `reused` says
    that the sound had one. failure: why the track has none, or why it is unreadable.
    """

    found: SourceFile
    new: bool
    tags: Mapping[str, Any] | None = None
    content_hash: str | None = None
    vector: NDArray[np.float32] | None = None
    complete: bool | None = None
    reused: bool = False
    failure: Failure | None = None

    @property
    def audio_seconds(self) -> float:
        """The recording's length after its tags, 0 where unknown."""
        return float((self.tags or {}).get("duration_seconds") or 0.0)
