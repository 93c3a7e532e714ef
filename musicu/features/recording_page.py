"""A recording as one page: its numbers, its curves over time, and the sound with a cursor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.catalog.words import clock, one_line
from musicu.features.formatting import format_descriptors
from musicu.features.key import TONICS
from musicu.features.mel import hz_to_mel
from musicu.features.picture import MEL_LIMITS_HZ, Picture
from musicu.pages.document import render, write_page
from musicu.pages.page_audio import PageAudio, data_url
from musicu.pages.png import png

_WIDTH = 1000  # units of the drawings; browsers stretch them
_WAVE_HEIGHT, _BEAT_HEIGHT = 200, 20
_LUFS_LIMITS = (-50.0, 0.0)
_LEVELS = (-10.0, -20.0, -30.0, -40.0)
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_HZ_LABELS = (300, 1000, 2000, 4000, 8000)
_TICKS_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
_MOST_TICKS = 8
#: From nothing to most: near black, indigo, red, amber, pale yellow; lightness rises all the way.
_STOPS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
_COLOURS = np.array([[10, 8, 24], [62, 26, 110], [176, 44, 92], [240, 132, 46], [252, 240, 172]])


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside a lane or under all: place in percent, from the left or from the top."""

    place: float
    text: str
    strong: bool = False


def write_recording(seen: Picture, title: str, sound: PageAudio, path: Path) -> None:
    """Write the page; raises PageError where another page lies there, CatalogError where the
    disk refuses."""
    write_page(path, "recording", render_recording(seen, title, sound))


def render_recording(seen: Picture, title: str, sound: PageAudio) -> str:
    """The page's text. title: of the recording; any text is safe."""
    return render(
        "recording",
        title=one_line(title),
        sound=sound,
        length=clock(seen.descriptors.heard_seconds),
        complete=seen.descriptors.complete,
        seconds=round(seen.descriptors.heard_seconds, 3),
        facts=[(name, parts) for name, parts in format_descriptors(seen.descriptors) if parts],
        lanes=_lanes(seen),
        ticks=_ticks(seen.descriptors.heard_seconds),
    )


def _lanes(seen: Picture) -> dict[str, Any]:
    """All that the template draws, in plain numbers and text."""
    found, seconds = seen.descriptors, seen.descriptors.heard_seconds
    mean = found.loudness_lufs
    return {
        "wave": _outline(seen),
        "loudness": _loudness_line(seen),
        "mean": None if mean is None else round(_loudness_y(mean), 1),
        "levels": [Mark(_loudness_y(v) * 100 / _WAVE_HEIGHT, f"{v:.0f}") for v in _LEVELS],
        "beats": "".join(
            f"M{t / seconds * _WIDTH:.2f} 0V{_BEAT_HEIGHT}" for t in found.beats_seconds or ()
        ),
        "beat_words": _beat_words(seen),
        "chroma": _heat_map(seen.chroma[::-1]),
        "notes": _notes(found.key),
        "mel": _heat_map(seen.mel[::-1] / 70.0 + 1.0),
        "bands": _bands(),
    }


def _outline(seen: Picture) -> str:
    """The wave as a closed path."""
    low, high = np.clip(seen.wave, -1.0, 1.0)
    x = (np.arange(len(low)) + 0.5) * _WIDTH / len(low)
    middle = _WAVE_HEIGHT / 2
    points = [*zip(x, middle - high * middle, strict=True)]
    points += [*zip(x[::-1], middle - low[::-1] * middle, strict=True)]
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points) + "Z"


def _loudness_line(seen: Picture) -> str:
    """Short-term loudness as a path; empty where it is too short to have one."""
    x = seen.loudness[:, 0] / seen.descriptors.heard_seconds * _WIDTH
    y = map(_loudness_y, seen.loudness[:, 1])
    points = [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]
    return "M" + "L".join(points) if points else ""


def _loudness_y(value: float) -> float:
    low, high = _LUFS_LIMITS
    return float(_WAVE_HEIGHT * (1.0 - (np.clip(value, low, high) - low) / (high - low)))


def _beat_words(seen: Picture) -> str:
    found = seen.descriptors
    if not found.beats_seconds or found.tempo_bpm is None:
        return "no beat found"
    sure = f", {found.tempo_confidence:.0%} sure" if found.tempo_confidence is not None else ""
    return f"{len(found.beats_seconds)} beats at {found.tempo_bpm:.1f} BPM{sure}"


def _notes(key: str | None) -> list[Mark]:
    """The names of the rows of pitch classes, from the top; those of the key's scale stand out."""
    inside: set[int] = set()
    if key is not None:
        tonic, mode = key.split()
        inside = {(TONICS.index(tonic) + step) % 12 for step in _SCALES[mode]}
    return [Mark((11.5 - i) / 12 * 100, name, i in inside) for i, name in enumerate(TONICS)]


def _bands() -> list[Mark]:
    low, high = hz_to_mel(np.array(MEL_LIMITS_HZ))
    places = 100.0 * (1.0 - (hz_to_mel(np.array(_HZ_LABELS, float)) - low) / (high - low))
    words = [f"{hz // 1000} kHz" if hz >= 1000 else f"{hz} Hz" for hz in _HZ_LABELS]
    return [Mark(float(place), word) for place, word in zip(places, words, strict=True)]


def _ticks(seconds: float) -> list[Mark]:
    """Times under the lanes."""
    steps = [s for s in _TICKS_SECONDS if seconds / s <= _MOST_TICKS]
    step = steps[0] if steps else int(seconds / _MOST_TICKS) + 1
    return [Mark(100.0 * t / seconds, clock(t)) for t in range(0, int(seconds) + 1, step)]


def _heat_map(shares: NDArray[np.float32]) -> str:
    """The address of a picture of values from 0 (dark) to 1 (bright), [rows, columns]."""
    levels = np.round(np.clip(shares, 0.0, 1.0) * 255).astype(np.uint8)
    steps = np.arange(256) / 255.0
    channels = [np.interp(steps, _STOPS, _COLOURS[:, channel]) for channel in range(3)]
    palette = np.round(np.stack(channels, axis=1)).astype(np.uint8)
    return data_url(png(levels, palette), "image/png")
