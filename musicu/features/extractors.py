"""Single measurements of a file, an `Audio` or samples, equal to those of `describe`.

All take `recording` (a path, a whole `Audio`, or samples [n] or [n, channels]) and, for samples,
`sample_rate` in Hz. All raise AudioError where a file cannot be read or its rate is under
8 kHz, and for an `Audio` of several windows or samples without a rate.
"""

from __future__ import annotations

from musicu.features.key import KeyEstimate, key_of_pitches
from musicu.features.loudness import Loudness, LoudnessMeter
from musicu.features.onsets import OnsetStream
from musicu.features.pitches import PitchStream
from musicu.features.recording_stream import Recording, open_recording
from musicu.features.silence import Silence, measure_silence
from musicu.features.spectrum import Spectrum, SpectrumMeter
from musicu.features.stereo import MONO, UNKNOWN, Stereo, StereoMeter
from musicu.features.tempo import Tempo, tempo_of_onsets
from musicu.features.truepeak import PeakMeter, decibels


def tempo_of(recording: Recording, sample_rate: int | None = None) -> Tempo:
    """Tempo, its alternatives, stability and beats; bpm None in silence and under 3 s."""
    onsets = OnsetStream()
    with open_recording(recording, sample_rate) as stream:
        for mono in stream.mono():
            onsets.update(mono)
    return tempo_of_onsets(onsets.finish())


def key_of(recording: Recording, sample_rate: int | None = None) -> KeyEstimate:
    """Key, mode and tuning; tonic None without pitched sound."""
    pitches = PitchStream()
    with open_recording(recording, sample_rate) as stream:
        for mono in stream.mono():
            pitches.update(mono)
    return key_of_pitches(pitches.finish())


def spectrum_of(recording: Recording, sample_rate: int | None = None) -> Spectrum:
    """Brightness, flatness and percussive share; None in silence."""
    meter = SpectrumMeter()
    with open_recording(recording, sample_rate) as stream:
        for mono in stream.mono():
            meter.update(mono)
    return meter.finish()


def loudness_of(recording: Recording, sample_rate: int | None = None) -> Loudness:
    """Loudness after ITU-R BS.1770-4 and EBU R 128; None where it is too short or silent."""
    return _measure_loudness(recording, sample_rate).loudness()


def silence_of(recording: Recording, sample_rate: int | None = None) -> Silence:
    """Silence at both ends and the fade-out; None for a silent recording."""
    return measure_silence(_measure_loudness(recording, sample_rate).powers())


def true_peak_of(recording: Recording, sample_rate: int | None = None) -> float | None:
    """True peak over all channels in dBTP; None in digital silence."""
    with open_recording(recording, sample_rate) as stream:
        meter = PeakMeter(stream.channels)
        for planes in stream.planes():
            meter.update(planes)
    meter.finish()
    return decibels(meter.true_peak)


def stereo_of(recording: Recording, sample_rate: int | None = None) -> Stereo:
    """Width and mono compatibility; unknown in silence and for more than two channels."""
    with open_recording(recording, sample_rate) as stream:
        if stream.channels == 1:
            sounds = any(planes.any() for planes in stream.planes())
            return MONO if sounds else UNKNOWN
        if stream.channels != 2:
            return UNKNOWN
        meter = StereoMeter(stream.sample_rate)
        for planes in stream.planes():
            meter.update(planes)
    return meter.stereo()


def _measure_loudness(recording: Recording, sample_rate: int | None) -> LoudnessMeter:
    with open_recording(recording, sample_rate) as stream:
        meter = LoudnessMeter(stream.sample_rate, stream.channels)
        for planes in stream.planes():
            meter.update(planes)
    return meter
