"""How well copies are found, and how often different music is taken for a copy.

    python benchmarks/duplicates.py MUSIC WORK [--copied 100] [--seed 0]

MUSIC is a folder with `tracks.csv` (path, title, artist, album, duration_s); WORK keeps the
fingerprints, so that a run that was stopped goes on.

Of `--copied` recordings of 30 to 120 s, drawn by the seed, each gets five copies: MP3 at 64 and
128 kbit/s, Ogg Vorbis (quality 0.3), Opus at 24 kbit/s, and FLAC; each cut by up to 3 s at both
ends and 6 dB louder or softer. They lie among all of MUSIC and among made pieces: 108 pairs that
share style, instruments, tempo and key and differ in their chords and tunes. Truth: a copy
belongs to its original, everything else apart. Tags and vectors are not used. Pairs of MUSIC's
own that are merged are checked by the correlation of their waveforms.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from numpy.typing import NDArray
from scipy import fft

from musicu.audio import read_audio
from musicu.audio.encoding import RATE, write_sound
from musicu.audit.fingerprint_comparison import Fingerprints, best_comparison
from musicu.audit.grouping import group_recordings
from musicu.audit.recording_matches import (
    SEGMENT_ERROR,
    Match,
    find_matches,
    judge_pair,
    with_changes,
)
from musicu.datasets.synth.composition import Plan
from musicu.datasets.synth.mixing import InstrumentBank, master, mix
from musicu.datasets.synth.styles import STYLES, Style
from musicu.features.fingerprinting import fingerprint, fingerprints_schema

MP3 = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT"}
ENCODINGS: dict[str, dict[str, Any]] = {
    "mp3-64": MP3 | {"compression_level": (320 - 64) / (320 - 32)},
    "mp3-128": MP3 | {"compression_level": (320 - 128) / (320 - 32)},
    "vorbis": {"format": "OGG", "subtype": "VORBIS", "compression_level": 0.7},
    "opus-24": {"format": "OGG", "subtype": "OPUS", "compression_level": 1 - (24 - 6) / 250},
    "flac": {"format": "FLAC", "subtype": "PCM_16"},
}
MADE_PER_STYLE, MADE_SECONDS, MADE_RATE = 9, 40.0, 32_000
_FLUSH = 20


@dataclass(frozen=True)
class Known:
    """What a file is: its name, its original (itself, if it is one), and how it was encoded."""

    name: str
    original: str
    encoding: str


class Prints:
    """Fingerprints by name, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.rows: dict[str, dict[str, Any]] = {}
        if file.exists():
            self.rows = {row["content_hash"]: row for row in pq.read_table(file).to_pylist()}

    def add(self, name: str, path: Path) -> None:
        self.rows[name] = {"content_hash": name, **fingerprint(path)}
        if len(self.rows) % _FLUSH == 0:
            self.save()

    def save(self) -> None:
        table = pa.Table.from_pylist(list(self.rows.values()), schema=fingerprints_schema())
        half = self._file.with_suffix(".half")
        pq.write_table(table, half)
        half.replace(self._file)


def add_music(prints: Prints, music: Path, rows: list[dict[str, str]]) -> None:
    for row in rows:
        if f"others/{row['path']}" not in prints.rows:
            prints.add(f"others/{row['path']}", music / row["path"])


def add_copies(
    prints: Prints, music: Path, rows: list[dict[str, str]], count: int, seed: int
) -> None:
    rng = random.Random(seed)
    fit = [row for row in rows if 30 <= float(row["duration_s"]) <= 120]
    for row in sorted(rng.sample(fit, count), key=lambda row: row["path"]):
        wanted = {n: f"copies/{row['path']} {n}" for n in ENCODINGS}
        if all(name in prints.rows for name in wanted.values()):
            continue
        samples = read_audio(music / row["path"], RATE).samples
        for name, changed in copies(samples, random.Random(f"{seed} {row['path']}")):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "copy"
                write_sound(changed, path, ENCODINGS[name])
                prints.add(wanted[name], path)


def copies(
    samples: NDArray[np.float32], rng: random.Random
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """A cut, louder or softer version for each encoding; what goes over full scale is clipped."""
    for name in ENCODINGS:
        start, end = (round(rng.uniform(0, 3) * RATE) for _ in range(2))
        gain = np.float32(10 ** (rng.choice([-6, 6]) / 20))
        yield name, np.clip(samples[start : len(samples) - end] * gain, -1, 1)


def add_alike(prints: Prints) -> None:
    """Pairs of pieces by one band, in one tempo and key."""
    for number, style in enumerate(STYLES):
        for take in range(MADE_PER_STYLE):
            names = [f"made/{number:02d}-{take} {side}" for side in "ab"]
            if not all(name in prints.rows for name in names):
                plans = np.random.default_rng([number, take])
                first = style.plan(plans, MADE_SECONDS)
                second = other_plan(style, first, plans)
                for side, (name, plan) in enumerate(zip(names, (first, second), strict=True)):
                    with tempfile.TemporaryDirectory() as folder:
                        render(style, plan, Path(folder) / "x.flac", [number, take, side])
                        prints.add(name, Path(folder) / "x.flac")


def other_plan(style: Style, plan: Plan, rng: np.random.Generator) -> Plan:
    while True:
        other = replace(style.plan(rng, MADE_SECONDS), key=plan.key, tempo_bpm=plan.tempo_bpm)
        if other.chords[: len(plan.chords)] != plan.chords[: len(other.chords)]:
            return other


def render(style: Style, plan: Plan, out: Path, seed: list[int]) -> None:
    rng, sampler = (
        np.random.default_rng(seed),
        InstrumentBank(MADE_RATE, np.random.default_rng(seed[:2])),
    )
    parts = style.parts(plan, rng)
    length = plan.bars * plan.beats_per_bar * 60 / plan.tempo_bpm + 1.5
    stereo = mix(parts, plan, sampler, rng, length, style.room_seconds)
    soundfile.write(out, master(stereo, MADE_RATE, style.level_db, 1.5), MADE_RATE)


def known(name: str) -> Known:
    folder, _, rest = name.partition("/")
    if folder == "copies":
        original, _, encoding = rest.rpartition(" ")
        return Known(name, original, encoding)
    return Known(name, rest, folder)


def correlation(a: Path, b: Path) -> float:
    """The highest normalised cross-correlation of two recordings at 4 kHz."""
    x, y = (read_audio(path, 4000).samples.astype(np.float64) for path in (a, b))
    size = fft.next_fast_len(len(x) + len(y), real=True)
    cross = fft.irfft(fft.rfft(x, size) * np.conj(fft.rfft(y, size)), size)
    return float(np.abs(cross).max() / np.sqrt((x @ x) * (y @ y)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("music", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--copied", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    rows = list(csv.DictReader((options.music / "tracks.csv").open(encoding="utf-8")))
    prints = Prints(options.work / "prints.parquet")
    try:
        add_music(prints, options.music, rows)
        add_copies(prints, options.music, rows, options.copied, options.seed)
        add_alike(prints)
    finally:
        prints.save()
    report(prints, options.music)


def report(made: Prints, music: Path) -> None:
    schema = fingerprints_schema()
    prints = Fingerprints.of_table(pa.Table.from_pylist(list(made.rows.values()), schema=schema))
    files = [known(name) for name in prints.hashes]
    place = {name: i for i, name in enumerate(prints.hashes)}
    found = find_matches(prints)
    matches = [m for m in found if m.certain]
    pairs = {(place[m.first], place[m.second]): m for m in matches}
    print(f"{len(files)} recordings, {len(pairs)} pairs merged")
    recall(prints, files, pairs)
    grouped(prints, files, found)
    false_merges(files, pairs, music)
    alike(prints, files)


def false_merges(files: list[Known], pairs: dict[tuple[int, int], Match], music: Path) -> None:
    """Originals that are merged, by themselves or through their copies."""
    wrong = {
        tuple(sorted((files[i].original, files[j].original)))
        for i, j in pairs
        if files[i].original != files[j].original
    }
    print(f"different originals merged: {len(wrong)}")
    for a, b in sorted(wrong):
        both = (music / a).is_file() and (music / b).is_file()
        told = f"waveforms correlate {correlation(music / a, music / b):.4f}" if both else ""
        print(f"  {a} = {b} {told}")


def recall(prints: Fingerprints, files: list[Known], pairs: dict[tuple[int, int], Match]) -> None:
    originals = {f.original: i for i, f in enumerate(files) if f.encoding == "others"}
    for encoding in ENCODINGS:
        copies = [i for i, f in enumerate(files) if f.encoding == encoding]
        found = [i for i in copies if _pair(i, originals[files[i].original]) in pairs]
        errors = [pairs[_pair(i, originals[files[i].original])].error for i in found]
        worst = f"{max(errors):.3f}" if errors else "unknown"
        print(f"{encoding:8} {len(found)} of {len(copies)} found, highest error {worst}")
        for i in set(copies) - set(found):
            print(f"  lost: {files[i].name}")


def grouped(prints: Fingerprints, files: list[Known], matches: list[Match]) -> None:
    """How many copies are in the group of their original, all copies lying beside it."""
    group = group_recordings(prints, matches, lambda first, second: True)
    for encoding in ENCODINGS:
        copies = [f for f in files if f.encoding == encoding]
        found = sum(group[f.name] == group[f"others/{f.original}"] for f in copies)
        print(f"{encoding:8} {found} of {len(copies)} in one group")


def _pair(i: int, j: int) -> tuple[int, int]:
    return min(i, j), max(i, j)


def alike(prints: Fingerprints, files: list[Known]) -> None:
    """Pairs that sound alike, compared at every offset up to 7 s, whatever the search found."""
    albums: dict[str, list[int]] = {}
    for i, f in enumerate(files):
        if f.encoding == "others":
            albums.setdefault(str(Path(f.name).parent), []).append(i)
    near = [pair for group in albums.values() for pair in itertools.pairwise(group)]
    made = {f.name: i for i, f in enumerate(files) if f.encoding == "made"}
    twins = [(i, made[f"{name[:-1]}b"]) for name, i in made.items() if name.endswith("a")]
    for what, chosen in (("neighbours on an album", near), ("made twins", twins)):
        errors, merged = [], []
        for i, j in chosen:
            best = best_comparison(prints[i], prints[j], np.arange(-56, 57), SEGMENT_ERROR)
            errors.append(best.error)
            judged = judge_pair(prints, i, j, best)
            sure = judged is not None and with_changes(prints, [judged])[0].certain
            merged += [(i, j, best)] if sure else []
        print(f"{what}: {len(merged)} of {len(chosen)} merged; lowest errors", end=" ")
        print(" ".join(f"{e:.3f}" for e in sorted(errors)[:6]))
        for i, j, best in merged:
            print(f"  {files[i].name} = {files[j].name} (error {best.error:.3f})")


if __name__ == "__main__":
    main()
