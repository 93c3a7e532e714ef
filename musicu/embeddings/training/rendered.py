"""A training set of music made by rules: bands of many styles, played by fluidsynth."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from musicu.embeddings.frontend import SAMPLE_RATE
from musicu.embeddings.training.rendered_midi import DRUMS, midi_file
from musicu.embeddings.training.rendered_rules import STYLES, Band, Piece, compose, form_band
from musicu.embeddings.training.rendered_voice import form_singer, sing
from musicu.errors import ModelError

FORMAT_VERSION = 1
N_FAMILIES = 18  # the 16 families of General MIDI, drums, voice


@dataclass(frozen=True, slots=True)
class RenderConfig:
    """How much to make. pieces: of each band; seconds: of each piece, about."""

    bands: int = 160
    pieces: int = 4
    seconds: float = 24.0
    seed: int = 1
    soundfont: str = "/usr/share/sounds/sf2/FluidR3_GM.sf2"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One piece on disk and what is known of it. families: indices below N_FAMILIES."""

    path: Path
    band: int
    style: int
    bpm: float
    key: int
    mode: str
    families: tuple[int, ...]


def render_set(folder: Path, config: RenderConfig) -> list[Rendered]:
    """Compose and play the set into FLAC files; what is there of the same making is kept.

    Raises ModelError where fluidsynth or the soundfont is missing.
    """
    program = shutil.which("fluidsynth")
    if program is None or not Path(config.soundfont).is_file():
        raise ModelError(
            f"rendering needs fluidsynth and {config.soundfont}: on Debian, "
            "apt install fluidsynth fluid-soundfont-gm; or set bands = 0"
        )
    folder = folder / _making(config)
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(config.bands):
        rng = np.random.default_rng([config.seed, number])
        band = form_band(rng, number % len(STYLES))
        for take in range(config.pieces):
            piece = compose(band, config.seconds, rng)
            path = folder / f"{number:04d}-{take}.flac"
            if not path.is_file():
                sound = _play(program, config, band, piece, np.random.default_rng([number, take]))
                partial = path.with_suffix(".partial")
                sf.write(partial, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
                partial.replace(path)
            made.append(_describe(path, number, band, piece))
    _write_index(folder, made)
    return made


def _making(config: RenderConfig) -> str:
    """A name for all that decides how one piece sounds."""
    state = [FORMAT_VERSION, config.seed, config.seconds, config.soundfont]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()[:12]


def _describe(path: Path, number: int, band: Band, piece: Piece) -> Rendered:
    families = {c.program // 8 for c in band.channels if c.number != DRUMS}
    families |= {16} if any(c.number == DRUMS for c in band.channels) else set()
    families |= {17} if piece.sung else set()
    known = tuple(sorted(families))
    return Rendered(path, number, band.style, piece.bpm, piece.key, piece.mode, known)


def _play(
    program: str, config: RenderConfig, band: Band, piece: Piece, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The piece as sound float32 [n] at 22,050 Hz, the voice over the band."""
    sound = _synthesise(program, config, midi_file(piece.notes, band.channels, piece.bpm))
    if piece.sung and band.voice is not None:
        singer = form_singer(np.random.default_rng(band.voice))
        voice = sing(piece.sung, singer, piece.bpm, len(sound), SAMPLE_RATE, rng)
        loud = float(np.sqrt(np.mean(sound**2))) or 0.05
        level = loud / (float(np.sqrt(np.mean(voice**2))) or 1.0) * float(rng.uniform(0.5, 1.3))
        sound = sound + np.float32(level) * voice
    peak = float(np.abs(sound).max(initial=1e-9))
    loud_enough: NDArray[np.float32] = (sound * (0.7 / peak)).astype(np.float32)
    return loud_enough


def _synthesise(program: str, config: RenderConfig, midi: bytes) -> NDArray[np.float32]:
    """fluidsynth's rendering of a MIDI file, mono float32 [n]."""
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "piece.mid"), Path(scratch, "piece.wav")
        source.write_bytes(midi)
        command = [program, "-niq", "-g", "0.4", "-r", str(SAMPLE_RATE), "-F", str(target)]
        result = subprocess.run(
            [*command, config.soundfont, str(source)], capture_output=True, check=False, timeout=300
        )
        if result.returncode != 0 or not target.is_file():
            said = result.stderr.decode(errors="replace").strip()[-300:]
            raise ModelError(f"fluidsynth failed with exit status {result.returncode}: {said}")
        stereo, _ = sf.read(target, dtype="float32", always_2d=True)
    mono: NDArray[np.float32] = stereo.mean(axis=1)
    return mono


def _write_index(folder: Path, made: list[Rendered]) -> None:
    rows = [
        {"file": r.path.name, "band": r.band, "style": STYLES[r.style].name, "bpm": r.bpm}
        | {"key": r.key, "mode": r.mode, "families": r.families}
        for r in made
    ]
    text = json.dumps({"format": FORMAT_VERSION, "pieces": rows}, indent=1)
    (folder / "rendered.json").write_text(text + "\n", encoding="utf-8")
