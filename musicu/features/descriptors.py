"""The set `musicu-descriptors-v2`: what is said of a recording.

What each number means stands in `descriptors.csv`. Names never change their meaning: a new meaning
is a new set. `musicu-descriptors-v1` has all of it but the voice.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.catalog.schema import DESCRIPTOR_SET

SET_NAME = DESCRIPTOR_SET
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """What `musicu.features.describe` says of a recording; None stands for unknown, never NaN."""

    heard_seconds: float
    complete: bool
    tempo_bpm: float | None = None
    tempo_confidence: float | None = None
    tempo_alternatives_bpm: tuple[float, ...] | None = None
    tempo_alternatives_relation: tuple[str, ...] | None = None
    tempo_stability: float | None = None
    beats_seconds: tuple[float, ...] | None = None
    key: str | None = None
    key_camelot: str | None = None
    key_confidence: float | None = None
    tuning_cents: float | None = None
    loudness_lufs: float | None = None
    loudness_range_lu: float | None = None
    momentary_max_lufs: float | None = None
    short_term_max_lufs: float | None = None
    true_peak_dbtp: float | None = None
    plr_db: float | None = None
    crest_db: float | None = None
    stereo_width: float | None = None
    stereo_correlation: float | None = None
    stereo_correlation_low: float | None = None
    mono_change_db: float | None = None
    balance_db: float | None = None
    silence_start_seconds: float | None = None
    silence_end_seconds: float | None = None
    fade_out_seconds: float | None = None
    brightness_hz: float | None = None
    flatness: float | None = None
    percussive_share: float | None = None
    onset_rate: float | None = None
    energy: float | None = None
    danceability: float | None = None
    vocal_probability: float | None = None

    def document(self) -> dict[str, Any]:
        """The values by name, as they go into JSON."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(f.name for f in fields(Descriptors))
NAMES_V1 = tuple(name for name in NAMES if name != "vocal_probability")


@lru_cache(maxsize=1)
def _definitions() -> tuple[dict[str, str], ...]:
    """The rows of `descriptors.csv`, in the order of the columns of the set."""
    with (HERE / "descriptors.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _arrow_type(words: str) -> pa.DataType:
    """A type as `descriptors.csv` has it: "float", or "float list"."""
    name, *several = words.split()
    return pa.list_(pa.type_for_alias(name)) if several else pa.type_for_alias(name)


def descriptors_schema(names: tuple[str, ...] = NAMES) -> pa.Schema:
    """The table of a set: `content_hash`, then a column a descriptor.

    names: `NAMES`, or those of the first set, `NAMES_V1`. Each field's metadata holds its
    definition, unit, range and source.
    """
    about = ("definition", "unit", "range", "source")
    columns = [
        pa.field(row["name"], _arrow_type(row["type"]), metadata={key: row[key] for key in about})
        for row in _definitions()
        if row["name"] in names
    ]
    return pa.schema([pa.field("content_hash", pa.string(), nullable=False), *columns])


def columns() -> pa.Table:
    """The columns of the set, a row each: name, type, unit, range, definition, source."""
    rows = [{**row, "type": str(_arrow_type(row["type"]))} for row in _definitions()]
    return pa.Table.from_pylist(rows)


def reference_page() -> str:
    """The reference page of the set, in Markdown: one row a column."""
    lines = [
        f"# The descriptors of `{SET_NAME}`",
        "",
        "`musicu describe` gives these for every recording. A missing value (null) means that it "
        "is unknown: the recording is silent, too short, or has no such thing. There is no NaN. "
        "Names never change their meaning: a new meaning is a new set.",
        "",
        "Written from `musicu/features/descriptors.csv` by "
        "`python -m musicu.features.descriptors > docs/descriptors.md`.",
        "",
        "| column | type | unit | range | what it is | source |",
        "|---|---|---|---|---|---|",
    ]
    for row in columns().to_pylist():
        cells = [row[name] for name in ("type", "unit", "range", "definition", "source")]
        lines.append(f"| `{row['name']}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n" + (HERE / "remarks.md").read_text(encoding="utf-8")


if __name__ == "__main__":
    print(reference_page(), end="")
