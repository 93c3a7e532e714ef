"""Training music made by rules: bands of many styles, played by fluidsynth.

    python -m recipes.render_training_music FOLDER [--bands 64] [--pieces 4] [--seconds 24]
        [--seed 1] [--soundfont FILE]

FOLDER receives FLAC files and `rendered.json`, which says who plays what in each;
`musicu train audio --made FOLDER` learns from them. The defaults are those of musicu-audio-v1.
Files that are there are kept, so a run that was stopped goes on; other options need another folder.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from musicu.embeddings.frontend import SAMPLE_RATE
from musicu.embeddings.training.made import FORMAT_VERSION, INDEX
from musicu.errors import MusicuError
from recipes.bands import STYLES, RenderedPiece, StyledBand, compose, form_band
from recipes.midi import DRUMS, SOUNDFONT, midi_file, play_midi
from recipes.singing import form_singer, sing


@dataclass(frozen=True, slots=True)
class RenderConfig:
    """How much to make. pieces: of each band; seconds: of each piece, about."""

    bands: int = 64
    pieces: int = 4
    seconds: float = 24.0
    seed: int = 1
    soundfont: str = SOUNDFONT


def render_set(folder: Path, config: RenderConfig) -> None:
    """Compose and play the set into FLAC files; what is there of the same options is kept.

    Raises MusicuError where fluidsynth or the soundfont is missing, or the folder holds a set
    of other options.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder / "options.json", config)
    rows = []
    for number in range(config.bands):
        rng = np.random.default_rng([config.seed, number])
        band = form_band(rng, number % len(STYLES))
        for take in range(config.pieces):
            piece = compose(band, config.seconds, rng)
            path = folder / f"{number:04d}-{take}.flac"
            if not path.is_file():
                sound = _play(config, band, piece, np.random.default_rng([number, take]))
                partial = path.with_suffix(".partial")
                sf.write(partial, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
                partial.replace(path)
            rows.append({"file": path.name, "band": number} | _description(band, piece))
    text = json.dumps({"format": FORMAT_VERSION, "pieces": rows}, indent=1)
    (folder / INDEX).write_text(text + "\n", encoding="utf-8")


def _claim(path: Path, config: RenderConfig) -> None:
    """Note what the folder's pieces are made of; raise where it was something else."""
    options = json.dumps(asdict(config))
    if path.is_file() and path.read_text(encoding="utf-8") != options:
        raise MusicuError(f"{path.parent} holds music of other options: choose another folder")
    path.write_text(options, encoding="utf-8")


def _description(band: StyledBand, piece: RenderedPiece) -> dict[str, object]:
    """What is true of a piece. families: indices below `made.N_FAMILIES`."""
    families = {c.program // 8 for c in band.channels if c.number != DRUMS}
    families |= {16} if any(c.number == DRUMS for c in band.channels) else set()
    families |= {17} if piece.sung else set()
    known = {"style": STYLES[band.style].name, "bpm": piece.bpm, "key": piece.key}
    return known | {"mode": piece.mode, "families": sorted(families)}


def _play(
    config: RenderConfig, band: StyledBand, piece: RenderedPiece, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The piece as sound float32 [n] at 22,050 Hz, the voice over the band."""
    midi = midi_file(piece.notes, band.channels, piece.bpm)
    sound = play_midi(midi, SAMPLE_RATE, config.soundfont)
    if piece.sung and band.voice is not None:
        singer = form_singer(np.random.default_rng(band.voice))
        voice = sing(piece.sung, singer, piece.bpm, len(sound), SAMPLE_RATE, rng)
        loud = float(np.sqrt(np.mean(sound**2))) or 0.05
        level = loud / (float(np.sqrt(np.mean(voice**2))) or 1.0) * float(rng.uniform(0.5, 1.3))
        sound = sound + np.float32(level) * voice
    peak = float(np.abs(sound).max(initial=1e-9))
    loud_enough: NDArray[np.float32] = (sound * (0.7 / peak)).astype(np.float32)
    return loud_enough


def main() -> None:
    """Render the set that the command line asks for."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("folder", type=Path)
    for name, value in asdict(RenderConfig()).items():
        options.add_argument(f"--{name}", type=type(value), default=value)
    chosen = vars(options.parse_args())
    render_set(chosen.pop("folder"), RenderConfig(**chosen))


if __name__ == "__main__":
    main()
