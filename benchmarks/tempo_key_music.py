"""Music made by rules whose tempo, beats, key and tuning are known, played by fluidsynth.

    python benchmarks/tempo_key_music.py FOLDER --pieces 640
    python benchmarks/tempo_key_music.py FOLDER --pieces 640 --mixed --seed 3
    python benchmarks/tempo_key_music.py FOLDER --pieces 320 --held-out --soundfont OTHER.sf2

Writes FLAC files and truth.jsonl, one line a piece, next to them; what is there is kept. Pieces
of the held-out styles share neither rhythms nor most instruments with the others; with --mixed
every piece has a style of its own, put together from parts of the others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import soundfile as sf
from tempo_key_mixing import mixed
from tempo_key_playing import BASS, CHORD, LEAD, RATE, SECONDS, Piece, play, seconds_of
from tempo_key_styles import MAJOR, MINOR, STYLES, Scale, Style

from recipes.midi import DRUMS, SOUNDFONT, MidiNote

BATCH = 8  # pieces to one run of fluidsynth, which spends most of a second on its soundfont
_TRIADS = {"M": (0, 4, 7), "m": (0, 3, 7), "d": (0, 3, 6)}


def make_piece(number: int, seed: int, styles: list[Style], *, mix: bool = False) -> Piece:
    """One piece, in one of the styles or, with `mix`, in one made of parts of several.

    kind is "music", "drums" (no key), "free" (no beat) or "free drums" (neither).
    """
    rng = np.random.default_rng([seed, number])
    style = mixed(styles, rng) if mix else styles[number % len(styles)]
    kind = str(rng.choice(["music", "drums", "free", "free drums"], p=[0.91, 0.035, 0.035, 0.02]))
    kind = "music" if kind == "drums" and not style.drums else kind
    # half a matter of style: instruments must not tell the mode
    minor = bool(rng.random() < 0.5 * style.minor + 0.22)
    bpm = float(rng.uniform(*style.bpm))
    tonic = int(rng.integers(12))
    bars = int(np.ceil(SECONDS * bpm / 60 / style.beats)) + 1
    notes = _band(style, kind, tonic, minor, bars, rng)
    if kind.startswith("free"):
        notes = _scattered(notes, bars * style.beats, rng)
    programs = {
        BASS: style.bass_programs,
        CHORD: style.chord_programs,
        LEAD: style.lead_programs,
    }
    chosen = {channel: int(rng.choice(of)) for channel, of in programs.items()}
    volumes = {c: int(rng.integers(70, 120)) for c in (BASS, CHORD, LEAD)}
    volumes[DRUMS] = int(rng.integers(60, 125))
    cents = float(rng.uniform(-45, 45)) if rng.random() < 0.25 else 0.0
    drift = (
        float(rng.uniform(0, style.rubato)) if style.loose > 0.004 and rng.random() < 0.5 else 0.0
    )
    vibrato = float(rng.uniform(15, 70)) if rng.random() < 0.4 else 0.0
    offset, swing = float(rng.uniform(0, 0.6)), float(rng.uniform(*style.swing))
    if rng.random() < style.faint:
        volumes[DRUMS] //= 2
    return Piece(style, kind, notes, chosen, volumes, bpm, tonic, "minor" if minor else "major",
                 cents, drift, offset, style.loose, vibrato, swing)  # fmt: skip


def _band(
    style: Style, kind: str, tonic: int, minor: bool, bars: int, rng: np.random.Generator
) -> list[MidiNote]:
    turns = style.turns[minor]
    wander = rng.random() < 0.4
    sections = [_wander(minor, rng) if wander else str(rng.choice(turns)).split() for _ in "ab"]
    sevenths = bool(rng.random() < 0.35)
    rhythms = [(_rhythm(style, style.chords, rng), _rhythm(style, style.bass, rng)) for _ in "ab"]
    drums = [_groove(style, rng) for _ in range(2)]
    hush = rng.random() < style.drumless
    harmonic, slow = bool(rng.random() < 0.35), int(rng.choice([1, 1, 1, 2]))
    thin, tune = bool(rng.random() < style.power), bool(rng.random() < 0.75)
    late = int(rng.choice([0, 0, 0, 2, 4]))
    melody = _Melody(style, tonic, style.scales[minor], float(rng.uniform(0.25, 0.9)), rng)
    drone, bassless, tune_only = (
        _happens(share, rng) for share in (style.drone, style.bassless, style.tune_only)
    )
    notes: list[MidiNote] = []
    for bar in range(bars):
        part = bar // 8 % 2 if slow == 1 else bar // 16 % 2
        word = sections[part][bar // slow % 4]
        root, quality = (tonic + int(word[:-1])) % 12, word[-1]
        if quality == "m" and minor and harmonic and word == "7m":
            quality = "M"
        chord = [root + p for p in _TRIADS[quality]]
        if sevenths:
            chord.append(root + (11 if quality == "M" and root != (tonic + 7) % 12 else 10))
        if kind in ("music", "free"):
            if not tune_only:
                notes += _chords(style, rhythms[part][0], chord, thin, bar, rng)
            if not bassless:
                low = [tonic] * 3 if drone else chord
                notes += _bass_line(style, rhythms[part][1], low, bar, rng)
            if tune_only or (tune and (part or bar >= late)):
                notes += melody.bar(chord, bar)
        if style.drums and (not hush or "drums" in kind) and bar >= late:
            notes += _drums(style, drums[part], bar, bar % 8 == 7, rng)
    return notes


def _happens(share: float, rng: np.random.Generator) -> bool:
    """True in so many cases; nothing is drawn where it never is."""
    return share > 0.0 and bool(rng.random() < share)


def _wander(minor: bool, rng: np.random.Generator) -> list[str]:
    """Four chords of the scale, the first often the tonic."""
    scale, kinds = (MINOR, "mdMmmMM") if minor else (MAJOR, "MmmMMmd")
    weights = np.array([3.0, 0.4, 1.2, 2.0, 1.5, 1.8, 1.5] if minor else
                       [3.0, 1.3, 0.9, 2.2, 2.2, 1.8, 0.1])  # fmt: skip
    degrees = [int(d) for d in rng.choice(7, 4, p=weights / weights.sum())]
    degrees[0] = 0 if rng.random() < 0.7 else degrees[0]
    return [f"{scale[d]}{kinds[d]}" for d in degrees]


def _rhythm(style: Style, names: tuple[str, ...], rng: np.random.Generator) -> list[int]:
    """Steps of a bar on which something sounds; arpeggios are marked by a first element -1."""
    name, spb, n = str(rng.choice(names)), style.steps, style.steps * style.beats
    half = spb // 2 if spb == 4 else 1
    if name in ("whole", "double"):
        return [0]
    if name == "half":
        return [0, n // 2] if style.beats == 4 else [0]
    if name == "beat":
        return list(range(0, n, spb))
    if name in ("off", "oompah"):
        first = half if name == "off" else spb
        return list(range(first, n, spb if name == "off" or style.beats == 3 else 2 * spb))
    if name in ("eighth", "octaves", "arp8", "strum"):
        steps = list(range(0, n, half if spb == 4 else 1))
        steps = [s for s in steps if name != "strum" or s % spb == 0 or rng.random() < 0.7]
        return [-1, *steps] if name == "arp8" else steps
    if name in ("sixteenth", "arp16"):
        return [-1, *range(n)] if name == "arp16" else list(range(n))
    if name in ("gallop", "rolling"):
        return [s for s in range(n) if s % spb != (1 if name == "gallop" else 0)]
    weights = np.array([0.75 if s % spb == 0 else 0.45 if s % half == 0 else 0.2 for s in range(n)])
    return [s for s in range(n) if rng.random() < weights[s]] or [0]


def _chords(
    style: Style, steps: list[int], chord: list[int], thin: bool, bar: int, rng: np.random.Generator
) -> list[MidiNote]:
    start, velocity = bar * style.beats, int(rng.integers(60, 100))
    lowest = 43 if bar % 2 else 48
    pitches = [lowest + (p - lowest) % 12 for p in chord]
    if thin:
        pitches = [36 + chord[0] % 12, 43 + chord[0] % 12]
    if steps[0] == -1:
        climb = [*sorted(pitches), min(pitches) + 12, *sorted(pitches)[:0:-1]]
        return [MidiNote(CHORD, start + s / style.steps, 1.2 / style.steps, climb[i % len(climb)],
                     velocity) for i, s in enumerate(steps[1:])]  # fmt: skip
    ends = [*steps[1:], style.steps * style.beats]
    return [
        MidiNote(CHORD, start + s / style.steps, max(0.2, (e - s) / style.steps * 0.9), p,
             int(np.clip(velocity + rng.integers(-8, 9), 20, 127)))
        for s, e in zip(steps, ends, strict=True) for p in pitches
    ]  # fmt: skip


def _bass_line(
    style: Style, steps: list[int], chord: list[int], bar: int, rng: np.random.Generator
) -> list[MidiNote]:
    ends = [*steps[1:], style.steps * style.beats]
    notes = []
    for i, (s, e) in enumerate(zip(steps, ends, strict=True)):
        walks = len(steps) == style.beats and style.steps == 3
        step = chord[int(rng.integers(3))] if i and (walks or rng.random() < 0.12) else chord[0]
        pitch = 28 + (step - 4) % 12 + (12 if "octaves" in style.bass and i % 2 else 0)
        length = (e - s) / style.steps * float(rng.choice([0.5, 0.9]))
        notes.append(MidiNote(BASS, bar * style.beats + s / style.steps, max(0.15, length), pitch,
                          int(rng.integers(80, 112))))  # fmt: skip
    return notes


class _Melody:
    """A walk along the scale in a rhythm that returns every two bars."""

    def __init__(
        self, style: Style, tonic: int, scales: tuple[Scale, ...], density: float,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.style, self.rng, self.place = style, rng, int(rng.integers(7))
        scale = scales[int(rng.integers(len(scales)))] if len(scales) > 1 else scales[0]
        self.pitches = [55 + (tonic + 5) % 12 + 12 * o + p for o in range(2) for p in scale]
        n = style.beats * style.steps
        half = 2 if style.steps == 4 else 1
        hits = [s for s in range(2 * n) if rng.random() < density * (
            0.9 if s % style.steps == 0 else 0.6 if s % half == 0 else 0.12)]  # fmt: skip
        self.hits = hits or [0]

    def bar(self, chord: list[int], bar: int) -> list[MidiNote]:
        n, spb = self.style.beats * self.style.steps, self.style.steps
        notes = []
        for s in self.hits:
            if not (bar % 2) * n <= s < (bar % 2 + 1) * n:
                continue
            move = int(self.rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3]))
            self.place = int(np.clip(self.place + move, 0, len(self.pitches) - 1))
            pitch = self.pitches[self.place]
            if s % (2 * spb) == 0 or (pitch % 12 not in {c % 12 for c in chord} and s % spb == 0):
                pitch = min((p for p in range(pitch - 6, pitch + 7) if p % 12 in
                             {c % 12 for c in chord}), key=lambda p: abs(p - pitch))  # fmt: skip
            length = float(self.rng.choice([0.5, 1.0, 1.0, 1.5]))
            notes.append(MidiNote(LEAD, (bar // 2 * 2 * n + s) / spb, length, pitch,
                              int(self.rng.integers(70, 115))))  # fmt: skip
        return notes


def _groove(style: Style, rng: np.random.Generator) -> dict[int, str]:
    """One of the style's drum patterns, with a few hits moved in or out for good."""
    if not style.drums:
        return {}
    groove = dict(style.drums[int(rng.integers(len(style.drums)))])
    for drum, grid in groove.items():
        hits = [str(9 if rng.random() < int(d) / 9 else 0) for d in grid]
        if rng.random() < 0.3:
            hits[int(rng.integers(len(hits)))] = "5"
        groove[drum] = "".join(hits)
    if len(groove) > 2 and rng.random() < 0.15:
        groove.pop(list(groove)[int(rng.integers(len(groove)))])
    return groove


def _drums(
    style: Style, groove: dict[int, str], bar: int, fill: bool, rng: np.random.Generator
) -> list[MidiNote]:
    notes = []
    for drum, grid in groove.items():
        for s, digit in enumerate(grid):
            if rng.random() * 9.2 < int(digit):
                loud = int(rng.integers(85, 120)) - (25 if s % style.steps else 0)
                notes.append(MidiNote(DRUMS, bar * style.beats + s / style.steps, 0.1, drum, loud))
    if fill and rng.random() < 0.5:
        last = (bar + 1) * style.beats - 1
        notes += [MidiNote(DRUMS, last + i / style.steps, 0.1, 50 - i, 100)
                  for i in range(style.steps)]  # fmt: skip
    return notes


def _scattered(notes: list[MidiNote], beats: float, rng: np.random.Generator) -> list[MidiNote]:
    """A third of the notes, at any time: music without a beat."""
    kept = [n for n in notes if rng.random() < 0.3]
    stretch = float(rng.choice([1.0, 4.0]))
    return [n._replace(start=float(rng.uniform(0, beats)), length=n.length * stretch) for n in kept]


def _truth(name: str, piece: Piece) -> dict[str, object]:
    pulse, keyed = not piece.kind.startswith("free"), "drums" not in piece.kind
    beats = seconds_of(piece, np.arange(0, SECONDS * piece.bpm / 60 + 2))
    return {
        "file": name, "style": piece.style.name, "bpm": piece.bpm if pulse else None,
        "tonic": piece.tonic if keyed else None, "mode": piece.mode if keyed else None,
        "cents": piece.cents, "drums": any(n.channel == DRUMS for n in piece.notes),
        "beats": [round(float(b), 4) for b in beats if b < SECONDS] if pulse else [],
    }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--pieces", type=int, default=1600)
    which = options.add_mutually_exclusive_group()
    which.add_argument("--held-out", action="store_true")
    which.add_argument("--mixed", action="store_true")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--soundfont", default=SOUNDFONT)
    chosen = options.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    styles = [s for s in STYLES if s.held_out == chosen.held_out]
    truth = chosen.folder / "truth.jsonl"
    done = len(truth.read_text().splitlines()) if truth.is_file() else 0
    for first in range(done, chosen.pieces, BATCH):
        numbers = range(first, min(first + BATCH, chosen.pieces))
        pieces = [make_piece(n, chosen.seed, styles, mix=chosen.mixed) for n in numbers]
        sounds = play(pieces, first, chosen.soundfont)
        lines = []
        for number, piece, sound in zip(numbers, pieces, sounds, strict=True):
            name = f"{number:05d}.flac"
            sf.write(chosen.folder / name, sound, RATE, subtype="PCM_16")
            lines.append(json.dumps(_truth(name, piece)) + "\n")
        with truth.open("a") as file:
            file.writelines(lines)


if __name__ == "__main__":
    main()
