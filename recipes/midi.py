"""Standard MIDI Files and fluidsynth, which plays them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from musicu.errors import MusicuError

SOUNDFONT = "/usr/share/sounds/sf2/FluidR3_GM.sf2"
DRUMS = 9  # the channel of percussion in General MIDI
_TICKS = 480  # a quarter note

MidiEvent = tuple[int, int, bytes]  # tick, order within the tick, message


class MidiNote(NamedTuple):
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


def midi_file(notes: Iterable[MidiNote], channels: Iterable[Channel], bpm: float) -> bytes:
    """Notes at a steady tempo as a Standard MIDI File."""
    events: list[MidiEvent] = []
    for c in channels:
        events.append((0, 0, bytes([0xC0 | c.number, c.program])))
        for controller, value in ((7, c.volume), (10, c.pan), (91, c.reverb)):
            events.append((0, 0, bytes([0xB0 | c.number, controller, value])))
    for n in notes:
        start = max(0, round(n.start * _TICKS))
        stop = start + max(1, round(n.length * _TICKS))
        events.append((start, 2, bytes([0x90 | n.channel, n.pitch, n.velocity])))
        events.append((stop, 1, bytes([0x80 | n.channel, n.pitch, 0])))
    return midi_bytes(events, _TICKS, round(60_000_000 / bpm))


def midi_bytes(events: Iterable[MidiEvent], ticks: int, microseconds: int) -> bytes:
    """Events as a Standard MIDI File of format 0 (RP-001, 1996).

    ticks: of a quarter note, which lasts `microseconds`.
    """
    track = bytearray(b"\x00\xff\x51\x03" + microseconds.to_bytes(3, "big"))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track += _variable_length(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + ticks.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + bytes(track)


def _variable_length(number: int) -> bytes:
    """Seven bits a byte, highest first, the top bit set on all but the last."""
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def play_midi(
    midi: bytes, sample_rate: int, soundfont: str = SOUNDFONT, options: Sequence[str] = ()
) -> NDArray[np.float32]:
    """fluidsynth's rendering of a MIDI file, mono float32 [samples].

    options: further options of fluidsynth. Raises MusicuError where fluidsynth or the soundfont
    is missing, or fluidsynth fails.
    """
    program = shutil.which("fluidsynth")
    if program is None or not Path(soundfont).is_file():
        raise MusicuError(
            f"rendering needs fluidsynth and {soundfont}: on Debian, "
            "apt install fluidsynth fluid-soundfont-gm"
        )
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "piece.mid"), Path(scratch, "piece.wav")
        source.write_bytes(midi)
        command = [program, "-niq", *options, "-g", "0.4", "-r", str(sample_rate)]
        command += ["-F", str(target), soundfont, str(source)]
        result = subprocess.run(command, capture_output=True, check=False, timeout=600)
        if result.returncode != 0 or not target.is_file():
            reason = result.stderr.decode(errors="replace").strip()[-300:]
            raise MusicuError(f"fluidsynth failed with exit status {result.returncode}: {reason}")
        stereo, _ = sf.read(target, dtype="float32", always_2d=True)
    mono: NDArray[np.float32] = stereo.mean(axis=1)
    return mono
