"""Crops: parts, speeds and lossy copies of a recording, which should have its vector."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from musicu.audio import Span, place_windows
from musicu.audio.encoding import CODECS, RATE, encode_and_decode
from musicu.embeddings.frontend import SAMPLE_RATE
from musicu.embeddings.songs import SongsPart, floored, songs_input
from musicu.embeddings.stats import flat_statistics
from musicu.embeddings.training.windows_cache import WindowsCache
from musicu.features.powers import sum_up
from musicu.records import Audio, Windows

FORMAT_VERSION = 2
Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a recording, as shares of it or as the `seconds` in its middle, at a speed.

    codec: as it comes back from a file of that codec, one of `encoding.CODECS`.
    """

    start: float = 0.0
    stop: float = 1.0
    speed: float = 1.0
    seconds: float | None = None
    codec: str | None = None

    def span(self, length: int, rate: float) -> Span:
        """Where it lies in a recording of `length` samples or frames, `rate` of them a second."""
        if self.seconds is None:
            return Span(round(self.start * length), round(self.stop * length))
        size = min(length, round(self.seconds * rate))
        return Span((length - size) // 2, (length - size) // 2 + size)

    def windows(self, windows: Windows) -> Windows:
        """What is read of it: of a part or at another speed half as many windows."""
        whole = replace(self, codec=None) == CROPS[0]
        return windows if whole else Windows(windows.seconds, max(1, windows.count // 2))


CROPS = (
    Crop(),
    Crop(stop=0.5),
    Crop(start=0.5),
    Crop(seconds=30.0),
    Crop(speed=1.03),
    Crop(speed=0.97),
    Crop(codec="MP3"),
    Crop(codec="Vorbis"),
)


def crop_statistics(
    folder: Path,
    cache: WindowsCache,
    recordings: NDArray[np.int64],
    paths: Sequence[Path],
    windows: Windows,
    read: Callable[[Path], Samples],
    report: Callable[[dict[str, Any]], None],
    crops: Sequence[Crop] = CROPS,
    floor_db: float = -math.inf,
) -> NDArray[np.float64]:
    """Statistics float64 [crops, recordings, S], measured once and kept in `folder`.

    recordings: those of `cache` that could be read; `paths` are the files of all of them.
    report: called at every fiftieth recording. floor_db: that of a songs network's `Reading`.
    """
    state = [FORMAT_VERSION, [repr(crop) for crop in crops], windows.seconds, windows.count]
    state += [floor_db]
    state += [cache.keys[recording] for recording in recordings]
    mark = hashlib.sha256(json.dumps(state).encode()).hexdigest()[:20]
    kept = folder / f"statistics-{mark}.npy"
    if kept.is_file():
        known: NDArray[np.float64] = np.load(kept, allow_pickle=False)
        return known
    rows = []
    for recording in recordings:
        rows.append(_measure(read(paths[recording]), windows, crops, floor_db))
        if len(rows) % 50 == 0 or len(rows) == len(recordings):
            report({"event": "statistics", "recordings": len(rows), "of": len(recordings)})
    found = np.stack(rows, axis=1)
    partial = folder / "statistics.partial.npy"
    np.save(partial, found)
    partial.replace(kept)
    return found


def _measure(
    samples: Samples, windows: Windows, crops: Sequence[Crop], floor_db: float
) -> NDArray[np.float64]:
    """Statistics of every crop as a model with these windows reads it, float64 [crops, S]."""
    rows = []
    for crop in crops:
        start, stop = crop.span(len(samples), SAMPLE_RATE)
        part = samples[start:stop]
        if crop.speed != 1.0:
            part = soxr.resample(part, SAMPLE_RATE * crop.speed, SAMPLE_RATE)
        audio = as_read(part, crop.windows(windows))
        audio = as_lossy(audio, crop.codec) if crop.codec else audio
        sums = [sum_up(power) for power in floored(audio, floor_db)]
        rows.append(flat_statistics(audio, sums))
    return np.stack(rows)


def crop_songs(
    songs: SongsPart,
    recordings: NDArray[np.int64],
    paths: Sequence[Path],
    windows: Windows,
    read: Callable[[Path], Samples],
    crops: Sequence[Crop],
) -> NDArray[np.float32]:
    """A songs network's numbers float32 [crops, recordings, numbers]; parts alone, no other speeds
    and no codecs."""
    rows = []
    for recording in recordings:
        samples = read(paths[recording])
        spans = (crop.span(len(samples), SAMPLE_RATE) for crop in crops)
        audios = (
            as_read(samples[start:stop], crop.windows(windows))
            for crop, (start, stop) in zip(crops, spans, strict=True)
        )
        floor_db = songs.last.reading.floor_db
        inputs = ([songs_input(power) for power in floored(audio, floor_db)] for audio in audios)
        rows.append([songs.numbers(each) for each in inputs])
    found: NDArray[np.float32] = np.array(rows, dtype=np.float32).swapaxes(0, 1)
    return found


def as_read(samples: Samples, windows: Windows) -> Audio:
    """What `read_audio` gives of a recording of these samples at 22,050 Hz."""
    spans = place_windows(len(samples), SAMPLE_RATE, windows)
    edges = np.cumsum([0] + [stop - start for start, stop in spans]).tolist()
    starts = tuple(start / SAMPLE_RATE for start, _ in spans)
    read = np.concatenate([samples[start:stop] for start, stop in spans])
    return Audio(read, SAMPLE_RATE, tuple(edges), starts, len(samples) / SAMPLE_RATE)


def as_lossy(audio: Audio, codec: str) -> Audio:
    """The same windows as they come back from a file of a lossy codec."""
    fine = soxr.resample(audio.samples, SAMPLE_RATE, RATE)
    coded = soxr.resample(encode_and_decode(fine, CODECS[codec]), RATE, SAMPLE_RATE)
    length = len(audio.samples)  # which no resampling promises to the sample
    return replace(audio, samples=np.pad(coded[:length], (0, max(0, length - len(coded)))))
