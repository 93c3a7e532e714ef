"""Sung and spoken words: espeak-ng, re-pitched along a tune with the WORLD vocoder.

Morise, Yokomori and Ozawa, "WORLD: a vocoder-based high-quality speech synthesis system" (IEICE
2016). Needs `apt install espeak-ng` and `pip install pyworld "setuptools<81"`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from musicu.errors import MusicuError
from recipes.midi import MidiNote

Samples = NDArray[np.float32]

_LANGUAGES = ("en", "en-us", "de", "fr-fr", "es", "it", "pt", "sv", "pl", "fi", "ja", "ru", "la")
_VARIANTS = (
    "", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7",
)  # fmt: skip
_SYLLABLES = (
    "la", "na", "oh", "ah", "love", "you", "me", "know", "low", "sun", "rain", "away", "home",
    "one",
    "day", "night", "alone", "eyes", "mine", "hey", "now",
    "river", "moon", "lie", "over", "ama",
    "luna", "sole", "mare", "mia", "noi", "amor", "ooh", "wo", "ye", "heart", "fly", "blue", "time",
)  # fmt: skip
_FRAME_SECONDS = 0.005  # of WORLD's frames
_WORLD_RATE = 22_050


@dataclass(frozen=True, slots=True)
class WordVoice:
    """Who sings. voice: espeak-ng's name; formants: their scale; vibrato in semitones and Hz."""

    voice: str
    formants: float
    octave: int
    vibrato: float
    vibrato_hz: float
    glide_seconds: float
    breath: float
    room_seconds: float
    wet: float
    choir: int


def draw_voice(rng: np.random.Generator) -> WordVoice:
    """A voice drawn at random; one in six is a small choir."""
    variant = str(rng.choice(_VARIANTS))
    high = variant.startswith("+f") or rng.random() < 0.3
    return WordVoice(
        voice=str(rng.choice(_LANGUAGES)) + variant,
        formants=float(rng.uniform(1.0, 1.2) if high else rng.uniform(0.85, 1.05)),
        octave=0 if high else -12,
        vibrato=float(rng.uniform(0.0, 0.6)),
        vibrato_hz=float(rng.uniform(4.5, 6.5)),
        glide_seconds=float(rng.uniform(0.02, 0.12)),
        breath=float(rng.uniform(0.0, 0.5) ** 2),
        room_seconds=float(rng.uniform(0.3, 2.5)),
        wet=float(rng.uniform(0.05, 0.6)),
        choir=int(rng.integers(3, 6)) if rng.random() < 1 / 6 else 1,
    )


def speak(voice: WordVoice, seconds: float, rate: int, rng: np.random.Generator) -> Samples:
    """Spoken words float32 [n] at `rate` Hz, about so long, with little room."""
    words = " ".join(rng.choice(_SYLLABLES, int(seconds * 3)))
    sound = soxr.resample(_espeak(words, voice.voice, 150, 50), _WORLD_RATE, rate)
    return _in_room(sound.astype(np.float32), voice.room_seconds / 3, voice.wet / 3, rate, rng)


def sing_words(
    notes: Sequence[MidiNote], bpm: float, voice: WordVoice, rate: int, rng: np.random.Generator
) -> Samples:
    """A tune sung float32 [n] at `rate` Hz; each singer of a choir a little apart."""
    parts = [_one_singer(notes, bpm, voice, rng) for _ in range(voice.choir)]
    n = max(map(len, parts))
    dry = sum(
        np.pad(part, (int(rng.integers(900)) * (k > 0), n))[:n] for k, part in enumerate(parts)
    )
    sound = soxr.resample(np.asarray(dry), _WORLD_RATE, rate).astype(np.float32)
    return _in_room(sound, voice.room_seconds, voice.wet, rate, rng)


def _one_singer(
    notes: Sequence[MidiNote], bpm: float, voice: WordVoice, rng: np.random.Generator
) -> Samples:
    """The words stretched to the tune's length and moved to its pitches."""
    import pyworld

    beat = 60.0 / bpm
    end = max((n.start + n.length for n in notes), default=4.0) * beat
    end = min(end, 16.0)
    words = " ".join(rng.choice(_SYLLABLES, max(2, len(notes))))
    spoken = _espeak(words, voice.voice, int(rng.integers(70, 110)), 50).astype(np.float64)
    f0, times = pyworld.dio(spoken, _WORLD_RATE, frame_period=1000 * _FRAME_SECONDS)
    envelope = pyworld.cheaptrick(spoken, f0, times, _WORLD_RATE)
    noise = pyworld.d4c(spoken, f0, times, _WORLD_RATE)
    frames = int(end / _FRAME_SECONDS)
    took = np.linspace(0, len(f0) - 1, frames).round().astype(int)
    envelope = _scale_formants(envelope[took], voice.formants)
    noise = np.clip(noise[took] + voice.breath * (1 - noise[took]), 0.0, 1.0)
    pitch = _pitch_curve(notes, beat, frames, voice, rng)
    sung = np.where((f0[took] > 0) | (rng.random() < 0.5), pitch, 0.0)
    sound = pyworld.synthesize(
        np.ascontiguousarray(sung), np.ascontiguousarray(envelope), np.ascontiguousarray(noise),
        _WORLD_RATE, 1000 * _FRAME_SECONDS,
    )  # fmt: skip
    loud: Samples = (sound / max(float(np.abs(sound).max()), 1e-6)).astype(np.float32)
    return loud


def _pitch_curve(
    notes: Sequence[MidiNote], beat: float, frames: int, voice: WordVoice, rng: np.random.Generator
) -> NDArray[np.float64]:
    """f0 in Hz [frames]: glides from note to note, vibrato on the later part of long notes, 0 where
    nobody sings."""
    semitones = np.full(frames, np.nan)
    detune = float(rng.normal(0.0, 0.1))
    depth = np.zeros(frames)
    for note in notes:
        start = int(note.start * beat / _FRAME_SECONDS)
        stop = min(frames, int((note.start + note.length) * beat / _FRAME_SECONDS))
        if stop > start:
            semitones[start:stop] = note.pitch + voice.octave + detune
            depth[start:stop] = np.clip((np.arange(stop - start) - 40) / 60, 0, 1)
    silent = np.isnan(semitones)
    if silent.all():
        return np.zeros(frames)
    semitones = np.interp(np.arange(frames), np.flatnonzero(~silent), semitones[~silent])
    width = max(1, int(voice.glide_seconds / _FRAME_SECONDS))
    smooth = np.convolve(np.pad(semitones, width, "edge"), np.hanning(2 * width + 1), "same")
    smooth = smooth[width:-width] / np.hanning(2 * width + 1).sum()
    wave = np.sin(2 * np.pi * voice.vibrato_hz * np.arange(frames) * _FRAME_SECONDS)
    hz = 440.0 * 2 ** ((smooth + voice.vibrato * depth * wave - 69) / 12)
    return np.where(silent, 0.0, hz)


def _scale_formants(envelope: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """The spectral envelope [frames, bins] moved up by `scale`."""
    bins = np.arange(envelope.shape[1])
    source = np.clip(bins / scale, 0, bins[-1])
    low = np.floor(source).astype(int)
    high = np.minimum(low + 1, bins[-1])
    share = source - low
    return np.asarray(envelope[:, low] * (1 - share) + envelope[:, high] * share)


def _in_room(
    sound: Samples, seconds: float, wet: float, rate: int, rng: np.random.Generator
) -> Samples:
    """With the exponential tail of a room; `seconds` is its time to −60 dB."""
    t = np.arange(int(seconds * rate)) / rate
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / seconds)
    tail *= wet / np.sqrt(np.sum(tail**2))
    reverberant: Samples = (sound + fftconvolve(sound, tail)[: len(sound)]).astype(np.float32)
    return reverberant


def _espeak(words: str, voice: str, speed: int, pitch: int) -> Samples:
    """What espeak-ng says, float32 [n] at 22,050 Hz."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise MusicuError("voices need espeak-ng: on Debian, apt install espeak-ng")
    command = [program, "-v", voice, "-s", str(speed), "-p", str(pitch), "--stdout", words]
    result = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if result.returncode != 0:
        raise MusicuError(f"espeak-ng failed for voice {voice}: {result.stderr.decode()[-200:]}")
    # its header gives no length
    samples: Any = np.frombuffer(result.stdout[44:], "<i2")
    return np.asarray(samples.astype(np.float32) / 32_768)
