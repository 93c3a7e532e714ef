"""Music made by rules: what is known of it is true of what sounds."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from musicu.embeddings.training.made import INDEX, MadePiece, read_made
from musicu.errors import ModelError, MusicuError
from recipes.bands import MODES, STYLES, compose, form_band
from recipes.midi import DRUMS, Channel, MidiNote, _variable_length, midi_file
from recipes.render_training_music import RenderConfig, render_set
from recipes.singing import Singer, sing

RATE = 22_050
SMALL = RenderConfig(bands=2, pieces=2, seconds=8.0, seed=3)
with_synthesiser = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not Path(SMALL.soundfont).is_file(),
    reason="needs fluidsynth and fluid-soundfont-gm",
)


def test_numbers_of_a_midi_file_are_as_the_standard_writes_them() -> None:
    # RP-001 (1996), page 2
    known = {0: "00", 0x40: "40", 0x7F: "7f", 0x80: "8100", 0x2000: "c000", 0x3FFF: "ff7f"}
    known |= {0x4000: "818000", 0x1FFFFF: "ffff7f", 0x200000: "81808000"}
    assert {number: _variable_length(number).hex() for number in known} == known


def test_a_midi_file_holds_its_notes_in_time() -> None:
    notes = [
        MidiNote(0, 0.0, 1.0, 60, 90),
        MidiNote(0, 1.0, 0.5, 60, 80),
        MidiNote(DRUMS, 0.5, 0.1, 38, 100),
    ]
    data = midi_file(notes, [Channel(0, 40, 100, 64, 20)], 120.0)
    assert data[:14].hex() == "4d546864000000060000000101e0"
    assert int.from_bytes(data[18:22], "big") == len(data) - 22
    events, at, now = [], 22 + 7, 0  # behind the tempo
    assert int.from_bytes(data[22 + 4 : 22 + 7], "big") == 500_000
    while data[at + 1] != 0xFF or data[at] != 0:
        delta = 0
        while data[at] & 0x80:
            delta, at = (delta << 7) | (data[at] & 0x7F), at + 1
        delta, at = (delta << 7) | data[at], at + 1
        now += delta
        size = 2 if data[at] & 0xF0 == 0xC0 else 3
        events.append((now, *data[at : at + size]))
        at += size
    played = [event for event in events if event[1] & 0xF0 in (0x80, 0x90)]
    assert played == [
        (0, 0x90, 60, 90),
        (240, 0x99, 38, 100),
        (288, 0x89, 38, 0),
        (480, 0x80, 60, 0),  # a note ends before the next of its pitch begins
        (480, 0x90, 60, 80),
        (720, 0x80, 60, 0),
    ]


@pytest.mark.parametrize("style", range(len(STYLES)))
def test_pieces_of_a_band_share_its_manner_and_keep_to_their_keys(style: int) -> None:
    band = form_band(np.random.default_rng([1, style]), style)
    pieces = [compose(band, 24.0, np.random.default_rng([2, take])) for take in range(4)]
    assert len({piece.key for piece in pieces}) > 1
    for piece in pieces:
        assert abs(piece.bpm / band.bpm - 1) <= 0.07
        used = {note.channel for note in piece.notes}
        assert used <= {channel.number for channel in band.channels}
        scale = {(piece.key + step) % 12 for step in MODES[piece.mode]}
        tuned = [note for note in (*piece.notes, *piece.sung) if note.channel != DRUMS]
        assert np.mean([note.pitch % 12 in scale for note in tuned]) > 0.9
        assert all(0 <= note.pitch <= 127 and 1 <= note.velocity <= 127 for note in piece.notes)
        last = max(note.start + note.length for note in piece.notes) * 60 / piece.bpm
        assert abs(last - 24.0) < 1.1 * 240 / piece.bpm


def test_a_sung_note_has_its_pitch() -> None:
    singer = Singer(1.0, 0, 0.0, 5.0, 0.01, 9.0, 0.0)
    notes = [MidiNote(4, 0.0, 2.0, 57, 100)]  # A3, 220 Hz
    sound = sing(notes, singer, 60.0, 2 * RATE, RATE, np.random.default_rng(0))
    middle = sound[RATE // 2 : RATE // 2 + 8192].astype(np.float64)
    likeness = np.correlate(middle, middle, "full")[8191:]
    lags = slice(RATE // 500, RATE // 100)
    period = lags.start + int(likeness[lags].argmax())
    assert RATE / period == pytest.approx(220.0, rel=0.02)


def _in_key(piece: dict[str, Any], path: Path) -> float:
    """Share of the sound between 200 and 2,000 Hz that lies on notes of the piece's scale."""
    sound, rate = sf.read(path)
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / rate)
    heard = (hz > 200) & (hz < 2000)
    notes = np.round(69 + 12 * np.log2(hz[heard] / 440.0)).astype(int)
    scale = [(piece["key"] + step) % 12 for step in MODES[piece["mode"]]]
    return float(power[heard][np.isin(notes % 12, scale)].sum() / power[heard].sum())


@with_synthesiser
def test_what_sounds_is_what_is_known_of_it(tmp_path: Path) -> None:
    render_set(tmp_path / "a", SMALL)
    pieces = read_made(tmp_path / "a")
    assert [piece.band for piece in pieces] == [0, 0, 1, 1]
    rows = json.loads((tmp_path / "a" / INDEX).read_text(encoding="utf-8"))["pieces"]
    for piece, row in zip(pieces, rows, strict=True):
        sound, rate = sf.read(piece.path)
        assert rate == RATE
        assert 6.0 < len(sound) / rate < 16.0
        assert np.abs(sound).max() == pytest.approx(0.7, abs=0.01)
        assert _in_key(row, piece.path) > 0.8
    states = [piece.path.stat().st_mtime_ns for piece in pieces]
    render_set(tmp_path / "a", SMALL)
    assert read_made(tmp_path / "a") == pieces
    assert [piece.path.stat().st_mtime_ns for piece in pieces] == states
    other = dataclasses.replace(SMALL, seed=4, bands=1, pieces=1)
    with pytest.raises(MusicuError, match="music of other options"):
        render_set(tmp_path / "a", other)
    render_set(tmp_path / "b", other)
    assert (tmp_path / "b/0000-0.flac").read_bytes() != pieces[0].path.read_bytes()


def test_a_missing_soundfont_is_said(tmp_path: Path) -> None:
    with pytest.raises(MusicuError, match=r"nothing\.sf2"):
        render_set(tmp_path, dataclasses.replace(SMALL, soundfont=str(tmp_path / "nothing.sf2")))


def _index(folder: Path, **changed: Any) -> Path:
    folder.mkdir()
    piece = {"file": "a.flac", "band": 3, "style": "jazz", "families": [0, 17]} | changed
    (folder / INDEX).write_text(json.dumps({"format": 1, "pieces": [piece]}), encoding="utf-8")
    return folder


def test_a_folder_of_made_pieces_is_read_or_refused_by_name(tmp_path: Path) -> None:
    good = _index(tmp_path / "good")
    assert read_made(good) == [MadePiece(good / "a.flac", 3, "jazz", (0, 17))]
    for number, wrong in enumerate(({"families": [18]}, {"band": None}, {"families": 3})):
        with pytest.raises(ModelError, match="no index of made pieces"):
            read_made(_index(tmp_path / str(number), **wrong))
    with pytest.raises(ModelError, match="render_training_music"):
        read_made(tmp_path / "nowhere")


def test_a_recipe_with_made_pieces_asks_for_their_folder(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="training needs torch and onnxscript")
    from training_samples import TINY, made_sound, made_tracks

    from musicu.embeddings.training.train_audio import train_audio

    recipe = dataclasses.replace(TINY, rendered_share=0.34)
    with pytest.raises(ModelError, match=r"rendered_share 0\.34.*--made"):
        train_audio(made_tracks(tmp_path), recipe, tmp_path / "run", read=made_sound)


@with_synthesiser
def test_made_pieces_are_learned_from_and_the_head_is_fitted_to_them(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="training needs torch and onnxscript")
    from training_samples import TINY, made_sound, made_tracks

    from musicu.embeddings.embedder import Embedder
    from musicu.embeddings.training.projection_head import HeadConfig
    from musicu.embeddings.training.train_audio import train_audio

    render_set(tmp_path / "made", SMALL)
    tracks = made_tracks(tmp_path)

    def read(path: Path) -> np.ndarray:
        if path.suffix == ".flac":
            sound, _ = sf.read(path, dtype="float32")
            return np.asarray(sound, dtype=np.float32)
        return made_sound(path)

    recipe = dataclasses.replace(
        TINY, statistics=True, rendered_share=0.34, head=HeadConfig(12, 6, made=0.5)
    )
    deaf = dataclasses.replace(recipe, head=HeadConfig(12, 6))
    folders = [
        train_audio(tracks, r, tmp_path / name, made=tmp_path / "made", read=read).model
        for name, r in (("with", recipe), ("without", deaf))
    ]
    assert Embedder.load(folders[0]).dim == 12
    for file, alike in (("weights.safetensors", True), ("constants.safetensors", False)):
        one, other = ((folder / file).read_bytes() for folder in folders)
        assert (one == other) == alike
