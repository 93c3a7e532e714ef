"""The recipe of the shipped tempo and key scorers.

    python -m musicu.features.fit_tempo_key OUT FOLDER...

Each FOLDER holds music whose truth is known: sound files and `truth.jsonl`, one JSON object a
line with file, style, bpm, tonic (0 is C), mode and cents; bpm or tonic is null where there is
none. `benchmarks/tempo_key_music.py` makes such folders. OUT receives tempo.safetensors and
key.safetensors. Each piece is heard as it is and once more damaged: other speed, equalised,
driven, in noise, through a low-rate codec. The calibration is fitted on answers to styles that
the answering networks were not fitted on.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from musicu.features.calibration import fit_calibration
from musicu.features.harmony import key_features
from musicu.features.onsets import SAMPLE_RATE, onset_bands
from musicu.features.periodicity import candidates, rhythm_pattern
from musicu.features.pitches import fine_pitches
from musicu.features.scorer import Scorer
from musicu.features.scorer_training import TrainingConfig, train
from musicu.features.tempo import rank
from musicu.features.tuning import chroma, tuning

N_FOLDS = 3
TOLERANCE = 0.04  # of the tempo: what counts as right
TEMPO_CONFIG = TrainingConfig(networks=2, epochs=10)
KEY_CONFIG = TrainingConfig(networks=4, units=24, epochs=20, dropout=0.4, decay=2e-2)
N_VARIED = 2
N_VARIED_WITHOUT_KEY = 8  # they are few


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a scorer is fitted on.

    features: float32 [n, answers, features]; right: bool [n, answers, scores]; styles: [n].
    """

    features: NDArray[np.float32]
    right: NDArray[np.bool_]
    styles: NDArray[np.str_]


#: The belief in the first answer and whether it is right, of a scorer for example i.
Judge = Callable[[Scorer, int], tuple[float, bool]]


def main(arguments: list[str]) -> None:
    """Fit both scorers on the folders `arguments[1:]` and write them to `arguments[0]`."""
    out, folders = Path(arguments[0]), [Path(a) for a in arguments[1:]]
    tempi: list[tuple[NDArray[np.float64], NDArray[np.float64], float | None, str]] = []
    keys: list[tuple[NDArray[np.float64], int | None, int, str]] = []
    rng = np.random.default_rng(0)
    for sound, truth, speed in heard(folders):
        bpm = truth["bpm"] and truth["bpm"] * speed
        tempi.append((*candidates(rhythm_pattern(onset_bands(sound))), bpm, truth["style"]))
        cents = truth["cents"] + 1200 * np.log2(speed)
        tonic = None if truth["tonic"] is None else (truth["tonic"] + round(cents / 100)) % 12
        fine = fine_pitches(sound)
        folded = chroma(fine, tuning(fine).cents)
        count = N_VARIED if tonic is not None else N_VARIED_WITHOUT_KEY
        for other in (folded, *(varied(folded, rng) for _ in range(count))):
            row = (key_features(other), tonic, int(truth["mode"] == "minor"), truth["style"])
            keys.append(row)
    fit_tempo(tempi).save(out / "tempo.safetensors")
    fit_key(keys).save(out / "key.safetensors")


def heard(folders: list[Path]) -> Iterator[tuple[NDArray[np.float32], dict[str, Any], float]]:
    """Each piece twice: mono sound at 22,050 Hz, its truth, and how much faster it is played."""
    for folder in folders:
        for number, line in enumerate((folder / "truth.jsonl").read_text().splitlines()):
            truth = json.loads(line)
            sound, rate = sf.read(folder / truth["file"], dtype="float32", always_2d=True)
            mono = soxr.resample(sound.mean(axis=1), rate, SAMPLE_RATE)
            yield mono, truth, 1.0
            worn, speed = damage(mono, np.random.default_rng([99, number]))
            yield worn, truth, speed


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
    louder: NDArray[np.float64] = part * np.array([rng.uniform(0.2, 1.5), 1.0])[:, None]
    return louder


def fit_tempo(
    rows: list[tuple[NDArray[np.float64], NDArray[np.float64], float | None, str]],
) -> Scorer:
    """The tempo scorer of (periods [cells], features [cells, F], BPM or None, style) rows."""
    position = [np.log(60.0 / row[0]) for row in rows]
    truth = np.array([np.nan if row[2] is None else np.log(row[2]) for row in rows])
    distance = np.abs(np.stack(position) - truth[:, None])
    examples = Examples(
        np.stack([row[1] for row in rows]).astype(np.float32),
        (distance < 0.025)[:, :, None],  # NaN, no beat, is near nothing
        np.array([row[3] for row in rows]),
    )

    def judge(scorer: Scorer, i: int) -> tuple[float, bool]:
        bpm, belief = rank(position[i], scorer.beliefs(examples.features[i])[:, 0])[0]
        return belief, bool(abs(bpm / np.exp(truth[i]) - 1.0) < TOLERANCE)

    return fit_scorer(examples, judge, TEMPO_CONFIG)


def fit_key(rows: list[tuple[NDArray[np.float64], int | None, int, str]]) -> Scorer:
    """The key scorer of (features [12, F], tonic or None, mode, style) rows."""
    right = np.zeros((len(rows), 12, 2), np.bool_)
    for i, (_, tonic, mode, _) in enumerate(rows):
        if tonic is not None:
            right[i, tonic, mode] = True
    features = np.stack([row[0] for row in rows]).astype(np.float32)
    examples = Examples(features, right, np.array([row[3] for row in rows]))

    def judge(scorer: Scorer, i: int) -> tuple[float, bool]:
        belief = scorer.beliefs(examples.features[i])
        return float(belief.max()), bool(right[i].ravel()[np.argmax(belief)])

    return fit_scorer(examples, judge, KEY_CONFIG)


def fit_scorer(examples: Examples, judge: Judge, config: TrainingConfig) -> Scorer:
    """A scorer of all examples, calibrated by others that never heard the style they judge."""
    names = np.unique(examples.styles)
    judged: list[tuple[float, bool]] = []
    for fold in range(N_FOLDS):
        away = np.isin(examples.styles, names[fold::N_FOLDS])
        scorer = train(examples.features[~away], examples.right[~away], config)
        judged += [judge(scorer, int(i)) for i in np.flatnonzero(away)]
    belief, right = np.array([j[0] for j in judged]), np.array([j[1] for j in judged])
    calibration = fit_calibration(belief, right)
    return replace(train(examples.features, examples.right, config), calibration=calibration)


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
    main(sys.argv[1:])
