"""Music made by rules whose tempo, beats, key and tuning are known, played by fluidsynth.

    python benchmarks/tempo_key_music.py FOLDER --pieces 1600
    python benchmarks/tempo_key_music.py FOLDER --pieces 320 --held-out --soundfont OTHER.sf2

Writes FLAC files and truth.jsonl, one line a piece, next to them; what is there is kept. Pieces
of the held-out styles share neither rhythms nor most instruments with the others.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from tempo_key_styles import MAJOR_TURNS, MINOR_TURNS, STYLES, Style

RATE = 22_050
SECONDS = 24.0
BATCH = 8  # pieces to one run of fluidsynth, which spends most of a second on its soundfont
_SLOT = 28.0
_TICKS = 500  # a second
_TRIADS = {"M": (0, 4, 7), "m": (0, 3, 7), "d": (0, 3, 6)}
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_BASS, _CHORD, _LEAD, _DRUMS = 0, 1, 2, 9


@dataclass(frozen=True, slots=True)
class Note:
    """start, length in beats."""

    channel: int
    start: float
    length: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Notes with what is known of them.

    programs, volumes: by channel. kind: see `make_piece`. vibrato: of the lead, in cents.
    """

    style: Style
    kind: str
    notes: list[Note]
    programs: dict[int, int]
    volumes: dict[int, int]
    bpm: float
    tonic: int
    mode: str
    cents: float
    drift: float
    offset: float
    loose: float
    vibrato: float


def make_piece(number: int, seed: int, styles: list[Style]) -> Piece:
    """One piece; kind is "music", "drums" (no key), "free" (no beat) or "free drums" (neither)."""
    rng = np.random.default_rng([seed, number])
    style = styles[number % len(styles)]
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
        _BASS: style.bass_programs,
        _CHORD: style.chord_programs,
        _LEAD: style.lead_programs,
    }
    chosen = {channel: int(rng.choice(of)) for channel, of in programs.items()}
    volumes = {c: int(rng.integers(70, 120)) for c in (_BASS, _CHORD, _LEAD)}
    volumes[_DRUMS] = int(rng.integers(60, 125))
    cents = float(rng.uniform(-45, 45)) if rng.random() < 0.25 else 0.0
    drift = float(rng.uniform(0, 0.012)) if style.loose > 0.004 and rng.random() < 0.5 else 0.0
    vibrato = float(rng.uniform(15, 70)) if rng.random() < 0.4 else 0.0
    return Piece(style, kind, notes, chosen, volumes, bpm, tonic, "minor" if minor else "major",
                 cents, drift, float(rng.uniform(0, 0.6)), style.loose, vibrato)  # fmt: skip


def _band(
    style: Style, kind: str, tonic: int, minor: bool, bars: int, rng: np.random.Generator
) -> list[Note]:
    turns = MINOR_TURNS if minor else MAJOR_TURNS
    wander = rng.random() < 0.4
    sections = [_wander(minor, rng) if wander else str(rng.choice(turns)).split() for _ in "ab"]
    sevenths = bool(rng.random() < 0.35)
    rhythms = [(_rhythm(style, style.chords, rng), _rhythm(style, style.bass, rng)) for _ in "ab"]
    drums = [_groove(style, rng) for _ in range(2)]
    hush = rng.random() < style.drumless
    harmonic, slow = bool(rng.random() < 0.35), int(rng.choice([1, 1, 1, 2]))
    thin, tune = bool(rng.random() < style.power), bool(rng.random() < 0.75)
    late = int(rng.choice([0, 0, 0, 2, 4]))
    melody = _Melody(style, tonic, minor, float(rng.uniform(0.25, 0.9)), rng)
    notes: list[Note] = []
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
            notes += _chords(style, rhythms[part][0], chord, thin, bar, rng)
            notes += _bass_line(style, rhythms[part][1], chord, bar, rng)
            notes += melody.bar(chord, bar) if tune and (part or bar >= late) else []
        if style.drums and (not hush or "drums" in kind) and bar >= late:
            notes += _drums(style, drums[part], bar, bar % 8 == 7, rng)
    return notes


def _wander(minor: bool, rng: np.random.Generator) -> list[str]:
    """Four chords of the scale, the first often the tonic."""
    scale, kinds = (_MINOR, "mdMmmMM") if minor else (_MAJOR, "MmmMMmd")
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
) -> list[Note]:
    start, velocity = bar * style.beats, int(rng.integers(60, 100))
    lowest = 43 if bar % 2 else 48
    pitches = [lowest + (p - lowest) % 12 for p in chord]
    if thin:
        pitches = [36 + chord[0] % 12, 43 + chord[0] % 12]
    if steps[0] == -1:
        climb = [*sorted(pitches), min(pitches) + 12, *sorted(pitches)[:0:-1]]
        return [Note(_CHORD, start + s / style.steps, 1.2 / style.steps, climb[i % len(climb)],
                     velocity) for i, s in enumerate(steps[1:])]  # fmt: skip
    ends = [*steps[1:], style.steps * style.beats]
    return [
        Note(_CHORD, start + s / style.steps, max(0.2, (e - s) / style.steps * 0.9), p,
             int(np.clip(velocity + rng.integers(-8, 9), 20, 127)))
        for s, e in zip(steps, ends, strict=True) for p in pitches
    ]  # fmt: skip


def _bass_line(
    style: Style, steps: list[int], chord: list[int], bar: int, rng: np.random.Generator
) -> list[Note]:
    ends = [*steps[1:], style.steps * style.beats]
    notes = []
    for i, (s, e) in enumerate(zip(steps, ends, strict=True)):
        walks = len(steps) == style.beats and style.steps == 3
        step = chord[int(rng.integers(3))] if i and (walks or rng.random() < 0.12) else chord[0]
        pitch = 28 + (step - 4) % 12 + (12 if "octaves" in style.bass and i % 2 else 0)
        length = (e - s) / style.steps * float(rng.choice([0.5, 0.9]))
        notes.append(Note(_BASS, bar * style.beats + s / style.steps, max(0.15, length), pitch,
                          int(rng.integers(80, 112))))  # fmt: skip
    return notes


class _Melody:
    """A walk along the scale in a rhythm that returns every two bars."""

    def __init__(
        self, style: Style, tonic: int, minor: bool, density: float, rng: np.random.Generator
    ) -> None:
        self.style, self.rng, self.place = style, rng, int(rng.integers(7))
        self.pitches = [55 + (tonic + 5) % 12 + 12 * o + p for o in range(2)
                        for p in (_MINOR if minor else _MAJOR)]  # fmt: skip
        n = style.beats * style.steps
        half = 2 if style.steps == 4 else 1
        hits = [s for s in range(2 * n) if rng.random() < density * (
            0.9 if s % style.steps == 0 else 0.6 if s % half == 0 else 0.12)]  # fmt: skip
        self.hits = hits or [0]

    def bar(self, chord: list[int], bar: int) -> list[Note]:
        n, spb = self.style.beats * self.style.steps, self.style.steps
        notes = []
        for s in self.hits:
            if not (bar % 2) * n <= s < (bar % 2 + 1) * n:
                continue
            move = int(self.rng.choice([-3, -2, -1, -1, 0, 1, 1, 2, 3]))
            self.place = int(np.clip(self.place + move, 0, 13))
            pitch = self.pitches[self.place]
            if s % (2 * spb) == 0 or (pitch % 12 not in {c % 12 for c in chord} and s % spb == 0):
                pitch = min((p for p in range(pitch - 6, pitch + 7) if p % 12 in
                             {c % 12 for c in chord}), key=lambda p: abs(p - pitch))  # fmt: skip
            length = float(self.rng.choice([0.5, 1.0, 1.0, 1.5]))
            notes.append(Note(_LEAD, (bar // 2 * 2 * n + s) / spb, length, pitch,
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
) -> list[Note]:
    notes = []
    for drum, grid in groove.items():
        for s, digit in enumerate(grid):
            if rng.random() * 9.2 < int(digit):
                loud = int(rng.integers(85, 120)) - (25 if s % style.steps else 0)
                notes.append(Note(_DRUMS, bar * style.beats + s / style.steps, 0.1, drum, loud))
    if fill and rng.random() < 0.5:
        last = (bar + 1) * style.beats - 1
        notes += [Note(_DRUMS, last + i / style.steps, 0.1, 50 - i, 100)
                  for i in range(style.steps)]  # fmt: skip
    return notes


def _scattered(notes: list[Note], beats: float, rng: np.random.Generator) -> list[Note]:
    """A third of the notes, at any time: music without a beat."""
    kept = [n for n in notes if rng.random() < 0.3]
    stretch = float(rng.choice([1.0, 4.0]))
    return [Note(n.channel, float(rng.uniform(0, beats)), n.length * stretch, n.pitch, n.velocity)
            for n in kept]  # fmt: skip


def _seconds(piece: Piece, beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times of beat positions, with the piece's slow drift of tempo (mean rate unchanged)."""
    times = beats * 60.0 / piece.bpm
    period = 9.0
    sway = piece.drift * period / (2 * np.pi) * np.sin(2 * np.pi * times / period)
    moved: NDArray[np.float64] = piece.offset + times + sway
    return moved


def _events(piece: Piece, at: float, rng: np.random.Generator) -> list[tuple[int, int, bytes]]:
    """MIDI events (tick, order, message) of a piece that starts at `at` seconds."""
    first = round(at * _TICKS)
    bend = _bend(piece.cents)
    events = _sung(piece, first) if piece.vibrato else []
    for channel, volume in piece.volumes.items():
        if channel != _DRUMS:
            program = piece.programs[channel]
            events.append((first, 0, bytes([0xC0 | channel, program])))
            events.append((first, 0, bytes([0xE0 | channel, *bend])))
        events.append((first, 0, bytes([0xB0 | channel, 7, volume])))
    for n in piece.notes:
        start, stop = _seconds(piece, np.array([n.start, n.start + n.length]))
        start += float(np.clip(rng.normal(0, piece.loose), -0.03, 0.03)) if piece.loose else 0.0
        start, stop = max(0.0, start), min(stop, SECONDS)
        if start < SECONDS - 0.1:
            on, off = round((at + start) * _TICKS), round((at + max(stop, start + 0.05)) * _TICKS)
            events.append((on, 2, bytes([0x90 | n.channel, n.pitch, n.velocity])))
            events.append((off, 1, bytes([0x80 | n.channel, n.pitch, 0])))
    return events


def _bend(cents: float) -> tuple[int, int]:
    """The bytes of a pitch bend."""
    value = 8192 + round(cents / 200 * 8192)
    return value & 127, value >> 7


def _sung(piece: Piece, first: int) -> list[tuple[int, int, bytes]]:
    """Bends that give the lead a singer's vibrato, and notes that are reached from below."""
    starts = np.array([n.start for n in piece.notes if n.channel == _LEAD])
    if not len(starts):
        return []
    starts = np.sort(_seconds(piece, starts))
    times = np.arange(0.0, SECONDS, 0.02)
    since = times - starts[np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)]
    depth = piece.vibrato * np.clip(since / 0.3, 0.0, 1.0)
    cents = piece.cents + depth * np.sin(2 * np.pi * 5.5 * times)
    cents -= 2 * piece.vibrato * np.exp(-np.maximum(since, 0.0) / 0.04)
    return [
        (first + round(t * _TICKS), 1, bytes([0xE0 | _LEAD, *_bend(c)]))
        for t, c in zip(times, np.clip(cents, -195, 195), strict=True)
    ]


def _midi(events: list[tuple[int, int, bytes]]) -> bytes:
    """A Standard MIDI File of format 0 with _TICKS ticks a second."""
    track = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big"))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        wait, parts = tick - now, [(tick - now) & 127]
        while wait := wait >> 7:
            parts.append(wait & 127 | 128)
        track += bytes(reversed(parts)) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + _TICKS.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _play(pieces: list[Piece], seed: int, soundfont: str) -> NDArray[np.float32]:
    """The pieces as sound, float32 [pieces, samples]."""
    rng = np.random.default_rng([seed, len(pieces)])
    events = [e for i, p in enumerate(pieces) for e in _events(p, i * _SLOT, rng)]
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "a.mid"), Path(scratch, "a.wav")
        source.write_bytes(_midi(events))
        command = ["fluidsynth", "-niq", "-o", "synth.dynamic-sample-loading=1", "-C", "0", "-g",
                   "0.4", "-r", str(RATE), "-F", str(target), soundfont, str(source)]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=600)
        sound, _ = sf.read(target, dtype="float32", always_2d=True)
    slot, n = round(_SLOT * RATE), round(SECONDS * RATE)
    mono = np.pad(sound.mean(axis=1), (0, len(pieces) * slot))
    cut = np.stack([mono[i * slot : i * slot + n] for i in range(len(pieces))])
    loud: NDArray[np.float32] = cut * (0.7 / np.maximum(np.abs(cut).max(axis=1), 1e-6))[:, None]
    return loud


def _truth(name: str, piece: Piece) -> dict[str, object]:
    pulse, keyed = not piece.kind.startswith("free"), "drums" not in piece.kind
    beats = _seconds(piece, np.arange(0, SECONDS * piece.bpm / 60 + 2))
    return {
        "file": name, "style": piece.style.name, "bpm": piece.bpm if pulse else None,
        "tonic": piece.tonic if keyed else None, "mode": piece.mode if keyed else None,
        "cents": piece.cents, "drums": any(n.channel == _DRUMS for n in piece.notes),
        "beats": [round(float(b), 4) for b in beats if b < SECONDS] if pulse else [],
    }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--pieces", type=int, default=1600)
    options.add_argument("--held-out", action="store_true")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--soundfont", default="/usr/share/sounds/sf2/FluidR3_GM.sf2")
    chosen = options.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    styles = [s for s in STYLES if s.held_out == chosen.held_out]
    truth = chosen.folder / "truth.jsonl"
    done = len(truth.read_text().splitlines()) if truth.is_file() else 0
    for first in range(done, chosen.pieces, BATCH):
        numbers = range(first, min(first + BATCH, chosen.pieces))
        pieces = [make_piece(n, chosen.seed, styles) for n in numbers]
        sounds = _play(pieces, first, chosen.soundfont)
        lines = []
        for number, piece, sound in zip(numbers, pieces, sounds, strict=True):
            name = f"{number:05d}.flac"
            sf.write(chosen.folder / name, sound, RATE, subtype="PCM_16")
            lines.append(json.dumps(_truth(name, piece)) + "\n")
        with truth.open("a") as file:
            file.writelines(lines)


if __name__ == "__main__":
    main()
