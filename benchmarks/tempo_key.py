"""How often tempo and key are right, how honest the confidence is, and how long it takes.

    python benchmarks/tempo_key.py --made FOLDER... [--librosa] [--json OUT]
    python benchmarks/tempo_key.py --music MUSIC --peers PEERS/essentia.parquet [--half 1]

--made: folders with `truth.jsonl` as `tempo_key_music.py` writes them. --music: recordings that
another system has described; agreement with it is no accuracy, as neither is the truth. Acc1 is
the share of tempi within 4 %, Acc2 forgives factors of 2 and 3; key is MIREX-weighted (1 right,
0.5 a fifth off, 0.3 relative, 0.2 parallel); beats are an F-measure within 70 ms. --constants
takes scorers from a folder, as `recipes.fit_tempo_key --half 0` writes them; --half 1 then
measures on the artists that their calibration did not see.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import soundfile as sf
import soxr
from numpy.typing import NDArray

from musicu.features import scorer
from musicu.features.extractors import key_of, tempo_of
from musicu.features.key import MODES, TONICS
from recipes.calibration import calibration_error, reliability
from recipes.fit_tempo_key import beginning, half_of

RATE = 22_050
_FLATS = {"Db": "C#", "D#": "Eb", "Gb": "F#", "G#": "Ab", "A#": "Bb"}
Sound = NDArray[np.float32]


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--made", type=Path, nargs="+", default=[])
    options.add_argument("--music", type=Path)
    options.add_argument("--peers", type=Path)
    options.add_argument("--half", type=int, choices=(0, 1), help="of the artists of --music")
    options.add_argument("--constants", type=Path, help="a folder of other scorers")
    options.add_argument("--every", type=int, default=1, help="measure every n-th recording")
    options.add_argument("--librosa", action="store_true")
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    if chosen.constants:
        scorer.CONSTANTS = chosen.constants
    report = {}
    for folder in chosen.made:
        report[folder.name] = measure(made(folder, chosen.every), chosen.librosa)
    if chosen.music and chosen.peers:
        rows = described(chosen.music, chosen.peers, chosen.every, chosen.half)
        report["agreement"] = measure(rows, chosen.librosa)
    for name, numbers in report.items():
        print(f"\n## {name}\n\n{table(numbers)}")
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def made(folder: Path, every: int) -> Iterator[tuple[Sound, dict[str, Any]]]:
    """Made pieces, mono at 22,050 Hz, with their truth."""
    for line in (folder / "truth.jsonl").read_text().splitlines()[::every]:
        truth = json.loads(line)
        sound, rate = sf.read(folder / truth["file"], dtype="float32", always_2d=True)
        yield soxr.resample(sound.mean(axis=1), rate, RATE), truth


def described(
    music: Path, peers: Path, every: int, half: int | None
) -> Iterator[tuple[Sound, dict[str, Any]]]:
    """The first minute of recordings, with another system's answers in place of the truth."""
    rows = pq.read_table(peers).to_pylist()
    if half is not None:
        rows = [row for row in rows if half_of(row["path"]) == half]
    for row in rows[::every]:
        tonic, mode = row["key"].split()
        name = _FLATS.get(tonic, tonic)
        yield (
            beginning(music / row["path"]),
            {"bpm": row["bpm"], "tonic": TONICS.index(name), "mode": mode, "beats": []},
        )


def measure(rows: Iterator[tuple[Sound, dict[str, Any]]], librosa: bool) -> dict[str, Any]:
    tempi, keys, peer, beats, spent, heard = [], [], [], [], 0.0, 0.0
    for sound, truth in rows:
        start = time.process_time()
        tempo, key = tempo_of(sound, RATE), key_of(sound, RATE)
        spent, heard = spent + time.process_time() - start, heard + len(sound) / RATE
        bpm = truth["bpm"]
        tempi.append((*tempo_hits(tempo.bpm, bpm), tempo.confidence, bpm is None))
        score = key_score(key.tonic, key.mode, truth["tonic"], truth["mode"])
        keys.append((score, key.confidence, truth["tonic"] is None))
        if truth.get("beats"):
            beats.append(beat_measure(tempo.beats, np.array(truth["beats"])))
        if librosa and bpm is not None:
            peer.append(tempo_hits(_librosa_tempo(sound), bpm))
    return _summary(np.array(tempi, float), np.array(keys, float), beats, peer) | {
        "times_real_time": heard / max(spent, 1e-9)
    }


def _summary(
    tempi: NDArray[np.float64], keys: NDArray[np.float64], beats: list[float], peer: list[Any]
) -> dict[str, Any]:
    with_beat, with_key = tempi[tempi[:, 3] == 0], keys[keys[:, 2] == 0]
    right = tempi[:, 0] * (1 - tempi[:, 3]) > 0, (keys[:, 0] == 1) & (keys[:, 2] == 0)
    said = tempi[:, 2], keys[:, 1]
    numbers: dict[str, Any] = {
        "pieces": len(tempi), "acc1": with_beat[:, 0].mean(), "acc2": with_beat[:, 1].mean(),
        "key_weighted": with_key[:, 0].mean(), "key_exact": (with_key[:, 0] == 1).mean(),
    }  # fmt: skip
    for name, confidence, hits in zip(("tempo", "key"), said, right, strict=True):
        numbers[f"{name}_calibration_error"] = calibration_error(confidence, hits)
        numbers[f"{name}_reliability"] = [
            [b.low, b.high, b.count, b.confidence, b.right] for b in reliability(confidence, hits)
        ]
    if len(with_beat) < len(tempi):
        numbers["confidence_without_beat"] = tempi[tempi[:, 3] == 1, 2].mean()
    if len(with_key) < len(keys):
        numbers["confidence_without_key"] = keys[keys[:, 2] == 1, 1].mean()
    if beats:
        numbers["beat_f_measure"] = float(np.mean(beats))
    if peer:
        numbers["librosa_acc1"], numbers["librosa_acc2"] = np.mean(np.array(peer, float), axis=0)
    return numbers


def tempo_hits(estimate: float | None, truth: float | None) -> tuple[bool, bool]:
    """Acc1 and Acc2 (Gouyon et al., 2006)."""
    if estimate is None or truth is None:
        return False, False
    ratios = estimate / truth / np.array([1.0, 2.0, 3.0, 1 / 2, 1 / 3])
    near = np.abs(ratios - 1.0) < 0.04
    return bool(near[0]), bool(near.any())


def key_score(tonic: str | None, mode: str | None, truth: int | None, truth_mode: str) -> float:
    """MIREX's weights; 0 where there is nothing to be right about."""
    if tonic is None or mode is None or truth is None:
        return 0.0
    step, same = (TONICS.index(tonic) - truth) % 12, mode == truth_mode
    if same:
        return {0: 1.0, 7: 0.5, 5: 0.5}.get(step, 0.0)
    relative = 9 if truth_mode == MODES[0] else 3
    return {0: 0.2, relative: 0.3}.get(step, 0.0)


def beat_measure(found: Sound, truth: NDArray[np.float64]) -> float:
    """F-measure within 70 ms, each beat used once; the first two seconds are left out."""
    found, truth = found[found > 2.0], truth[truth > 2.0]
    if not len(found) or not len(truth):
        return 0.0
    distance = np.abs(found[:, None] - truth)
    nearest = distance.argmin(axis=1)
    hits = len({int(n) for n, d in zip(nearest, distance.min(axis=1), strict=True) if d < 0.07})
    return 2.0 * hits / (len(found) + len(truth))


def _librosa_tempo(sound: Sound) -> float:
    from librosa.feature import tempo

    return float(tempo(y=sound, sr=RATE)[0])


def table(numbers: dict[str, Any]) -> str:
    """A measurement as Markdown."""
    lines = ["| measure | value |", "|---|---|"]
    plain = {k: v for k, v in numbers.items() if not isinstance(v, list)}
    lines += [f"| {name} | {value:.3f} |" for name, value in plain.items()]
    for what in ("tempo", "key"):
        lines += ["", f"{what}: confidence → share right (answers)", ""]
        lines += [f"- {low:.1f} to {high:.1f}: said {said:.2f}, right {right:.2f} ({count})"
                  for low, high, count, said, right in numbers[f"{what}_reliability"]]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    main()
