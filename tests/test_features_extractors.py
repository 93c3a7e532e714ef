"""Each measurement alone gives what `describe` gives, and all are found under one name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from numpy.typing import NDArray
from tonal_samples import chords, drums

import musicu
from musicu import features
from musicu.errors import AudioError
from musicu.features.descriptors import NAMES, Descriptors, descriptors_schema
from musicu.records import Audio

RATE = 44_100
CAMELOT = ("8A", "3B", "9A", None, "8B", "12A")

#: Each extractor, and its values by the descriptor's names.
EXTRACTORS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "tempo_of": lambda t: {
        "tempo_bpm": t.bpm,
        "tempo_confidence": t.confidence,
        "tempo_stability": t.stability,
        "beats_seconds": tuple(t.beats.tolist()),
    },
    "key_of": lambda k: {
        "key": f"{k.tonic} {k.mode}",
        "key_camelot": k.camelot,
        "key_confidence": k.confidence,
        "tuning_cents": k.tuning_cents,
    },
    "loudness_of": lambda v: {
        "loudness_lufs": v.integrated_lufs,
        "loudness_range_lu": v.range_lu,
        "momentary_max_lufs": v.momentary_max_lufs,
        "short_term_max_lufs": v.short_term_max_lufs,
    },
    "true_peak_of": lambda peak: {"true_peak_dbtp": peak},
    "stereo_of": lambda s: {
        "stereo_width": s.width,
        "stereo_correlation": s.correlation,
        "stereo_correlation_low": s.correlation_low,
        "mono_change_db": s.mono_change_db,
        "balance_db": s.balance_db,
    },
    "spectrum_of": lambda s: {
        "brightness_hz": s.brightness_hz,
        "flatness": s.flatness,
        "percussive_share": s.percussive_share,
    },
    "silence_of": lambda e: {
        "silence_start_seconds": e.silence_start_seconds,
        "silence_end_seconds": e.silence_end_seconds,
        "fade_out_seconds": e.fade_out_seconds,
    },
}


@pytest.fixture(scope="module")
def band() -> NDArray[np.float32]:
    beat, harmony = drums(80, 12.0, RATE), chords(4, "minor", 12.0, rate=RATE)
    return np.stack([0.5 * beat + harmony, 0.3 * beat + harmony], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def described(band: NDArray[np.float32]) -> Descriptors:
    return musicu.describe(band, RATE)


@pytest.mark.parametrize("name", EXTRACTORS)
def test_alone_equals_described_from_samples_and_files(
    name: str, band: NDArray[np.float32], described: Descriptors, tmp_path: Path
) -> None:
    sf.write(tmp_path / "band.wav", band, RATE, subtype="FLOAT")
    extractor = getattr(features, name)
    for given in ((band, RATE), (tmp_path / "band.wav",), (str(tmp_path / "band.wav"),)):
        found = EXTRACTORS[name](extractor(*given))
        assert found == {key: getattr(described, key) for key in found}


@pytest.mark.parametrize("name", EXTRACTORS)
def test_an_audio_is_a_mono_recording(name: str, band: NDArray[np.float32]) -> None:
    mono = np.ascontiguousarray(band[:, 0])
    extractor = getattr(features, name)
    one, other = extractor(Audio.of(mono, RATE)), extractor(mono, RATE)
    assert EXTRACTORS[name](one) == EXTRACTORS[name](other)


@pytest.mark.parametrize("name", [*EXTRACTORS, "picture_of"])
def test_wrong_input_is_refused_alike(name: str, tmp_path: Path) -> None:
    extractor = getattr(features, name)
    with pytest.raises(AudioError, match="sample_rate"):
        extractor(np.zeros(RATE, np.float32))
    with pytest.raises(AudioError, match="4000 Hz"):
        extractor(np.zeros(RATE, np.float32), 4000)
    with pytest.raises(AudioError, match="no such file"):
        extractor(tmp_path / "none.wav")


@pytest.mark.parametrize("name", EXTRACTORS)
def test_silence_is_unknown_in_every_extractor(name: str) -> None:
    values = EXTRACTORS[name](getattr(features, name)(np.zeros((5 * RATE, 2), np.float32), RATE))
    told = {key: value for key, value in values.items() if value not in (None, (), 0.0)}
    assert told in ({}, {"key": "None None"})


def test_the_table_of_columns_is_the_schemas() -> None:
    table = features.columns()
    assert table["name"].to_pylist() == list(NAMES)
    assert table.column_names == ["name", "type", "unit", "range", "definition", "source"]
    schema = descriptors_schema()
    assert table["type"].to_pylist() == [str(schema.field(name).type) for name in NAMES]


def test_harmonic_neighbours_are_a_condition_on_camelot() -> None:
    from musicu.retrieval import matching_rows

    rows = [{"track_id": str(i), "key_camelot": key} for i, key in enumerate(CAMELOT)]
    found = matching_rows(pa.Table.from_pylist(rows), "key_camelot in (8A, 7A, 9A, 8B)")
    assert [CAMELOT[int(i)] for i in found] == ["8A", "9A", "8B"]


def test_names_are_found_and_nothing_heavy_is_loaded_for_them() -> None:
    assert musicu.features is features
    assert musicu.describe is features.describe
    assert all(getattr(features, name) is not None for name in features.__all__)
    script = (
        "import sys, musicu.features; print([m for m in ('numpy', 'scipy') if m in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "[]"
