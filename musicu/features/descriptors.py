"""The set `musicu-descriptors-v1`: what is said of a recording, and what each number means.

Names never change their meaning: a new meaning is a new set.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from musicu.catalog.schema import DESCRIPTOR_SET

SET_NAME = DESCRIPTOR_SET
REMARKS = Path(__file__).parent / "remarks.md"

_BS1770 = "ITU-R BS.1770-4"
_R128 = "EBU R 128, Tech 3341"


def _column(
    type_: pa.DataType, definition: str, unit: str, range_: str, source: str = "musicu"
) -> Any:
    """A field of the record, unknown (None) unless given."""
    about = {"definition": definition, "unit": unit, "range": range_, "source": source}
    return field(default=None, metadata={"type": type_, **about})


_NUMBER = pa.float32()
_NUMBERS = pa.list_(pa.float32())


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """What `musicu.features.describe` says of a recording; None stands for unknown, never NaN."""

    heard_seconds: float = _column(
        pa.float64(), "Length of the decoded audio.", "s", "at least 0.2"
    )
    complete: bool = _column(
        pa.bool_(),
        "False if decoding stopped before the end that the file declares.",
        "",
        "true or false",
    )
    tempo_bpm: float | None = _column(
        _NUMBER,
        "Tempo: beats a minute. Unknown in silence and under 3 s; where there is no beat, the "
        "confidence is low.",
        "BPM",
        "30 to 300",
    )
    tempo_confidence: float | None = _column(
        _NUMBER,
        "The chance that tempo_bpm is within 4 % of what a musician would say; see below how it "
        "is calibrated.",
        "probability",
        "0 to 1",
    )
    tempo_alternatives_bpm: tuple[float, ...] | None = _column(
        _NUMBERS,
        "The next most likely tempi, at most three, most likely first.",
        "BPM",
        "30 to 300",
    )
    tempo_alternatives_relation: tuple[str, ...] | None = _column(
        pa.list_(pa.string()),
        "What each alternative is to tempo_bpm: half, double, third, triple, dotted (2/3), "
        "triplet (3/2) or other.",
        "",
        "these words",
    )
    tempo_stability: float | None = _column(
        _NUMBER,
        "The share of beats within 3 % of the median tempo; unknown under eight beats.",
        "share",
        "0 to 1",
    )
    beats_seconds: tuple[float, ...] | None = _column(
        _NUMBERS, "Where the beats fall, from the start of the recording, rising.", "s", "0 and up"
    )
    key: str | None = _column(
        pa.string(),
        'Tonic and mode, such as "A minor" or "Eb major". Unknown where no pitch is heard; where '
        "there is no key, the confidence is low.",
        "",
        "C, C#, D, Eb, E, F, F#, G, Ab, A, Bb or B, major or minor",
    )
    key_camelot: str | None = _column(
        pa.string(),
        "The key on the Camelot wheel: neighbouring numbers, and A and B of one number, mix well.",
        "",
        "1A to 12B",
    )
    key_confidence: float | None = _column(
        _NUMBER,
        "The chance that tonic and mode are what a musician would say; see below how it is "
        "calibrated.",
        "probability",
        "0 to 1",
    )
    tuning_cents: float | None = _column(
        _NUMBER,
        "How far the recording's A lies from 440 Hz, as far as pitches tell; unknown where none "
        "is heard.",
        "cents",
        "-50 to 50",
    )
    loudness_lufs: float | None = _column(
        _NUMBER,
        "Integrated loudness, gated at -70 LUFS and 10 LU under what passes; unknown under 0.4 s "
        "and in silence.",
        "LUFS",
        "-70 to 5",
        f"{_BS1770}; {_R128}",
    )
    loudness_range_lu: float | None = _column(
        _NUMBER,
        "Loudness range: from the 10th to the 95th percentile of the loudness of 3 s; unknown "
        "under 3 s and in silence.",
        "LU",
        "0 to 50",
        "EBU Tech 3342",
    )
    momentary_max_lufs: float | None = _column(
        _NUMBER, "The loudest 0.4 s.", "LUFS", "-70 to 10", _R128
    )
    short_term_max_lufs: float | None = _column(
        _NUMBER, "The loudest 3 s.", "LUFS", "-70 to 10", _R128
    )
    true_peak_dbtp: float | None = _column(
        _NUMBER,
        "The highest point of the wave between samples, by fourfold oversampling, over all "
        "channels; above 0 it may clip when it is played or encoded. Unknown in digital silence.",
        "dBTP",
        "-200 to 20",
        f"{_BS1770}, annex 2",
    )
    plr_db: float | None = _column(
        _NUMBER,
        "Peak-to-loudness ratio: true peak less integrated loudness. Small where music is "
        "compressed and limited, large where it breathes.",
        "dB",
        "0 to 60",
        "AES TD1008",
    )
    crest_db: float | None = _column(
        _NUMBER,
        "Crest factor: the highest sample over the root mean square of all channels.",
        "dB",
        "0 to 100",
    )
    stereo_width: float | None = _column(
        _NUMBER,
        "The side signal's share of the power, (L-R)² / ((L-R)² + (L+R)²): 0 mono, 0.5 unrelated "
        "channels or one alone, 1 opposite phase. Unknown for more than two channels.",
        "share",
        "0 to 1",
    )
    stereo_correlation: float | None = _column(
        _NUMBER,
        "Correlation of left and right; 1 for mono, negative where channels work against each "
        "other. Unknown where one is silent.",
        "",
        "-1 to 1",
    )
    stereo_correlation_low: float | None = _column(
        _NUMBER,
        "The 5th percentile of the correlation over half-seconds: where mono is worst served.",
        "",
        "-1 to 1",
    )
    mono_change_db: float | None = _column(
        _NUMBER,
        "Mono compatibility: the level of (L+R)/2 relative to the mean power of the channels; 0 "
        "where nothing is lost, -3 for unrelated channels, below -6 where parts cancel.",
        "dB",
        "-60 to 0",
    )
    balance_db: float | None = _column(
        _NUMBER, "The level of left relative to right.", "dB", "-60 to 60"
    )
    silence_start_seconds: float | None = _column(
        pa.float64(),
        "Before the first 10 ms that are less than 60 LU under the loudest 0.4 s and above -80 "
        "LUFS. Unknown where nothing sounds.",
        "s",
        "0 and up",
    )
    silence_end_seconds: float | None = _column(
        pa.float64(), "After the last such 10 ms.", "s", "0 and up"
    )
    fade_out_seconds: float | None = _column(
        _NUMBER,
        "How long the level falls, steadily and by at least 20 LU, to the last sound; 0 where it "
        "does not. A long natural decay counts.",
        "s",
        "0, or 2 and up",
    )
    brightness_hz: float | None = _column(
        _NUMBER,
        "The centroid of the magnitude spectrum from 40 Hz to 10 kHz, mean over the frames of 93 "
        "ms that sound.",
        "Hz",
        "40 to 10000",
    )
    flatness: float | None = _column(
        _NUMBER,
        "Tone or noise: the geometric over the arithmetic mean of the power in each octave from "
        "100 to 6400 Hz, mean in decibels, relative to white noise. 0 a pure tone, 1 noise.",
        "",
        "0 to 1",
        "after MPEG-7 AudioSpectrumFlatness",
    )
    percussive_share: float | None = _column(
        _NUMBER,
        "The share of the power that is struck rather than held: narrow in time rather than in "
        "frequency, after median filters over nine bands and 0.4 s.",
        "share",
        "0 to 1",
        "after Fitzgerald, DAFx 2010",
    )
    onset_rate: float | None = _column(
        _NUMBER,
        "How many notes or strokes begin in a second: peaks of the rise of the log mel spectrum.",
        "1/s",
        "0 to 15",
        "after Böck and Widmer, DAFx 2013",
    )
    energy: float | None = _column(
        _NUMBER,
        "The mean of three things, each from 0 to 1: onset_rate from 0 to 8, brightness_hz from "
        "500 to 4000 by octaves, plr_db from 20 down to 8. It does not depend on the level.",
        "",
        "0 to 1",
    )
    danceability: float | None = _column(
        _NUMBER,
        "How regularly onsets return at a pace for dancing: the autocorrelation of onset strength "
        "at its best period from 0.375 to 0.75 s (160 to 80 beats a minute), median over 12 s.",
        "",
        "0 to 1",
    )

    def document(self) -> dict[str, Any]:
        """The values by name, as they go into JSON."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(f.name for f in fields(Descriptors))


def descriptors_schema() -> pa.Schema:
    """The table of the set: `content_hash`, then a column a descriptor.

    Each field's metadata holds its definition, unit, range and source.
    """
    columns = [
        pa.field(
            f.name,
            f.metadata["type"],
            metadata={name: text for name, text in f.metadata.items() if name != "type"},
        )
        for f in fields(Descriptors)
    ]
    return pa.schema([pa.field("content_hash", pa.string(), nullable=False), *columns])


def columns() -> pa.Table:
    """The columns of the set, a row each: name, type, unit, range, definition, source."""
    about = [
        {"name": f.name, **f.metadata, "type": str(f.metadata["type"])} for f in fields(Descriptors)
    ]
    names = ("name", "type", "unit", "range", "definition", "source")
    return pa.table({name: [row[name] for row in about] for name in names})


def reference_page() -> str:
    """The reference page of the set, in Markdown: one row a column."""
    lines = [
        f"# The descriptors of `{SET_NAME}`",
        "",
        "`musicu describe` gives these for every recording. A missing value (null) means that it "
        "is unknown: the recording is silent, too short, or has no such thing. There is no NaN. "
        "Names never change their meaning: a new meaning is a new set.",
        "",
        "Written from `musicu.features.descriptors` by "
        "`python -m musicu.features.descriptors > docs/descriptors.md`.",
        "",
        "| column | type | unit | range | what it is | source |",
        "|---|---|---|---|---|---|",
    ]
    for row in columns().to_pylist():
        cells = [row[name] for name in ("type", "unit", "range", "definition", "source")]
        lines.append(f"| `{row['name']}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n" + REMARKS.read_text(encoding="utf-8")


if __name__ == "__main__":
    print(reference_page(), end="")
