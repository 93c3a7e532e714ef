"""Windows lie evenly, whatever the length."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from musicu.audio import place_windows, read_audio
from musicu.records import Windows

lengths = st.integers(0, 1 << 63)
rates = st.integers(8, 200_000)
shapes = st.builds(Windows, st.floats(0.1, 60), st.integers(1, 50))


@given(lengths, rates, shapes)
def test_windows_are_inside_in_order_and_never_overlap(samples, rate, windows):
    spans = place_windows(samples, rate, windows)
    length = round(windows.seconds * rate)
    if samples < length * windows.count:
        assert spans == [(0, samples)]
        return
    assert len(spans) == windows.count
    assert all(span.stop - span.start == length for span in spans)
    assert spans[0].start >= 0
    assert spans[-1].stop <= samples
    assert all(a.stop <= b.start for a, b in pairwise(spans))


@given(st.integers(0, 10**9), rates, shapes)
def test_windows_lie_in_the_middle_of_equal_parts(samples, rate, windows):
    spans = place_windows(samples, rate, windows)
    if len(spans) == 1:
        return
    for k, span in enumerate(spans):
        middle = (2 * k + 1) * samples / (2 * windows.count)
        assert abs((span.start + span.stop) / 2 - middle) <= 1


def test_windows_that_just_fit_lie_end_to_end():
    assert place_windows(30, 10, Windows(1.0, 3)) == [(0, 10), (10, 20), (20, 30)]


def test_no_windows_means_the_whole():
    assert place_windows(12345, 10, None) == [(0, 12345)]


@pytest.mark.parametrize("windows", [Windows(0.0, 3), Windows(1.0, 0)])
def test_windows_without_length_or_number_are_refused(windows):
    with pytest.raises(ValueError, match="a length and a number"):
        place_windows(1000, 10, windows)


def test_a_single_window_is_read_alone(tmp_path: Path) -> None:
    samples = np.linspace(-0.5, 0.5, 80_000, dtype=np.float32)
    sf.write(tmp_path / "ramp.wav", samples, 8000, subtype="FLOAT")
    audio = read_audio(tmp_path / "ramp.wav", 8000, Windows(0.5, 1))
    np.testing.assert_array_equal(audio.samples, samples[38_000:42_000])
    assert audio.starts == (4.75,)


@pytest.mark.parametrize("gap", [0.02, 0.06, 0.31, 1.0])
@pytest.mark.parametrize(("kind", "coding"), [("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_windows_after_a_short_gap_are_the_whole_files(
    tmp_path: Path, kind: str, coding: str, gap: float
) -> None:
    """libsndfile lands beside the place where it seeks a short way forward in Ogg Vorbis."""
    rate, count, seconds = 44_100, 4, 20.0
    rng = np.random.default_rng(0)
    path = tmp_path / "noise"
    with sf.SoundFile(path, "w", rate, 1, coding, format=kind) as file:
        for _ in range(round(seconds)):  # Vorbis overflows on one large block
            file.write(0.1 * rng.standard_normal(rate))
    whole = read_audio(path, rate)
    some = read_audio(path, rate, Windows(seconds / count - gap, count))
    for window, start in zip(some.windows(), some.starts, strict=True):
        expected = whole.samples[round(start * rate) :][: len(window)]
        assert np.abs(window - expected).max() < 1e-5
