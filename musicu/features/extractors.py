"""Each measurement alone, of a file, an `Audio` or samples; the numbers are those of `describe`.

All take `recording`, a path, a whole `Audio` or samples [n] or [n, channels], and `sample_rate`
in Hz, which samples need. All raise AudioError where a file cannot be read or its rate is under
8 kHz, and ValueError for an `Audio` of several windows or samples without a rate.
"""

from __future__ import annotations

from musicu.features.key import Key, key_of_pitches
from musicu.features.loudness import Loudness, LoudnessMeter
from musicu.features.onsets import OnsetStream
from musicu.features.pitches import PitchStream
from musicu.features.recording_stream import Recording, hearing
from musicu.features.silence import Edges, find_edges
from musicu.features.spectrum import Spectrum, SpectrumMeter
from musicu.features.stereo import MONO, UNKNOWN, Stereo, StereoMeter
from musicu.features.tempo import Tempo, tempo_of_onsets
from musicu.features.truepeak import PeakMeter, decibels


def tempo_of(recording: Recording, sample_rate: int | None = None) -> Tempo:
    """Tempo, its alternatives, steadiness and beats; bpm None in silence and under 3 s."""
    stream = OnsetStream()
    with hearing(recording, sample_rate) as heard:
        for mono in heard.mono():
            stream.add(mono)
    return tempo_of_onsets(stream.finish())


def key_of(recording: Recording, sample_rate: int | None = None) -> Key:
    """Key, mode and tuning; tonic None where no pitch is heard."""
    stream = PitchStream()
    with hearing(recording, sample_rate) as heard:
        for mono in heard.mono():
            stream.add(mono)
    return key_of_pitches(stream.finish())


def spectrum_of(recording: Recording, sample_rate: int | None = None) -> Spectrum:
    """Brightness, flatness and percussive share; None in silence."""
    meter = SpectrumMeter()
    with hearing(recording, sample_rate) as heard:
        for mono in heard.mono():
            meter.hear(mono)
    return meter.finish()


def loudness_of(recording: Recording, sample_rate: int | None = None) -> Loudness:
    """Loudness after ITU-R BS.1770-4 and EBU R 128; None where it is too short or silent."""
    return _weighed(recording, sample_rate).loudness()


def edges_of(recording: Recording, sample_rate: int | None = None) -> Edges:
    """Silence at both ends and the fade-out; None where nothing sounds."""
    return find_edges(_weighed(recording, sample_rate).powers())


def true_peak_of(recording: Recording, sample_rate: int | None = None) -> float | None:
    """True peak over all channels in dBTP; None in digital silence."""
    with hearing(recording, sample_rate) as heard:
        meter = PeakMeter(heard.channels)
        for planes in heard.planes():
            meter.hear(planes)
    meter.finish()
    return decibels(meter.true_peak)


def stereo_of(recording: Recording, sample_rate: int | None = None) -> Stereo:
    """Width and mono compatibility; unknown in silence and for more than two channels."""
    with hearing(recording, sample_rate) as heard:
        if heard.channels == 1:
            sounds = any(planes.any() for planes in heard.planes())
            return MONO if sounds else UNKNOWN
        if heard.channels != 2:
            return UNKNOWN
        meter = StereoMeter(heard.sample_rate)
        for planes in heard.planes():
            meter.hear(planes)
    return meter.stereo()


def _weighed(recording: Recording, sample_rate: int | None) -> LoudnessMeter:
    with hearing(recording, sample_rate) as heard:
        meter = LoudnessMeter(heard.sample_rate, heard.channels)
        for planes in heard.planes():
            meter.hear(planes)
    return meter
