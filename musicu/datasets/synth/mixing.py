"""From parts to a finished stereo recording: notes, echoes, a room, and a master level."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from musicu.datasets.synth.composition import Part, Plan
from musicu.datasets.synth.held import HELD
from musicu.datasets.synth.percussion import PERCUSSION
from musicu.datasets.synth.struck import RINGING

Samples = NDArray[np.float32]

_RELEASE_SECONDS = 0.09
_REPEATS = 4
_PEAK = 0.89  # -1 dBFS


class InstrumentBank:
    """Renders every sound once and keeps it: the instruments of one artist."""

    def __init__(self, rate: int, rng: np.random.Generator) -> None:
        self.rate = rate
        self._rng = rng
        self._kept: dict[tuple[str, int, int], Samples] = {}

    def sound(self, instrument: str, pitch: int, seconds: float) -> Samples:
        """One note at full loudness, float32 [samples]. `pitch` is MIDI; drums ignore it."""
        n = max(1, round(seconds * self.rate))
        key = (instrument, pitch, n if instrument in HELD else 0)
        if key not in self._kept:
            self._kept[key] = self._render(*key)
        kept = self._kept[key]
        if instrument in RINGING:
            return _damped(kept, n, round(_RELEASE_SECONDS * self.rate))
        return kept

    def _render(self, instrument: str, pitch: int, n: int) -> Samples:
        hz = 440.0 * 2 ** ((pitch - 69) / 12)
        if instrument in HELD:
            return HELD[instrument](hz, n, self.rate, self._rng)
        if instrument in RINGING:
            return RINGING[instrument](hz, self.rate, self._rng)
        return PERCUSSION[instrument](self.rate, self._rng).astype(np.float32)


def _damped(ringing: Samples, n: int, release: int) -> Samples:
    """A ringing sound stopped after n samples, with a short fade."""
    sound: Samples = ringing[: n + release].copy()
    tail = sound[n:]
    tail *= np.linspace(1, 0, len(tail), dtype=np.float32)
    return sound


def mix(
    parts: list[Part],
    plan: Plan,
    sampler: InstrumentBank,
    rng: np.random.Generator,
    seconds: float,
    room_seconds: float,
) -> Samples:
    """All parts in one room, float32 [samples, 2], not yet levelled."""
    rate, n = sampler.rate, round(seconds * sampler.rate)
    beat = 60 / plan.tempo_bpm
    stereo = np.zeros((2, n), dtype=np.float32)
    send = np.zeros(n, dtype=np.float32)
    for part in parts:
        track = part.gain * _play(part, sampler, rng, n, beat)
        if part.ducked:
            track *= _duck(n, beat * rate)
        _place(stereo, track, part.pan)
        send += part.reverb * track
        if part.echo:
            _echo(stereo, send, track, part, round(part.echo_beats * beat * rate))
    stereo += _reverberated(send, np.stack([_room(room_seconds, rate, rng) for _ in range(2)]))
    recording: Samples = stereo.T
    return recording


def _play(
    part: Part, sampler: InstrumentBank, rng: np.random.Generator, n: int, beat: float
) -> Samples:
    """One part's notes summed into mono float32 [n]."""
    track = np.zeros(n, dtype=np.float32)
    late = rng.normal(0, part.loose_seconds, len(part.notes))
    for note, stray in zip(part.notes, late.tolist(), strict=True):
        sound = sampler.sound(part.instrument, note.pitch, note.beats * beat)
        start = max(0, round((note.beat * beat + stray) * sampler.rate))
        fits = max(0, min(len(sound), n - start))  # cut at the track's end
        track[start : start + fits] += np.float32(note.velocity) * sound[:fits]
    return track


def _place(stereo: Samples, track: Samples, pan: float) -> None:
    """Add a mono track at equal power between left (-1) and right (1)."""
    angle = (pan + 1) * np.pi / 4
    stereo[0] += np.float32(np.cos(angle)) * track
    stereo[1] += np.float32(np.sin(angle)) * track


def _echo(stereo: Samples, send: Samples, track: Samples, part: Part, delay: int) -> None:
    """Repeats that fade and change sides."""
    for k in range(1, _REPEATS + 1):
        late = k * delay
        repeat = np.float32(part.echo**k) * track[: max(0, len(track) - late)]
        _place(stereo[:, late:], repeat, 0.7 if k % 2 else -0.7)
        send[late:] += part.reverb * repeat


def _duck(n: int, beat_samples: float) -> Samples:
    """A gain that dips at every beat and swells back."""
    phase = (np.arange(n) % beat_samples) / beat_samples
    gain: Samples = (1 - 0.65 * np.exp(-phase / 0.22)).astype(np.float32)
    return gain


def _reverberated(send: Samples, rooms: Samples) -> Samples:
    """Mono float32 [n] convolved with each of the impulse responses [rooms, m]: [rooms, n]."""
    size = fft.next_fast_len(len(send) + rooms.shape[1] - 1, real=True)
    spectrum = fft.rfft(rooms, size) * fft.rfft(send, size)
    wet: Samples = fft.irfft(spectrum, size)[:, : len(send)]
    return wet


def _room(seconds: float, rate: int, rng: np.random.Generator) -> Samples:
    """An impulse response: noise that decays by 60 dB in `seconds`, the highs sooner."""
    n = round(seconds * rate)
    t = np.arange(n) / n
    noise = rng.standard_normal(n)
    dark = signal.lfilter([0.35], [1, -0.65], noise)
    response = (1 - t) * noise * np.exp(-11 * t) * 0.5 + dark * np.exp(-6.9 * t)
    response[: rate // 100] *= np.linspace(0, 1, rate // 100)  # the room answers late
    clear = signal.butter(2, 180, "high", fs=rate, output="sos")  # basses stay dry
    response = signal.sosfilt(clear, response)
    room: Samples = (0.8 * response / np.sqrt(np.sum(response**2))).astype(np.float32)
    return room


def master(stereo: Samples, rate: int, level_db: float, fade_seconds: float) -> Samples:
    """The mix at a loudness (dBFS RMS), softly limited to -1 dBFS, its end faded out."""
    rumble = signal.butter(1, 25, "high", fs=rate, output="sos")
    clean = signal.sosfilt(rumble, stereo, axis=0).astype(np.float32)
    rms = float(np.sqrt(np.mean(np.square(clean), dtype=np.float64)))
    loud: Samples = clean * np.float32(10 ** (level_db / 20) / max(rms, 1e-9))
    knee = np.float32(0.6)
    size = np.abs(loud)
    over = size > knee
    squeezed = knee + (1 - knee) * np.tanh((size[over] - knee) / (1 - knee))
    loud[over] = np.copysign(squeezed, loud[over])
    fade = round(fade_seconds * rate)
    loud[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None]
    loud *= np.float32(_PEAK)
    return loud
