"""From a path to mono samples at a given rate, whole or in windows."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from musicu.audio.array_source import ArraySource, frames_of, whole_rate
from musicu.audio.opening import open_source
from musicu.audio.placement import Span, place_windows
from musicu.audio.samples import Samples, in_range, mono
from musicu.audio.sndfile_source import BLOCK
from musicu.audio.source import AudioSource
from musicu.errors import AudioError
from musicu.records import Audio, Windows, check_kind

#: Shorter recordings are refused.
MIN_SECONDS = 0.2

# Flat to 0.45 of the lower rate and 140 dB down beyond it, in about the time of the next lower
# quality, which drops by 0.2 dB.
_QUALITY = "HQ"
_MARGIN = 256  # samples of the lower rate around a window, longer than half the filter
_SLACK_SECONDS = 0.1  # headers and timestamps may be off by this without anything missing


def read_audio(path: str | Path, sample_rate: int, windows: Windows | None = None) -> Audio:
    """Mono samples of a recording, float32 [n] at `sample_rate` Hz: all, or windows of it.

    Channels are averaged; level, clipping and offset are unchanged. In float files NaN, infinities
    and values beyond 2^31 become 0, and a recording with values beyond 2^16 (full scale is 1) is
    scaled down to full scale by a power of two. Windows are placed by `place_windows` and decoded
    by seeking: they equal the same samples of a full read, up to the run-up error of a lossy
    decoder, and are the same every time. A damaged or truncated file gives the part that can be
    decoded from its beginning, and `complete` is False.

    Raises AudioError where the path is no readable file, the file holds no audio, or less than
    `MIN_SECONDS` of it can be decoded; MissingExtraError where the format needs PyAV.
    """
    check_kind("the recording", path, (str, Path), "the path of a file")
    sample_rate = whole_rate(sample_rate)
    with open_source(path) as source:
        audio = _read(source, sample_rate, windows)
    return audio or _read_through(path, sample_rate, windows)


def read_samples(
    samples: Any, source_rate: float, sample_rate: int, windows: Windows | None = None
) -> Audio:
    """What `read_audio` gives of a file that holds these samples.

    samples: [n], [n, channels] or [channels, n], of any numbers; whole numbers are scaled by the
    range of their type. source_rate: theirs, in Hz. Raises AudioError where they are too short, of
    another shape or type, or not all finite.
    """
    source = ArraySource(samples, source_rate)
    audio = _read(source, sample_rate, windows)
    if audio is None or not np.isfinite(frames_of(samples)).all():
        raise AudioError("samples that are NaN or infinite: repair the array first")
    return audio


def _read(source: AudioSource, sample_rate: int, windows: Windows | None) -> Audio | None:
    """All of a source, or windows of it; None where those cannot be reached by seeking."""
    spans = _spans(source, source.frames, sample_rate, windows)
    if spans is None:
        return _read_whole(source, sample_rate)
    return _read_by_seeking(source, sample_rate, spans)


def read_segments(path: str | Path, sample_rate: int, seconds: float) -> Iterator[Audio]:
    """A whole recording in segments of `seconds`, in constant memory.

    The last segment is up to twice as long, so that none is short; its `complete` is that of the
    recording, and True in the others. Raises as `read_audio` does.
    """
    length, done = round(seconds * sample_rate), 0
    waiting: list[Samples] = []
    with open_source(path) as source:
        for block in _blocks(source, sample_rate):
            waiting.append(block)
            while sum(map(len, waiting)) >= 2 * length:
                samples = np.concatenate(waiting)
                yield _segment_at(done, samples[:length], sample_rate, True)
                waiting, done = [samples[length:]], done + length
        samples = np.concatenate(waiting) if waiting else np.empty(0, dtype=np.float32)
        whole = (done + len(samples)) / sample_rate
        check_length(whole)
        complete = not source.cut and not is_short(source, whole)
        yield _segment_at(done, samples, sample_rate, complete)


def _segment_at(start: int, samples: Samples, sample_rate: int, complete: bool) -> Audio:
    begin, count = start / sample_rate, len(samples)
    return Audio(
        in_range(samples), sample_rate, (0, count), (begin,), count / sample_rate, complete
    )


def _spans(
    source: AudioSource, frames: int, sample_rate: int, windows: Windows | None
) -> list[Span] | None:
    """The spans to read, in output samples, of a recording of `frames` frames; None: all of it."""
    samples = frames * sample_rate // source.sample_rate
    spans = place_windows(samples, sample_rate, windows)
    return None if spans == [Span(0, samples)] else spans


def _read_whole(source: AudioSource, sample_rate: int) -> Audio:
    """The recording from its beginning to where decoding ends."""
    blocks = list(_blocks(source, sample_rate))
    samples = np.concatenate(blocks) if blocks else np.empty(0, dtype=np.float32)
    seconds = len(samples) / sample_rate
    check_length(seconds)
    complete = not source.cut and not is_short(source, seconds)
    return Audio(in_range(samples), sample_rate, (0, len(samples)), (0.0,), seconds, complete)


def _read_by_seeking(source: AudioSource, sample_rate: int, spans: list[Span]) -> Audio | None:
    """The spans alone; None where one of them, or the end of the recording, cannot be decoded."""
    if not reaches_end(source):
        return None
    parts: list[Samples] = []
    for span in spans:
        part = _read_span(source, sample_rate, span)
        if len(part) < span.stop - span.start:
            return None
        parts.append(part)
    return _joined(parts, spans, sample_rate, source.frames / source.sample_rate, not source.cut)


def _read_through(path: str | Path, sample_rate: int, windows: Windows | None) -> Audio:
    """Windows of the part that can be decoded from the beginning, in constant memory, unseeked.

    The file is decoded twice: once for its length, once for the windows.
    """
    with open_source(path) as source:
        frames = sum(len(block) for block in _native_blocks(source))
        seconds = frames / source.sample_rate
        complete = not source.cut and not is_short(source, seconds)
    check_length(seconds)
    with open_source(path) as source:
        spans = _spans(source, frames, sample_rate, windows)
        if spans is None:
            return _read_whole(source, sample_rate)
        parts = _cut_out(_blocks(source, sample_rate), spans)
    return _joined(parts, spans, sample_rate, seconds, complete)


def _joined(
    parts: list[Samples], spans: list[Span], sample_rate: int, seconds: float, complete: bool
) -> Audio:
    edges = (0, *np.cumsum([len(part) for part in parts]).tolist())
    starts = tuple(span.start / sample_rate for span in spans)
    samples = in_range(np.concatenate(parts))
    return Audio(samples, sample_rate, edges, starts, seconds, complete)


def check_length(seconds: float) -> None:
    """Raise AudioError where so much sound is too short to be used."""
    if seconds < MIN_SECONDS:
        raise AudioError(
            f"too short: {seconds:.2f} s of sound can be read, at least {MIN_SECONDS} s are needed"
        )


def is_short(source: AudioSource, seconds: float) -> bool:
    """Whether a recording of `seconds` is shorter than its header says."""
    return source.promised and seconds < source.frames / source.sample_rate - _SLACK_SECONDS


def reaches_end(source: AudioSource) -> bool:
    """Whether samples can be decoded at the end that the header gives."""
    slack = round(_SLACK_SECONDS * source.sample_rate) + 1
    return source.seek(max(0, source.frames - slack)) and len(source.read(slack)) > 0


def _read_span(source: AudioSource, sample_rate: int, span: Span) -> Samples:
    """One span in output samples, float32 [n]; fewer where the source ends.

    Frames are read from a position where an input frame and an output sample coincide, with a
    margin for the filter, so that the samples equal those of resampling the whole recording.
    """
    common = gcd(source.sample_rate, sample_rate)
    frames_step, samples_step = source.sample_rate // common, sample_rate // common
    margin = 0 if frames_step == samples_step else _MARGIN
    margin = margin * sample_rate // min(sample_rate, source.sample_rate)
    steps = max(0, span.start - margin) // samples_step
    first = steps * frames_step
    last = min(-(-(span.stop + margin) * frames_step // samples_step), source.frames)
    if not source.seek(first):
        return np.empty(0, dtype=np.float32)
    frames = source.read(last - first)
    if len(frames) < last - first:
        return np.empty(0, dtype=np.float32)
    samples = _resampled(mono(frames), source.sample_rate, sample_rate)
    begin = span.start - steps * samples_step
    return samples[begin : begin + span.stop - span.start]


def _resampled(samples: Samples, source_rate: int, sample_rate: int) -> Samples:
    if source_rate == sample_rate:
        return samples
    resampled: Samples = soxr.resample(samples, source_rate, sample_rate, quality=_QUALITY)
    return resampled


def _native_blocks(source: AudioSource) -> Iterator[Samples]:
    """The blocks from here to the end, float32 [n, channels]."""
    while len(block := source.read(BLOCK)):
        yield block


def _blocks(source: AudioSource, sample_rate: int) -> Iterator[Samples]:
    """The whole source from here on, mono and resampled."""
    if source.sample_rate == sample_rate:
        yield from map(mono, _native_blocks(source))
        return
    resampler = soxr.ResampleStream(
        source.sample_rate, sample_rate, 1, dtype="float32", quality=_QUALITY
    )
    for block in _native_blocks(source):
        yield resampler.resample_chunk(mono(block))
    yield resampler.resample_chunk(np.empty(0, dtype=np.float32), last=True)


def _cut_out(blocks: Iterator[Samples], spans: list[Span]) -> list[Samples]:
    """The samples of the spans from a stream, padded with zeros where the stream ends early."""
    parts = [np.zeros(span.stop - span.start, dtype=np.float32) for span in spans]
    position = 0
    for block in blocks:
        for part, span in zip(parts, spans, strict=True):
            begin, end = max(span.start, position), min(span.stop, position + len(block))
            if begin < end:
                part[begin - span.start : end - span.start] = block[
                    begin - position : end - position
                ]
        position += len(block)
    return parts
