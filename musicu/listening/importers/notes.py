"""What the reading of histories leaves out, counted and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from musicu.records import counted

_FILES_NAMED = 20


@dataclass(slots=True)
class ReadingNotes:
    """What the readers of some files left out, and what they were not sure of.

    skipped: a sentence for each file that was passed over. left_out: (file, why) → records. doubts:
    sentences on columns whose meaning nothing tells.
    """

    skipped: list[str] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    doubts: list[str] = field(default_factory=list)

    def leave_out(self, where: str, why: str, count: int = 1) -> None:
        """Count records of a file that cannot be used."""
        if count:
            self.left_out[where, why] += count

    def warnings(self) -> Iterator[str]:
        """A sentence for each file, each kind of record that was left out, and each doubt."""
        for sentence in self.skipped[:_FILES_NAMED]:
            yield f"passed over: {sentence}"
        if len(self.skipped) > _FILES_NAMED:
            yield f"… and {len(self.skipped) - _FILES_NAMED:,} more files passed over"
        for (where, why), count in self.left_out.items():
            yield f"{where}: {counted(count, 'record')} left out: {why}"
        yield from self.doubts
