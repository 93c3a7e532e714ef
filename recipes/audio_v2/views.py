"""Stage 2a: views of the material, and what the teachers make of each.

    python -m recipes.audio_v2.views POOL TEACHERS VIEWS --shards 96

A view is four seconds of one to four clips over each other, at other speeds, sometimes distorted,
in a room, under noise, through moving formants, an equaliser and a band limit, at times through a
lossy codec; options say how often it is like a song. Teachers and
student hear the very same view (Beyer et al., "Knowledge distillation: a good teacher is patient
and consistent", CVPR 2022). VIEWS receives shards of 512; those that are there are kept. A shard
depends on its number and the seed alone, so several processes may share the work (`--every`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from scipy.signal import fftconvolve

from musicu.audio.encoding import CODECS, encode_and_decode
from musicu.embeddings.frontend import level_free_log
from musicu.embeddings.songs import floored, song_bands
from musicu.features.powers import SAMPLE_RATE
from musicu.records import Audio
from recipes.audio_v2.pool import clips
from recipes.audio_v2.teachers import RATE, AudioSetTeacher, TaggingTeacher, fast_hearing

Samples = NDArray[np.float32]

VIEWS = 512  # of a shard
LENGTH = round(4.14 * RATE)
LEVEL = 0.1  # root mean square of what the teachers hear: -20 dB
_TOGETHER = 4  # views that the teachers hear at once: more leave the processor's cache


@dataclass(frozen=True, slots=True)
class ViewMix:
    """How often a view begins with a made piece, has a voice over it, is a lossy file decoded."""

    bands: float = 0.3
    sung: float = 0.4
    lossy: float = 0.0


_MIX = ViewMix()  # of the first 450 shards of the shipped weights


@dataclass(frozen=True, slots=True, eq=False)
class SoundPool:
    """Clips at 32 kHz by kind, each int16 [samples]."""

    music: list[NDArray[np.int16]]
    bands: list[NDArray[np.int16]]
    voices: list[NDArray[np.int16]]


def open_pool(folder: Path, shard: int) -> SoundPool:
    """What a shard draws from: later shards know more voices, so that work may begin early."""
    voices = min(64 + 2 * shard, 147)
    kinds = (clips(folder, kind) for kind in ("music", "bands", "voices"))
    music, bands, sung = kinds
    return SoundPool(music, bands[:200], sung[:voices])


def draw_view(pool: SoundPool, rng: np.random.Generator, mix: ViewMix = _MIX) -> Samples:
    """One view, float32 [samples] at 32 kHz and at LEVEL."""
    sound = _clip(pool.music if rng.random() < 1 - mix.bands else pool.bands, rng)
    if rng.random() < 0.5:
        over = pool.music if rng.random() < 0.6 else pool.bands
        sound = _over(sound, _clip(over, rng), rng.uniform(-15, 15))
    if rng.random() < mix.sung:
        sound = _over(sound, _clip(pool.voices, rng), rng.uniform(-9, 9))
    if rng.random() < 0.12:
        drive = 10 ** rng.uniform(0.0, 1.3)
        sound = np.tanh(drive * sound).astype(np.float32)
    if rng.random() < 0.15:
        sound = _unit(_in_hall(sound, rng))
    if rng.random() < 0.3:
        sound = _unit(_formants(sound, rng))
    sound = _unit(_equalised(sound, rng))
    if rng.random() < 0.2:
        sound = _over(sound, _noise(rng), rng.uniform(-45, -12))
    if mix.lossy and rng.random() < mix.lossy:
        sound = _unit(_decoded(sound, rng))
    view: Samples = sound * np.float32(LEVEL)
    return view


def _clip(kind: list[NDArray[np.int16]], rng: np.random.Generator) -> Samples:
    """A part of a clip at a speed between .77 and 1.3, of unit power."""
    for _ in range(8):
        clip = kind[int(rng.integers(len(kind)))]
        speed = float(np.exp(rng.uniform(-0.26, 0.26))) if rng.random() < 0.7 else 1.0
        need = int(LENGTH * speed) + 2
        start = int(rng.integers(max(1, len(clip) - need)))
        part = clip[start : start + need].astype(np.float32)
        if len(part) < need:
            part = np.tile(part, -(-need // max(1, len(part))))[:need]
        if part.std() > 60:  # not a rest
            break
    places = np.arange(LENGTH) * speed
    return _unit(np.interp(places, np.arange(need), part).astype(np.float32))


def _unit(sound: Samples) -> Samples:
    unit: Samples = sound / np.float32(max(float(np.sqrt(np.mean(sound**2))), 1e-6))
    return unit


def _over(sound: Samples, other: Samples, decibels: float) -> Samples:
    return _unit(sound + np.float32(10 ** (decibels / 20)) * other)


def _in_hall(sound: Samples, rng: np.random.Generator) -> Samples:
    t = np.arange(int(rng.uniform(0.2, 1.2) * RATE)) / RATE
    tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / t[-1])
    tail *= rng.uniform(0.2, 1.0) / np.sqrt(np.sum(tail**2))
    wet: Samples = (sound + fftconvolve(sound, tail)[: len(sound)]).astype(np.float32)
    return wet


def _equalised(sound: Samples, rng: np.random.Generator) -> Samples:
    """Through a smooth curve and, at times, a limit above or below, as codecs and radios have."""
    spectrum = np.fft.rfft(sound)
    hz = np.linspace(0, RATE / 2, 400)
    octaves = np.log2(np.maximum(hz, 20) / 20) / np.log2(RATE / 40)
    curve = np.zeros(len(hz))
    if rng.random() < 0.7:
        ripples = np.cos(np.arange(1, 6)[:, None] * np.pi * octaves)
        curve += (rng.standard_normal(5) / np.sqrt(np.arange(1, 6))) @ ripples * 5.0
    steep = rng.uniform(12, 120)  # dB an octave
    if rng.random() < 0.35:
        above = np.log2(np.maximum(hz, 20) / np.exp(rng.uniform(np.log(1800), np.log(14_000))))
        curve -= np.maximum(above, 0) * steep
    if rng.random() < 0.15:
        below = np.log2(np.exp(rng.uniform(np.log(50), np.log(400))) / np.maximum(hz, 20))
        curve -= np.maximum(below, 0) * steep
    gain = 10 ** (np.maximum(curve, -90) / 20)
    shaped = spectrum * np.interp(np.linspace(0, RATE / 2, len(spectrum)), hz, gain)
    filtered: Samples = np.fft.irfft(shaped, len(sound)).astype(np.float32)
    return filtered


def _decoded(sound: Samples, rng: np.random.Generator) -> Samples:
    """As it comes back from an MP3 of 32 to 160 kbit/s or from an Ogg Vorbis of any quality."""
    codec = dict(CODECS["MP3" if rng.random() < 0.7 else "Vorbis"])
    codec["compression_level"] = (
        rng.uniform(0.55, 0.99) if "bitrate_mode" in codec else rng.random()
    )
    loudest = np.float32(max(float(np.abs(sound).max()), 1e-6))
    decoded = encode_and_decode(sound / loudest, codec, RATE)[: len(sound)]
    whole: Samples = np.pad(decoded, (0, len(sound) - len(decoded))) * loudest
    return whole


def _formants(sound: Samples, rng: np.random.Generator) -> Samples:
    """Through one to three resonances that move, and an envelope of syllables, as a voice has."""
    window = torch.hann_window(1024)
    spectrum = torch.stft(torch.from_numpy(sound), 1024, 256, window=window, return_complex=True)
    hz = np.arange(513)[:, None] * RATE / 1024
    frames = spectrum.shape[1]
    gain = np.full((513, frames), 0.0, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        path = np.exp(_path(frames, np.log(300), np.log(3500), rng))
        width = rng.uniform(0.08, 0.3) * path
        gain += np.float32(rng.uniform(2, 12)) / (1 + ((hz - path) / width) ** 2).astype(np.float32)
    if rng.random() < 0.5:
        gain *= np.exp(_path(frames, -2.5, 0.5, rng)).astype(np.float32)
    moved = spectrum * torch.from_numpy(gain + 0.3)
    result: Samples = torch.istft(moved, 1024, 256, window=window, length=len(sound)).numpy()
    return result


def _path(frames: int, low: float, high: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A curve [frames] through a point about every quarter of a second."""
    points = rng.uniform(low, high, int(frames / 31) + 2)
    return np.interp(np.arange(frames), np.linspace(0, frames, len(points)), points)


def _noise(rng: np.random.Generator) -> Samples:
    """White to brown, of unit power."""
    white = np.fft.rfft(rng.standard_normal(LENGTH))
    colour = np.maximum(np.arange(len(white)), 40.0) ** -rng.uniform(0.0, 1.0)
    return _unit(np.fft.irfft(white * colour, LENGTH).astype(np.float32))


def student_input(sound: Samples) -> Samples:
    """What the student reads of a view at 32 kHz, float32 [frames, bands]."""
    samples = soxr.resample(sound, RATE, SAMPLE_RATE)
    (power,) = floored(Audio.of(samples.astype(np.float32), SAMPLE_RATE))
    logs: Samples = level_free_log(song_bands(power)[None])[0]
    return logs


class Teachers:
    """Both teachers; what they make of a few views."""

    def __init__(self, folder: Path) -> None:
        self._first = AudioSetTeacher(folder / "mn04_as.safetensors")
        self._second = TaggingTeacher(folder / "fcn_msd.safetensors")
        silence = torch.zeros(_TOGETHER, LENGTH)
        self._hear = fast_hearing(self._first, self._first.mel_power(silence))
        self._tag = fast_hearing(self._second, self._second.mel_power(silence[:, ::2]))

    def hear(self, sounds: Samples) -> dict[str, NDArray[np.float16]]:
        """`hidden`, `pooled`, `logits`, `tagger`, `tagger_inner` and the maps of `hints` of float32
        [views, samples], `_TOGETHER` views.
        """
        halved = np.stack([soxr.resample(sound, 2, 1) for sound in sounds])
        with torch.inference_mode():
            found = self._hear(self._first.mel_power(torch.from_numpy(sounds)).numpy())
            tags = self._tag(self._second.mel_power(torch.from_numpy(halved)).numpy())
        names = ("hidden", "pooled", "logits", "m6", "m12", "m15")
        tagged = ("tagger", "tagger_inner", "f2", "f3")
        arrays = zip((*names, *tagged), (*found, *tags), strict=True)
        return {name: array.astype(np.float16) for name, array in arrays}


def make_shard(
    pool: SoundPool,
    teachers: Teachers,
    seed: int,
    shard: int,
    mix: ViewMix = _MIX,
    count: int = VIEWS,
) -> dict[str, Any]:
    """The views of a shard: `logs` float16 [views, frames, bands], and the teachers' outputs."""
    parts: dict[str, list[NDArray[np.float16]]] = {}
    for start in range(0, count, _TOGETHER):
        rngs = (np.random.default_rng([seed, shard, start + k]) for k in range(_TOGETHER))
        sounds = np.stack([draw_view(pool, rng, mix) for rng in rngs])
        logs = np.stack([student_input(sound) for sound in sounds]).astype(np.float16)
        for name, array in ({"logs": logs} | teachers.hear(sounds)).items():
            parts.setdefault(name, []).append(array)
    # safetensors writes memory as it lies
    return {name: np.ascontiguousarray(np.concatenate(arrays)) for name, arrays in parts.items()}


def shard_path(folder: Path, shard: int) -> Path:
    """Where a shard is."""
    return folder / f"{shard:05d}.safetensors"


def make_shards(
    pool: Path, teachers: Path, out: Path, shards: Iterator[int], seed: int, mix: ViewMix
) -> None:
    """Make those of the shards that are not there."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    both = Teachers(teachers)
    for shard in shards:
        path = shard_path(out, shard)
        if path.is_file():
            continue
        made = save(make_shard(open_pool(pool, shard), both, seed, shard, mix))
        partial = path.with_suffix(".partial")
        partial.write_bytes(made)
        partial.replace(path)


def main() -> None:
    """Make what the command line asks for."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("pool", "teachers", "out"):
        options.add_argument(name, type=Path)
    options.add_argument("--shards", type=int, default=96)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--every", type=int, default=1)
    options.add_argument("--seed", type=int, default=2)
    for name, value in asdict(_MIX).items():
        options.add_argument(f"--{name}", type=float, default=value)
    chosen = options.parse_args()
    numbers = iter(range(chosen.first, chosen.shards, chosen.every))
    mix = ViewMix(chosen.bands, chosen.sung, chosen.lossy)
    make_shards(chosen.pool, chosen.teachers, chosen.out, numbers, chosen.seed, mix)


if __name__ == "__main__":
    main()
