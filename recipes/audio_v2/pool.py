"""Stage 1: the material of the views as sound at 32 kHz, one NumPy file a clip.

    python -m recipes.audio_v2.pool POOL --music FOLDER --voices 400 --bands 320

POOL receives `music/` (every recording that FOLDER's `tracks.csv` names), `bands/` (pieces made by
rules and played by fluidsynth, some of their guitars through an amplifier) and `voices/` (espeak-ng
singing their tunes, and speaking). Clips that are there are kept: a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.audio import read_audio
from recipes.audio_v2.amplifier import amplify
from recipes.audio_v2.teachers import RATE
from recipes.audio_v2.voices import draw_voice, sing_words, speak
from recipes.bands import STYLES, RenderedPiece, StyledBand, compose, form_band
from recipes.midi import midi_file, play_midi

Samples = NDArray[np.float32]
_SECONDS = 14.0  # of a made clip
_GUITARS = (27, 28, 29, 30)  # General MIDI programs that an amplifier may follow
_PEAK = 0.9


def clips(folder: Path, kind: str) -> list[NDArray[np.int16]]:
    """The clips of one kind, `music`, `bands` or `voices`, memory-mapped, in order of names."""
    return [np.load(path, mmap_mode="r") for path in sorted((folder / kind).glob("*.npy"))]


def read_music(folder: Path, music: Path) -> None:
    """Every recording of `music` as a clip."""
    with (music / "tracks.csv").open(encoding="utf-8", newline="") as file:
        paths = sorted(row["path"] for row in csv.DictReader(file))
    for number, path in enumerate(paths):
        _keep(folder / "music" / f"{number:04d}.npy", partial(_read, music / path))


def make_bands(folder: Path, count: int, seed: int) -> None:
    """`count` instrumental pieces of all styles by turns."""
    for number in range(count):
        _keep(folder / "bands" / f"{number:04d}.npy", partial(_play, seed, number))


def make_voices(folder: Path, count: int, seed: int) -> None:
    """`count` clips of a voice alone: the tunes of pieces sung, every eighth spoken."""
    for number in range(count):
        _keep(folder / "voices" / f"{number:04d}.npy", partial(_voice, seed, number))


def _keep(path: Path, make: Callable[[], Samples]) -> None:
    """Write what `make` gives, at full level, unless it is there."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = make()
    scale = 32_767 * _PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-6)
    unfinished = path.with_suffix(".partial")
    with unfinished.open("wb") as file:
        np.save(file, np.round(sound * scale).astype(np.int16))
    unfinished.replace(path)


def _read(path: Path) -> Samples:
    return read_audio(path, RATE).samples


def _piece(seed: int, number: int, sings: bool) -> tuple[StyledBand, RenderedPiece]:
    """A band and its piece; one that sings, or whose tune is played."""
    rng = np.random.default_rng([seed, number, int(sings)])
    style = number % len(STYLES)
    band = form_band(rng, style)
    while (band.voice is not None) != sings:
        style = style if STYLES[style].voice > 0 or not sings else int(rng.integers(len(STYLES)))
        band = form_band(rng, style)
    return band, compose(band, _SECONDS, rng)


def _play(seed: int, number: int) -> Samples:
    """A piece without a voice, guitars through an amplifier where there are some, mostly."""
    band, piece = _piece(seed, number, sings=False)
    rng = np.random.default_rng([seed, number, 2])
    driven = [c for c in band.channels if c.program in _GUITARS and c.number != 9]
    if not driven or rng.random() < 0.25:
        return play_midi(midi_file(piece.notes, band.channels, piece.bpm), RATE)
    numbers = {c.number for c in driven}
    rest = [n for n in piece.notes if n.channel not in numbers]
    others = [c for c in band.channels if c.number not in numbers]
    sound = play_midi(midi_file(rest, others, piece.bpm), RATE)
    clean = [c._replace(program=27, reverb=0) for c in driven]
    notes = [n for n in piece.notes if n.channel in numbers]
    if not notes:
        return sound
    guitar = amplify(play_midi(midi_file(notes, clean, piece.bpm), RATE), RATE, rng)
    n = max(len(sound), len(guitar))
    mixed = np.pad(sound, (0, n - len(sound)))
    level = float(np.sqrt(np.mean(sound**2))) or 0.1
    mixed += np.pad(guitar, (0, n - len(guitar))) * np.float32(level * rng.uniform(0.4, 1.4))
    return mixed


def _voice(seed: int, number: int) -> Samples:
    rng = np.random.default_rng([seed, number, 3])
    voice = draw_voice(rng)
    if number % 8 == 7:
        return speak(voice, _SECONDS, RATE, rng)
    _, piece = _piece(seed, number, sings=True)
    return sing_words(piece.sung, piece.bpm, voice, RATE, rng)


def main() -> None:
    """Make what the command line asks for."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("pool", type=Path)
    options.add_argument("--music", type=Path)
    options.add_argument("--bands", type=int, default=0)
    options.add_argument("--voices", type=int, default=0)
    options.add_argument("--seed", type=int, default=2)
    chosen = options.parse_args()
    if chosen.music:
        read_music(chosen.pool, chosen.music)
    make_bands(chosen.pool, chosen.bands, chosen.seed)
    make_voices(chosen.pool, chosen.voices, chosen.seed)


if __name__ == "__main__":
    main()
