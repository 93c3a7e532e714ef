"""What the reading of histories leaves out, counted and named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from musicu.records import counted

_FILES_NAMED = 20


@dataclass(slots=True)
class ReadingNotes:
    """What the readers of some files left out, and what they were not sure of.

    skipped: a sentence for each file that was passed over. left_out: (file, why) → records. doubts:
    sentences on columns whose meaning nothing tells. undated: file → how many moments of it cannot
    be read, and the first.
    """

    skipped: list[str] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    doubts: list[str] = field(default_factory=list)
    undated: dict[str, tuple[int, str]] = field(default_factory=dict)

    def leave_out(self, where: str, why: str, count: int = 1) -> None:
        """Count records of a file that cannot be used."""
        if count:
            self.left_out[where, why] += count

    def leave_undated(self, where: str, moments: pa.Array, cells: pa.Array) -> None:
        """Count the cells that hold no moment, though they hold something; 0 says unknown."""
        texts = cells.cast(pa.string())
        said = pc.invert(pc.is_in(pc.fill_null(texts, ""), value_set=pa.array(["", "0", "0.0"])))
        bad = texts.filter(pc.and_(said, pc.is_null(moments)))
        if len(bad):
            count, first = self.undated.get(where, (0, bad[0].as_py()))
            self.undated[where] = count + len(bad), first

    def warnings(self) -> Iterator[str]:
        """A sentence for each file, each kind of record that was left out, and each doubt."""
        for sentence in self.skipped[:_FILES_NAMED]:
            yield f"passed over: {sentence}"
        if len(self.skipped) > _FILES_NAMED:
            yield f"… and {len(self.skipped) - _FILES_NAMED:,} more files passed over"
        for (where, why), count in self.left_out.items():
            yield f"{where}: {counted(count, 'record')} left out: {why}"
        for where, (count, first) in self.undated.items():
            dates = counted(count, "date")
            yield f"{where}: {dates} cannot be read, the first is {first!r}: left undated"
        yield from self.doubts
