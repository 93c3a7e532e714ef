"""What went wrong in files that are joined: damaged rows are counted and named, none stops."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

_EXAMPLES = 3
_SHOWN = 120  # characters of a damaged row


@dataclass(slots=True)
class JoinNotes:
    """Counts of one run, and where damaged rows are written to.

    read: rows of recordings that could be used. damaged: rows that could not, by reason. cells:
    values that were left out of rows that could, by column. examples: of each reason the first
    few, with file and line. others: what files hold beside recordings.
    """

    read: int = 0
    damaged: Counter[str] = field(default_factory=Counter)
    cells: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    out: TextIO | None = None

    def damage(self, reason: str, where: str, text: bytes | str = "") -> None:
        """Count a row that cannot be used; where: its file and line."""
        self.damaged[reason] += 1
        known = self.examples.setdefault(reason, [])
        if len(known) < _EXAMPLES or self.out is not None:
            shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            shown = " ".join(shown[: 4 * _SHOWN].split())[:_SHOWN]
            if len(known) < _EXAMPLES:
                known.append(f"{where}: {shown}" if shown else where)
            if self.out is not None:
                csv.writer(self.out, lineterminator="\n").writerow([where, reason, shown])

    def note(self, text: str) -> None:
        """Remember something about a file, once."""
        if text not in self.others:
            self.others.append(text)

    def warnings(self) -> list[str]:
        """A line for each kind of damage, for people."""
        lines = [
            f"{count:,} damaged rows left out: {reason} (such as {self.examples[reason][0]})"
            for reason, count in self.damaged.most_common()
        ]
        lines += [f"{n:,} values left out: {what}" for what, n in self.cells.most_common()]
        return [*lines, *self.others]


def open_damage_list(path: Path) -> TextIO:
    """A CSV file for damaged rows: where, reason, text."""
    file = path.open("w", encoding="utf-8", newline="")
    csv.writer(file, lineterminator="\n").writerow(["where", "reason", "text"])
    return file
