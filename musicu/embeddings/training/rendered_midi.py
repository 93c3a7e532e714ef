"""Notes and the Standard MIDI File that carries them to a synthesiser."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_TICKS = 480  # a quarter note
DRUMS = 9  # the channel of percussion in General MIDI


class Note(NamedTuple):
    """One note: beats from the piece's start and long, MIDI pitch and velocity (1 to 127)."""

    channel: int
    start: float
    length: float
    pitch: int
    velocity: int


class Channel(NamedTuple):
    """How a channel is set: General MIDI program (0 to 127), volume, pan and reverb (0 to 127)."""

    number: int
    program: int
    volume: int
    pan: int
    reverb: int


def midi_file(notes: Iterable[Note], channels: Iterable[Channel], bpm: float) -> bytes:
    """A Standard MIDI File of format 0 (RP-001, 1996)."""
    events: list[tuple[int, int, bytes]] = []  # tick, order within the tick, message
    for c in channels:
        events.append((0, 0, bytes([0xC0 | c.number, c.program])))
        for controller, value in ((7, c.volume), (10, c.pan), (91, c.reverb)):
            events.append((0, 0, bytes([0xB0 | c.number, controller, value])))
    for n in notes:
        start = max(0, round(n.start * _TICKS))
        stop = start + max(1, round(n.length * _TICKS))
        events.append((start, 2, bytes([0x90 | n.channel, n.pitch, n.velocity])))
        events.append((stop, 1, bytes([0x80 | n.channel, n.pitch, 0])))
    events.sort(key=lambda event: event[:2])
    tempo = round(60_000_000 / bpm).to_bytes(3, "big")
    track = bytearray(b"\x00\xff\x51\x03" + tempo)
    now = 0
    for tick, _, message in events:
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + _TICKS.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _variable_length(number: int) -> bytes:
    """Seven bits a byte, highest first, the top bit set on all but the last."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))
