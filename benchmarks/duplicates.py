"""How well copies are found, and how often different music is taken for a copy.

    python benchmarks/duplicates.py MUSIC WORK [--copied 100] [--seed 0]

MUSIC is a folder with `tracks.csv` (path, title, artist, album, duration_s); WORK keeps what is
made, so that a run that was stopped goes on. Needs ffmpeg, and the extra `av` for AAC.

Of `--copied` recordings of 30 to 120 s, drawn by the seed, each gets six copies: MP3 at 64 and 128
kbit/s, Ogg Vorbis (quality 0), Opus at 24 kbit/s, AAC at 96 kbit/s, FLAC; each cut by up to 3 s
at both ends, 6 dB louder or softer, under other tags. They lie among all of MUSIC and among made
pieces: 108 pairs that share style, instruments, tempo and key and differ in their chords and
tunes. Truth: a copy belongs to its original, everything else apart. Pairs of MUSIC's own that are
merged are checked by the correlation of their waveforms.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from scipy import fft

from musicu.audio import read_audio
from musicu.audit.fingerprints import Fingerprints, best_comparison
from musicu.audit.matching import SAME_ERROR, Match, find_matches, judge_pair
from musicu.catalog.catalog import Catalog
from musicu.catalog.store import Store
from musicu.datasets.synth.mixing import Sampler, master, mix
from musicu.datasets.synth.patterns import resolved
from musicu.datasets.synth.score import Plan
from musicu.datasets.synth.styles import STYLES, Style
from musicu.pipeline.fingerprint import TABLE, fingerprint_catalog
from musicu.pipeline.run import scan

ENCODINGS = {
    "mp3-64": ("mp3", "-c:a libmp3lame -b:a 64k"),
    "mp3-128": ("mp3", "-c:a libmp3lame -b:a 128k"),
    "vorbis": ("ogg", "-c:a libvorbis -q:a 0"),
    "opus-24": ("opus", "-c:a libopus -b:a 24k"),
    "aac-96": ("m4a", "-c:a aac -b:a 96k"),
    "flac": ("flac", "-c:a flac"),
}
MADE_PER_STYLE, MADE_SECONDS, MADE_RATE = 9, 40.0, 32_000


@dataclass(frozen=True)
class Known:
    """What a file is: its name, and the original that it is a copy of (itself, if it is one)."""

    name: str
    original: str
    encoding: str


def make_copies(music: Path, work: Path, count: int, seed: int) -> None:
    rows = list(csv.DictReader((music / "tracks.csv").open(encoding="utf-8")))
    rng = random.Random(seed)
    fit = [i for i, row in enumerate(rows) if 30 <= float(row["duration_s"]) <= 120]
    for i in sorted(rng.sample(fit, count)):
        draw = random.Random(f"{seed} {i}")
        for name, (suffix, codec) in ENCODINGS.items():
            out = work / "music" / "copies" / f"{i:04d} {name}.{suffix}"
            start, end, gain = draw.uniform(0, 3), draw.uniform(0, 3), draw.choice([-6, 6])
            if not out.exists():
                encode(music / rows[i]["path"], out, codec, start, end, gain)


def encode(source: Path, out: Path, codec: str, start: float, end: float, gain: int) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    half = out.with_name(f".half{out.suffix}")
    cut = f"areverse,atrim=start={end},areverse,atrim=start={start},volume={gain}dB"
    tags = ["-metadata", f"title=Untitled {out.stem[:2]}", "-metadata", "artist=Unknown"]
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-map_metadata", "-1", "-af", cut]
    subprocess.run([*command, *codec.split(), *tags, str(half)], check=True)
    half.rename(out)


def make_alike(work: Path) -> None:
    """Pairs of pieces by one band, in one tempo and key."""
    for number, style in enumerate(STYLES):
        for take in range(MADE_PER_STYLE):
            names = [work / "music" / "made" / f"{number:02d}-{take} {x}.flac" for x in "ab"]
            if not all(name.exists() for name in names):
                plans = np.random.default_rng([number, take])
                first = style.plan(plans, MADE_SECONDS)
                second = other_plan(style, first, plans)
                for name, plan in zip(names, (first, second), strict=True):
                    render(style, plan, name, [number, take, int(name.stem[-1] == "b")])


def other_plan(style: Style, plan: Plan, rng: np.random.Generator) -> Plan:
    while True:
        other = replace(style.plan(rng, MADE_SECONDS), key=plan.key, tempo_bpm=plan.tempo_bpm)
        if other.chords[: len(plan.chords)] != plan.chords[: len(other.chords)]:
            return other


def render(style: Style, plan: Plan, out: Path, seed: list[int]) -> None:
    rng, sampler = np.random.default_rng(seed), Sampler(MADE_RATE, np.random.default_rng(seed[:2]))
    parts = [resolved(part, plan) for part in style.compose(plan, rng)]
    length = plan.bars * plan.beats_per_bar * 60 / plan.tempo_bpm + 1.5
    stereo = mix(parts, plan, sampler, rng, length, style.room_seconds)
    out.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(out, master(stereo, MADE_RATE, style.level_db, 1.5), MADE_RATE)


def known(path: str) -> Known:
    folder, _, name = path.partition("/")
    if folder == "copies":
        number, encoding = Path(name).stem.split(" ")
        return Known(path, number, encoding)
    return Known(path, path, folder)


def open_prints(work: Path) -> tuple[Fingerprints, list[Known], dict[str, str]]:
    table = Store.open(work / "catalog").read(TABLE)
    assert table is not None
    prints = Fingerprints.of_table(table)
    tracks = Catalog.open(work / "catalog").tracks().select(["path", "content_hash"]).to_pylist()
    paths = {row["content_hash"]: row["path"] for row in reversed(tracks)}
    return prints, [known(paths[h]) for h in prints.hashes], paths


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
    folder = options.work / "music"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "others").exists():
        (folder / "others").symlink_to(options.music.resolve())
    make_copies(options.music, options.work, options.copied, options.seed)
    make_alike(options.work)
    scan(folder, options.work / "catalog")
    print(fingerprint_catalog(options.work / "catalog"))
    report(options.music, options.work)


def report(music: Path, work: Path) -> None:
    prints, files, paths = open_prints(work)
    numbers = {row["path"]: f"{i:04d}" for i, row in enumerate(
        csv.DictReader((music / "tracks.csv").open(encoding="utf-8"))
    )}  # fmt: skip
    files = [
        replace(f, original=numbers[f.name[7:]]) if f.name.startswith("others/") else f
        for f in files
    ]
    place = {h: i for i, h in enumerate(prints.hashes)}
    matches = [m for m in find_matches(prints) if m.whole]
    pairs = {(place[m.first], place[m.second]): m for m in matches}
    recall(prints, files, pairs)
    wrong = [p for p in pairs if files[p[0]].original != files[p[1]].original]
    between = sorted({tuple(sorted((files[i].original, files[j].original))) for i, j in wrong})
    print(f"pairs merged: {len(pairs)}; of different originals: {len(between)}")
    for i, j in wrong:
        if "copies" not in (files[i].encoding, files[j].encoding) and files[i].encoding == "others":
            a, b = (work / "music" / paths[prints.hashes[x]] for x in (i, j))
            print(f"  {a.name} = {b.name}: waveforms correlate {correlation(a, b):.4f}")
    alike(prints, files)


def recall(prints: Fingerprints, files: list[Known], pairs: dict[tuple[int, int], Match]) -> None:
    originals = {f.original: i for i, f in enumerate(files) if f.encoding == "others"}
    for encoding in ENCODINGS:
        copies = [i for i, f in enumerate(files) if f.encoding == encoding]
        found = [i for i in copies if _pair(i, originals[files[i].original]) in pairs]
        errors = [pairs[_pair(i, originals[files[i].original])].error for i in found]
        print(f"{encoding:8} {len(found)} of {len(copies)} found, highest error {max(errors):.3f}")
        for i in set(copies) - set(found):
            print(f"  lost: {files[i].name}")


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
    twins = [(i, made[name.replace(" a.", " b.")]) for name, i in made.items() if " a." in name]
    for what, chosen in (("neighbours on an album", near), ("made twins", twins)):
        errors, merged = [], []
        for i, j in chosen:
            best = best_comparison(prints[i], prints[j], np.arange(-56, 57), SAME_ERROR)
            errors.append(best.error)
            judged = judge_pair(prints, i, j, best)
            merged += [(i, j, best)] if judged is not None and judged.whole else []
        print(f"{what}: {len(merged)} of {len(chosen)} merged; lowest errors", end=" ")
        print(" ".join(f"{e:.3f}" for e in sorted(errors)[:6]))
        for i, j, best in merged:
            print(f"  {files[i].name} = {files[j].name} (error {best.error:.3f})")


if __name__ == "__main__":
    main()
