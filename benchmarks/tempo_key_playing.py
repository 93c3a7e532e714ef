"""Pieces of notes as sound, played by fluidsynth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tempo_key_styles import Style

from recipes.midi import DRUMS, MidiNote, midi_bytes, play_midi

RATE = 22_050
SECONDS = 24.0
BASS, CHORD, LEAD = 0, 1, 2  # channels
_SLOT = 28.0
_TICKS = 500  # a second


@dataclass(frozen=True, slots=True)
class Piece:
    """Notes with what is known of them.

    programs, volumes: by channel. kind: see `make_piece`. vibrato: of the lead, in cents.
    """

    style: Style
    kind: str
    notes: list[MidiNote]
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
    swing: float


def seconds_of(piece: Piece, beats: NDArray[np.float64]) -> NDArray[np.float64]:
    """Times of beat positions, with the piece's slow drift of tempo (mean rate unchanged)."""
    pair, swung = piece.style.swung, beats
    if piece.swing:
        place = beats % pair / pair  # the middle of each pair comes later by the swing
        late = np.interp(place, (0.0, 0.5, 1.0), (0.0, 0.5 + piece.swing / pair, 1.0))
        swung = beats + (late - place) * pair
    times = swung * 60.0 / piece.bpm
    period = 9.0
    sway = piece.drift * period / (2 * np.pi) * np.sin(2 * np.pi * times / period)
    moved: NDArray[np.float64] = piece.offset + times + sway
    return moved


def play(pieces: list[Piece], seed: int, soundfont: str) -> NDArray[np.float32]:
    """The pieces as sound, float32 [pieces, samples]."""
    rng = np.random.default_rng([seed, len(pieces)])
    events = [e for i, p in enumerate(pieces) for e in _events(p, i * _SLOT, rng)]
    options = ("-o", "synth.dynamic-sample-loading=1", "-C", "0")
    sound = play_midi(midi_bytes(events, _TICKS, 1_000_000), RATE, soundfont, options)
    slot, n = round(_SLOT * RATE), round(SECONDS * RATE)
    mono = np.pad(sound, (0, len(pieces) * slot))
    cut = np.stack([mono[i * slot : i * slot + n] for i in range(len(pieces))])
    loud: NDArray[np.float32] = cut * (0.7 / np.maximum(np.abs(cut).max(axis=1), 1e-6))[:, None]
    return loud


def _events(piece: Piece, at: float, rng: np.random.Generator) -> list[tuple[int, int, bytes]]:
    """MIDI events (tick, order, message) of a piece that starts at `at` seconds."""
    first = round(at * _TICKS)
    bend = _bend(piece.cents)
    events = _sung(piece, first) if piece.vibrato else []
    for channel, volume in piece.volumes.items():
        if channel != DRUMS:
            program = piece.programs[channel]
            events.append((first, 0, bytes([0xC0 | channel, program])))
            events.append((first, 0, bytes([0xE0 | channel, *bend])))
        events.append((first, 0, bytes([0xB0 | channel, 7, volume])))
    for n in piece.notes:
        start, stop = seconds_of(piece, np.array([n.start, n.start + n.length]))
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
    starts = np.array([n.start for n in piece.notes if n.channel == LEAD])
    if not len(starts):
        return []
    starts = np.sort(seconds_of(piece, starts))
    times = np.arange(0.0, SECONDS, 0.02)
    since = times - starts[np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)]
    depth = piece.vibrato * np.clip(since / 0.3, 0.0, 1.0)
    cents = piece.cents + depth * np.sin(2 * np.pi * 5.5 * times)
    cents -= 2 * piece.vibrato * np.exp(-np.maximum(since, 0.0) / 0.04)
    return [
        (first + round(t * _TICKS), 1, bytes([0xE0 | LEAD, *_bend(c)]))
        for t, c in zip(times, np.clip(cents, -195, 195), strict=True)
    ]
