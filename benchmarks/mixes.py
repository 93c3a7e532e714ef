"""How often a song, its instrumental and songs over the same backing are taken for one recording.

    python benchmarks/mixes.py WORK [--takes 12] [--seed 101]

For each style of made music and each take: a backing of its band, the same with one and with
another lead over it (a voice or an instrument, at -7.5 to +2.5 dB against the backing, some in a
part of the piece only), and another piece on the same drum loop. Each of the mixes is there as it
is and as a lossy copy (MP3 at 64 kbit/s, Opus at 24, Vorbis), cut by up to 3 s at both ends and
6 dB louder or softer. Truth: a copy belongs to its mix, everything else apart. Every pair of a take
is compared at every offset up to 7 s. README.md says on what the limits were
chosen.
WORK keeps the fingerprints, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
import soxr
from duplicates import ENCODINGS, MADE_RATE, MADE_SECONDS, Prints, other_plan
from numpy.typing import NDArray

from musicu.audio.encoding import RATE, write_sound
from musicu.audit.fingerprint_comparison import Fingerprints, best_comparison
from musicu.audit.recording_matches import SEGMENT_ERROR, Match, judge_pair, with_changes
from musicu.datasets.synth.band import Band
from musicu.datasets.synth.composition import Note, Part, Plan
from musicu.datasets.synth.mixing import InstrumentBank, master, mix
from musicu.datasets.synth.percussion import PERCUSSION
from musicu.datasets.synth.styles import STYLES, Style
from musicu.features.fingerprinting import fingerprints_schema

LOSSY = ("mp3-64", "opus-24", "vorbis")
LEADS = ("voice", "voice", "lead", "strings", "piano", "guitar", "pulse wave", "organ", "bell")
RHYTHMS = (
    ("x..x..x.o.o.x...", "x...o.x...x.o...", "x.o.x.o.x......."),
    ("x.....o.", "x...x...", "x.......", "o.x.x.o."),
    ("xoxoxoxo", "x.x.xoxo", "xo..xo.o"),
)
VOWELS_HZ = ((700, 1200, 2500), (300, 2300, 3000), (400, 800, 2600), (500, 1800, 2500))
LEVELS_DB = (-7.5, 2.5)
_FIRST_SEED = 101

Stereo = NDArray[np.float32]


def take(style: Style, rng: np.random.Generator) -> Iterator[tuple[str, Stereo]]:
    """The mixes of one take, by name."""
    plan = style.plan(rng, MADE_SECONDS)
    sampler = InstrumentBank(MADE_RATE, rng)
    parts = style.parts(plan, rng)
    if len(parts) > 2 and rng.random() < 0.6:
        parts.pop()  # mostly the band's own tune
    seconds = plan.bars * plan.beats_per_bar * 60 / plan.tempo_bpm + 1.5
    backing = mix(parts, plan, sampler, rng, seconds, style.room_seconds)
    yield "backing", backing
    for number in (1, 2):
        tune = lead(style, plan, sampler, rng, len(backing))
        level = rng.uniform(*LEVELS_DB)
        yield f"lead{number}@{level:+.1f}", backing + tune * scale(backing, tune, level)
    drums = [part for part in parts if part.instrument in PERCUSSION]
    if drums:
        other = other_plan(style, plan, rng)
        band = [part for part in style.parts(other, rng) if part.instrument not in PERCUSSION]
        yield "loop", mix(drums + band, other, sampler, rng, seconds, style.room_seconds)


def lead(
    style: Style, plan: Plan, sampler: InstrumentBank, rng: np.random.Generator, samples: int
) -> Stereo:
    """A tune of its own over a plan, stereo float32 [samples, 2]."""
    rhythms, low = RHYTHMS[rng.integers(len(RHYTHMS))], int(rng.integers(57, 74))
    notes = Band(plan, rng).melody(*rhythms, low=low, rest=float(rng.choice([0, 0.15, 0.3])))
    if rng.random() < 0.4:  # in a part of the piece only
        first = rng.uniform(0, 0.4)
        span = plan.bars * plan.beats_per_bar * np.array([first, first + rng.uniform(0.35, 0.6)])
        notes = [note for note in notes if span[0] <= note.beat < span[1]] or notes
    instrument = str(rng.choice(LEADS))
    if instrument == "voice":
        sung = voice(notes, 60 / plan.tempo_bpm, samples, rng)
        return np.stack([sung, sung], axis=1)
    part = Part(instrument, notes, 1.0, reverb=0.2, echo=0.25 * (rng.random() < 0.4))
    played = mix([part], plan, sampler, rng, samples / MADE_RATE, style.room_seconds)[:samples]
    return np.pad(played, ((0, samples - len(played)), (0, 0)))


def voice(
    notes: list[Note], beat: float, samples: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Notes sung: harmonics under the formants of a vowel, vibrato, and a breath at the start."""
    out = np.zeros(samples, np.float32)
    for note in notes:
        hertz = 440 * 2 ** ((note.pitch - 69) / 12)
        while hertz > 600:
            hertz /= 2
        start = int(note.beat * beat * MADE_RATE)
        length = min(int(note.beats * beat * MADE_RATE), samples - start)
        if length < 400:
            continue
        t = np.arange(length) / MADE_RATE
        bend = 0.012 * np.minimum(t / 0.3, 1) * np.sin(2 * np.pi * 5.5 * t + rng.uniform(0, 6))
        phase = 2 * np.pi * np.cumsum(hertz * (1 + bend)) / MADE_RATE
        formants = VOWELS_HZ[rng.integers(len(VOWELS_HZ))]
        tone = 0.3 * rng.standard_normal(length) * np.exp(-t / 0.03)
        for k in range(1, int(7000 / hertz)):
            heard = [
                a / (1 + ((k * hertz - f) / 120) ** 2)
                for a, f in zip((1, 0.6, 0.3), formants, strict=True)
            ]
            tone += (sum(heard) + 0.05 / k) * np.sin(k * phase)
        ramp = np.minimum(1, np.minimum(np.arange(length), np.arange(length)[::-1]) / 960)
        out[start : start + length] += (tone * ramp * note.velocity).astype(np.float32)
    return out


def scale(backing: Stereo, tune: Stereo, level_db: float) -> np.float32:
    """What brings a tune, where it sounds, to a level against the backing."""
    sounds = np.abs(tune).max(axis=1) > 1e-4 * np.abs(tune).max()
    power = np.mean(np.square(tune[sounds], dtype=np.float64)) if sounds.any() else 1.0
    ratio = np.mean(np.square(backing, dtype=np.float64)) / max(power, 1e-12)
    return np.float32(np.sqrt(ratio) * 10 ** (level_db / 20))


def add_take(prints: Prints, seed: int, number: int, count: int) -> None:
    style, base = STYLES[number], f"{number:02d}-{count:02d}"
    if f"{base} done" in prints.rows:
        return
    rng = np.random.default_rng([seed, number, count])
    draw = random.Random(base if seed == _FIRST_SEED else f"{seed} {base}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x"
        for name, mixed in take(style, rng):
            sound = master(mixed, MADE_RATE, style.level_db, 1.5)
            soundfile.write(file, sound, MADE_RATE, format="FLAC")
            prints.add(f"{base} {name}", file)
            mono = soxr.resample(sound.mean(axis=1), MADE_RATE, RATE).astype(np.float32)
            start, end = (round(draw.uniform(0, 3) * RATE) for _ in range(2))
            gain = np.float32(10 ** (draw.choice([-6, 6]) / 20))
            copied = np.clip(mono[start : len(mono) - end] * gain, -1, 1)
            codec = draw.choice(LOSSY)
            write_sound(copied, file, ENCODINGS[codec])
            prints.add(f"{base} {name} {codec}", file)
    prints.rows[f"{base} done"] = prints.rows[f"{base} backing"] | {"content_hash": f"{base} done"}


def compare_all(prints: Fingerprints) -> Iterator[tuple[str, str, Match | None]]:
    """Every pair of a take, with what the audit makes of it."""
    takes: dict[str, list[int]] = {}
    for place, name in enumerate(prints.hashes):
        if not name.endswith("done"):
            takes.setdefault(name.split()[0], []).append(place)
    for places in takes.values():
        for i, j in itertools.combinations(places, 2):
            best = best_comparison(prints[i], prints[j], np.arange(-56, 57), SEGMENT_ERROR)
            match = judge_pair(prints, i, j, best)
            told = with_changes(prints, [match])[0] if match is not None else None
            yield prints.hashes[i], prints.hashes[j], told


def report(prints: Fingerprints) -> None:
    counts: dict[str, list[int]] = {}
    for first, second, match in compare_all(prints):
        one, other = (name.split()[1] for name in (first, second))
        kinds = sorted({one.split("@")[0].rstrip("12"), other.split("@")[0].rstrip("12")})
        what = "copies" if one == other else f"other mixes: {' and '.join(kinds)}"
        found = counts.setdefault(what, [0, 0, 0, 0])
        found[0] += 1
        found[1] += match is not None and match.whole
        found[2] += match is not None and match.certain
        found[3] += match is not None and match.probable
        if match is not None and match.certain and one != other:
            print(f"joined: {first} = {second} {match.error:.3f} {match.change}")
    for what, (pairs, alike, certain, probable) in sorted(counts.items()):
        found = f"{alike} by codes alone, {certain} certain, {probable} probable"
        print(f"{what}: {pairs} pairs, {found}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--takes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=_FIRST_SEED)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    made = Prints(options.work / "mixes.parquet")
    try:
        for count, number in itertools.product(range(options.takes), range(len(STYLES))):
            add_take(made, options.seed, number, count)
    finally:
        made.save()
    rows = pa.Table.from_pylist(list(made.rows.values()), schema=fingerprints_schema())
    report(Fingerprints.of_table(rows))


if __name__ == "__main__":
    main()
