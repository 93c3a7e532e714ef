"""The recipe of the shipped tempo and key scorers.

    python -m recipes.fit_tempo_key OUT --fit FOLDER... --held-out FOLDER
        [--music MUSIC --answers TABLE [--half 0]] [--memory MEMORY]

Each FOLDER holds music whose truth is known: sound files and `truth.jsonl`, one JSON object a
line with file, style, bpm, tonic (0 is C), mode and cents; bpm or tonic is null where there is
none. `benchmarks/tempo_key_music.py` makes such folders. OUT receives tempo.safetensors and
key.safetensors. Each piece to fit on is used as it is and once more damaged: other speed,
equalised, driven, in noise, through a low-rate codec. With --networks CONSTANTS in place of --fit
the networks of that folder stay and only the calibration is fitted.

The calibration is fitted on answers to the held-out folder, whose styles no network was fitted on.
Made music is easier than recorded music: with --music and --answers, answers to recordings join
them. TABLE (Parquet: path in MUSIC, bpm, key such as "A minor") holds what another program says
of their first minute. It is wrong at times too: where we are right it agrees in a share
`WHEN_RIGHT` of all cases, where we are wrong in `WHEN_WRONG`, so that an agreement counts as
(1 - w) / (r - w) right answers and a disagreement as -w / (r - w). No weight of a network learns
from TABLE. --half keeps to one half of the artists (the first folder of a path), so that the
other half can say how honest the confidence is.

The features of each piece and recording are kept in MEMORY, where it is named, so that a run that
was stopped goes on; empty it when pieces change.

All draws come from fixed seeds. The same folders, recordings and versions of NumPy and SciPy give
the same files; another build of the linear algebra moves the weights in their last digits.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import soundfile as sf
import soxr
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from musicu.audio import read_segments
from musicu.features import key as keys
from musicu.features import tempo as tempi
from musicu.features.harmony import key_features
from musicu.features.onsets import SAMPLE_RATE, onset_bands
from musicu.features.periodicity import candidates, rhythm_pattern
from musicu.features.pitches import fine_pitches
from musicu.features.scorer import Scorer, read_scorer
from musicu.features.tuning import chroma, tuning
from recipes.calibration import fit_calibration
from recipes.scorer_training import TrainingConfig, train

NAMES = ("tempo", "key")
TOLERANCE = 0.04  # of the tempo: what counts as right
TEMPO_CONFIG = TrainingConfig(networks=4, units=24, epochs=10, dropout=0.3)
KEY_CONFIG = TrainingConfig(networks=4, units=16, epochs=10, dropout=0.2, decay=2e-2)
N_VARIED = 2
N_VARIED_WITHOUT_KEY = 8  # they are few
FIRST_SECONDS = 60.0  # of a recording
WHEN_RIGHT, WHEN_WRONG = 0.9, 0.05  # how often the other program agrees

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TonalPiece:
    """What tempo and key are judged by.

    onsets: strength, float32 [frames, 6]. chroma: float32 [frames, 2, 12]. speed: how much faster
    it is played than what is known of it says.
    """

    onsets: NDArray[np.float32]
    chroma: NDArray[np.float32]
    speed: float = 1.0

    def candidates(self) -> tuple[Floats, NDArray[np.float32]]:
        """The period of each candidate tempo, and its features float32 [cells, F]."""
        periods, features = candidates(rhythm_pattern(self.onsets))
        return periods, features.astype(np.float32)


Known = tuple[TonalPiece, dict[str, Any]]  # and what is known of it


def main() -> None:
    """Fit both scorers and write them."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("out", type=Path)
    which = options.add_mutually_exclusive_group(required=True)
    which.add_argument("--fit", type=Path, nargs="+")
    which.add_argument("--networks", type=Path)
    options.add_argument("--held-out", type=Path, required=True)
    options.add_argument("--music", type=Path)
    options.add_argument("--answers", type=Path)
    options.add_argument("--half", type=int, choices=(0, 1))
    options.add_argument("--memory", type=Path)
    chosen = options.parse_args()
    memory = chosen.memory
    if chosen.fit:
        made = [one for folder in chosen.fit for one in read_pieces(folder, memory, worn=True)]
        networks = {"tempo": fit_tempo(made), "key": fit_key(made)}
    else:
        networks = {name: read_scorer(chosen.networks / f"{name}.safetensors") for name in NAMES}
    away = list(read_pieces(chosen.held_out, memory))
    recorded: list[Known] = []
    if chosen.answers:
        recorded = list(answered(chosen.music, chosen.answers, chosen.half, memory))
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name, scorer in networks.items():
        judged = [*judged_made(name, scorer, away), *judged_recorded(name, scorer, recorded)]
        calibrated(scorer, judged).save(chosen.out / f"{name}.safetensors")


def analyse(sound: NDArray[np.float32], speed: float = 1.0) -> TonalPiece:
    """Mono sound at 22,050 Hz as the scorers' features are made of it."""
    fine = fine_pitches(sound)
    folded = chroma(fine, tuning(fine).cents)
    return TonalPiece(onset_bands(sound), folded.astype(np.float32), speed)


def remembered(memory: Path | None, name: str, now: Callable[[], TonalPiece]) -> TonalPiece:
    """The features kept under a name; else they are computed now, and kept."""
    if memory is None:
        return now()
    file = memory / f"{name}.safetensors"
    if not file.is_file():
        piece = now()
        memory.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(".new")
        speed = np.array([piece.speed])
        save_file({"onsets": piece.onsets, "chroma": piece.chroma, "speed": speed}, new)
        new.replace(file)
    kept = load_file(file)
    return TonalPiece(kept["onsets"], kept["chroma"], float(kept["speed"][0]))


def answered(
    music: Path, table: Path, half: int | None = None, memory: Path | None = None
) -> Iterator[Known]:
    """The first minute of each recording, and what another program says of it.

    half: 0 or 1 for one half of the artists, None for all. memory: as `remembered` has it.
    """
    for row in pq.read_table(table, columns=["path", "bpm", "key"]).to_pylist():
        if half is not None and half_of(row["path"]) != half:
            continue
        path = music / row["path"]
        name = "recording-" + hashlib.blake2b(row["path"].encode(), digest_size=8).hexdigest()
        yield remembered(memory, name, partial(_analyse_recording, path)), row


def beginning(path: Path) -> NDArray[np.float32]:
    """The first minute of a recording, mono float32 [n] at 22,050 Hz; little more is decoded."""
    first = next(read_segments(path, SAMPLE_RATE, FIRST_SECONDS))
    return first.samples[: int(FIRST_SECONDS * SAMPLE_RATE)]


def read_pieces(folder: Path, memory: Path | None = None, *, worn: bool = False) -> Iterator[Known]:
    """Each piece of a folder and what is known of it; with `worn` once more as a bad copy has it.

    memory: as `remembered` has it.
    """
    for number, line in enumerate((folder / "truth.jsonl").read_text("utf-8").splitlines()):
        truth = json.loads(line)
        path, name = folder / truth["file"], f"{folder.name}-{number:05d}"
        yield remembered(memory, name, partial(_analyse_piece, path)), truth
        if worn:
            yield remembered(memory, f"{name}-worn", partial(_analyse_worn, path, number)), truth


def _analyse_recording(path: Path) -> TonalPiece:
    return analyse(beginning(path))


def _analyse_piece(path: Path) -> TonalPiece:
    return analyse(_sound_of(path))


def _analyse_worn(path: Path, number: int) -> TonalPiece:
    return analyse(*damage(_sound_of(path), np.random.default_rng([99, number])))


def _sound_of(path: Path) -> NDArray[np.float32]:
    """A made piece, mono at 22,050 Hz."""
    sound, rate = sf.read(path, dtype="float32", always_2d=True)
    mono: NDArray[np.float32] = soxr.resample(sound.mean(axis=1), rate, SAMPLE_RATE)
    return mono


def varied(folded: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Chroma [frames, 2, 12] as other instruments, another bass and an excerpt would have it."""
    count = int(len(folded) * rng.uniform(0.5, 1.0))
    start = int(rng.integers(0, len(folded) - count + 1))
    part = folded[start : start + count] / (folded.mean() + 1e-9)
    third, fifth = np.roll(part, 7, axis=2), np.roll(part, 4, axis=2)  # harmonics
    part = (part + rng.uniform(0, 0.4) * third + rng.uniform(0, 0.2) * fifth) ** rng.uniform(
        0.7, 1.5
    )
    part = part + rng.uniform(0, 0.4) * rng.random((1, 1, 12)) * part.mean()
    part *= np.exp(0.25 * rng.standard_normal(12))  # some notes stand out, for no harmonic reason
    louder: NDArray[np.float64] = part * np.array([rng.uniform(0.2, 1.5), 1.0])[:, None]
    return louder


def half_of(path: str) -> int:
    """To which half of the artists a recording belongs, 0 or 1, by its first folder."""
    return hashlib.blake2b(path.split("/")[0].encode()).digest()[2] % 2


def fit_tempo(made: list[Known]) -> Scorer:
    """The networks of the tempo scorer."""
    periods, features = zip(*(piece.candidates() for piece, _ in made), strict=True)
    truth = np.log([np.nan if t["bpm"] is None else t["bpm"] * piece.speed for piece, t in made])
    off = np.log(60.0 / np.stack(periods)) - truth[:, None]
    right = (np.abs(off) < 0.025)[:, :, None]  # NaN is near nothing
    return train(np.stack(features), right, TEMPO_CONFIG)


def fit_key(made: list[Known]) -> Scorer:
    """The networks of the key scorer; each piece in a few variations of its chroma."""
    rng = np.random.default_rng(0)
    features: list[NDArray[np.float32]] = []
    truths: list[tuple[int | None, int]] = []
    for piece, truth in made:
        tonic = _tonic(truth, piece.speed)
        count = N_VARIED if tonic is not None else N_VARIED_WITHOUT_KEY
        folded = piece.chroma.astype(np.float64)
        for one in (folded, *(varied(folded, rng) for _ in range(count))):
            features.append(key_features(one).astype(np.float32))
            truths.append((tonic, int(truth["mode"] == "minor")))
    right = np.zeros((len(truths), 12, 2), np.bool_)
    for i, (tonic, mode) in enumerate(truths):
        if tonic is not None:
            right[i, tonic, mode] = True
    return train(np.stack(features), right, KEY_CONFIG)


def answer(name: str, scorer: Scorer, piece: TonalPiece) -> tuple[float, float]:
    """What "tempo" or "key" a scorer says (BPM, or a place among keys), and its belief."""
    if name == "tempo":
        periods, features = piece.candidates()
        position = np.log(60.0 / periods)
        return tempi.rank(position, tempi.beliefs(scorer, position, features))[0]
    belief = keys.beliefs(scorer, piece.chroma.astype(np.float64))
    return float(np.argmax(belief)), float(belief.max())


def judged_made(name: str, scorer: Scorer, away: list[Known]) -> list[tuple[float, float]]:
    """Belief, and 1 where the answer is right, 0 where it is not, of each made piece."""
    judged = []
    for piece, truth in away:
        said, belief = answer(name, scorer, piece)
        if name == "tempo":
            right = truth["bpm"] is not None and abs(said / truth["bpm"] - 1.0) < TOLERANCE
        else:
            tonic = _tonic(truth, 1.0)
            right = tonic is not None and said == 2 * tonic + (truth["mode"] == "minor")
        judged.append((belief, float(right)))
    return judged


def judged_recorded(name: str, scorer: Scorer, recorded: list[Known]) -> list[tuple[float, float]]:
    """Belief, and how many right answers each recording's stands for."""
    judged = []
    for piece, row in recorded:
        said, belief = answer(name, scorer, piece)
        if name == "tempo":
            agrees = abs(said / row["bpm"] - 1.0) < TOLERANCE
        else:
            agrees = said == _place(row["key"])
        judged.append((belief, (agrees - WHEN_WRONG) / (WHEN_RIGHT - WHEN_WRONG)))
    return judged


def calibrated(scorer: Scorer, judged: list[tuple[float, float]]) -> Scorer:
    """The scorer with a calibration fitted on (belief, right) pairs."""
    belief, right = np.array(judged, np.float64).T
    return replace(scorer, calibration=fit_calibration(belief, right))


def _tonic(truth: dict[str, Any], speed: float) -> int | None:
    """The tonic that sounds where the tuning or the speed moves it by semitones."""
    if truth["tonic"] is None:
        return None
    cents = truth["cents"] + 1200 * np.log2(speed)
    return int((truth["tonic"] + round(cents / 100)) % 12)


def _place(key: str) -> int:
    """A key such as "Bb minor" as its place among beliefs [12, 2]."""
    tonic, mode = key.split()
    flats = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb"}
    return 2 * keys.TONICS.index(flats.get(tonic, tonic)) + keys.MODES.index(mode)


def damage(
    sound: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """The sound as a bad copy would have it, and how much faster it is played."""
    speed = float(rng.uniform(0.96, 1.04)) if rng.random() < 0.5 else 1.0
    worn = _equalised(soxr.resample(sound, SAMPLE_RATE * speed, SAMPLE_RATE), rng)
    if rng.random() < 0.5:
        drive = float(rng.uniform(1, 6))
        worn = np.tanh(drive * worn) / np.tanh(drive)
    if rng.random() < 0.6:
        noise = rng.standard_normal(len(worn))
        worn = worn + noise * worn.std() * 10 ** (-rng.uniform(8, 40) / 20)
    worn = (worn / (np.abs(worn).max() + 1e-9) * rng.uniform(0.1, 0.9)).astype(np.float32)
    return (_coded(worn, rng) if rng.random() < 0.5 else worn), speed


def _equalised(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float64]:
    """Through a random walk of gains over seven frequencies, 3.5 dB a step; the peak is 1."""
    knots, gains = np.geomspace(30, SAMPLE_RATE / 2, 7), np.cumsum(rng.normal(0, 3.5, 7))
    hz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    curve = np.interp(np.log(np.maximum(hz, 20)), np.log(knots), gains - gains.mean())
    worn = np.fft.irfft(np.fft.rfft(sound) * 10 ** (curve / 20), len(sound))
    equalised: NDArray[np.float64] = worn / (np.abs(worn).max() + 1e-9)
    return equalised


def _coded(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Through MP3 or Vorbis at about its lowest rate."""
    kinds = (("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"))
    kind, subtype = kinds[int(rng.integers(2))]
    file = io.BytesIO()
    sf.write(file, sound, SAMPLE_RATE, format=kind, subtype=subtype, compression_level=0.9)
    file.seek(0)
    decoded: NDArray[np.float32] = sf.read(file, dtype="float32")[0]
    return decoded


if __name__ == "__main__":
    main()
