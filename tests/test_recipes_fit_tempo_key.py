"""How the scorers of tempo and key are fitted: what is read, kept and learned."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from tonal_samples import RATE, chords, drums

from musicu.audio import read_audio
from musicu.features.scorer import read_scorer
from recipes import fit_tempo_key
from recipes.fit_tempo_key import analyse, beginning, half_of, read_pieces


def music(folder: Path, tempi: tuple[float, ...]) -> Path:
    """Pieces with a beat and a key, and what is known of them."""
    folder.mkdir(parents=True)
    lines = []
    for number, bpm in enumerate(tempi):
        tonic, mode = number % 12, ("major", "minor")[number % 2]
        harmony, beat = chords(tonic, mode, 8.0), drums(bpm, 8.0)
        n = min(len(harmony), len(beat))
        sf.write(folder / f"{number}.flac", 0.4 * (harmony[:n] + beat[:n]), RATE)
        truth = {"file": f"{number}.flac", "style": "s", "bpm": bpm, "tonic": tonic, "mode": mode}
        lines.append(json.dumps(truth | {"cents": 0.0}))
    (folder / "truth.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_what_is_remembered_is_what_was_heard(tmp_path: Path) -> None:
    folder = music(tmp_path / "made", (100.0,))
    now = list(read_pieces(folder, worn=True))
    first = list(read_pieces(folder, tmp_path / "memory", worn=True))
    (folder / "0.flac").unlink()  # the second time nothing is read
    again = list(read_pieces(folder, tmp_path / "memory", worn=True))
    assert len(now) == len(first) == len(again) == 2
    for (a, _), (b, _), (c, truth) in zip(now, first, again, strict=True):
        assert truth["bpm"] == 100.0
        for one, other in ((a, b), (a, c)):
            np.testing.assert_array_equal(one.onsets, other.onsets)
            np.testing.assert_array_equal(one.chroma, other.chroma)
            assert one.speed == other.speed


def test_the_beginning_of_a_recording_is_its_first_minute(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    sf.write(path, np.tile(drums(120, 20.0), 4) * 0.5, RATE)
    np.testing.assert_array_equal(beginning(path), read_audio(path, RATE).samples[: 60 * RATE])


def test_an_artist_belongs_to_one_half() -> None:
    halves = {half_of(f"artist {n}/album/title.opus") for n in range(40)}
    assert halves == {0, 1}
    assert half_of("one/a/b.opus") == half_of("one/c/d.opus")


def test_a_worn_copy_is_known_by_how_much_faster_it_is_played(tmp_path: Path) -> None:
    folder = music(tmp_path / "made", (90.0, 100.0, 110.0, 120.0))
    speeds = [piece.speed for piece, _ in read_pieces(folder, worn=True)]
    assert speeds[::2] == [1.0] * 4
    assert any(speed != 1.0 for speed in speeds[1::2])
    assert all(0.96 <= speed <= 1.04 for speed in speeds)


def test_the_recipe_writes_scorers_that_know_what_they_were_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tempi = tuple(float(bpm) for bpm in range(84, 156, 12))
    folder, away = music(tmp_path / "made", tempi), music(tmp_path / "away", tempi[::3])
    rows = {"path": ["0.flac", "1.flac"], "bpm": list(tempi[:2]), "key": ["C major", "Db minor"]}
    table = tmp_path / "answers.parquet"
    pq.write_table(pa.table(rows), table)
    options = ["OUT", "--fit", folder, "--held-out", away, "--music", folder, "--answers", table]
    for name in ("TEMPO_CONFIG", "KEY_CONFIG"):
        config = replace(getattr(fit_tempo_key, name), networks=1, epochs=20)
        monkeypatch.setattr(fit_tempo_key, name, config)
    monkeypatch.setattr(sys, "argv", [str(o) for o in ("fit", tmp_path / "out", *options[1:])])
    fit_tempo_key.main()
    tempo, key = (read_scorer(tmp_path / "out" / f"{n}.safetensors") for n in ("tempo", "key"))
    piece = analyse(read_audio(folder / "4.flac", RATE).samples)
    assert tempo.scores(piece.candidates()[1]).shape == (len(piece.candidates()[0]), 1)
    assert fit_tempo_key.answer("key", key, piece)[0] == 8.0  # E major
    assert (np.diff(key.calibration.right) >= 0).all()
