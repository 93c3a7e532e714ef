"""Everything said of a recording, heard once from beginning to end in bounded memory."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicu.audio import check_length
from musicu.features import activity
from musicu.features.descriptors import Descriptors
from musicu.features.key import KeyEstimate, key_of_pitches
from musicu.features.loudness import LoudnessMeter, measure
from musicu.features.mono import SAMPLE_RATE, MonoMixer
from musicu.features.onsets import OnsetStream
from musicu.features.pitches import N_FINE, PitchStream
from musicu.features.recording_stream import Recording, RecordingStream, open_recording
from musicu.features.silence import Silence, measure_silence
from musicu.features.spectrum import SpectrumMeter
from musicu.features.stereo import MONO, UNKNOWN, StereoMeter
from musicu.features.tempo import Tempo, tempo_of_onsets
from musicu.features.truepeak import PeakMeter, decibels

if TYPE_CHECKING:
    from musicu.embeddings.voice_meter import VoiceMeter

_MONO_PIECE = 10 * SAMPLE_RATE  # samples that the spectral meters take at a time

Values = dict[str, Any]


def describe(
    recording: Recording, sample_rate: int | None = None, *, voice: bool = True
) -> Descriptors:
    """The descriptors of a recording: a file, a whole `Audio`, or samples [n] or [n, channels].

    sample_rate: of samples, in Hz. voice: whether to tell if somebody sings. Files are read in
    their own channels and rate; an `Audio` is mono and described as a mono recording.

    Raises AudioError where a file cannot be read or holds less than 0.2 s of sound, or the
    sample rate is under 8 kHz, and for an `Audio` of several windows or samples without a rate.
    """
    with open_recording(recording, sample_rate) as heard:
        extractor = DescriptorExtractor(heard.sample_rate, heard.channels, voice=voice)
        return extract_descriptors(heard, extractor)


def extract_descriptors(heard: RecordingStream, extractor: DescriptorExtractor) -> Descriptors:
    """The descriptors of an open recording that `extractor` reads to its end."""
    for planes in heard.planes():
        extractor.update(planes)
    return extractor.finish(complete=heard.complete)


class DescriptorExtractor:
    """All meters over one recording; its memory grows by about 10 kB a second of music."""

    def __init__(self, sample_rate: int, channels: int, *, voice: bool = True) -> None:
        """voice: whether to listen for singing; the first set did not."""
        self._rate, self._channels = sample_rate, channels
        self._frames = 0
        self._power = 0.0  # sum of squares over all channels
        self._loudness = LoudnessMeter(sample_rate, channels)
        self._peak = PeakMeter(channels)
        self._stereo = StereoMeter(sample_rate) if channels == 2 else None
        self._mixer = MonoMixer(sample_rate)
        self._mono: list[NDArray[np.float32]] = []
        self._spectrum = SpectrumMeter()
        self._onsets = OnsetStream()
        self._pitches = PitchStream()
        self._voice = _voice_meter() if voice else None
        #: What is known once `finish` was called: K-weighted powers of 10 ms, float64 [steps],
        #: and fine pitch classes, float32 [frames, 2, 120].
        self.powers: NDArray[np.float64] = np.empty(0)
        self.fine_pitches: NDArray[np.float32] = np.empty((0, 2, N_FINE), np.float32)

    @property
    def seconds(self) -> float:
        """How much was heard."""
        return self._frames / self._rate

    def update(self, planes: NDArray[np.float32]) -> None:
        """Take in the next samples, float32 [channels, n], finite."""
        self._frames += planes.shape[1]
        self._power += sum(float(np.dot(plane, plane)) for plane in planes)
        self._loudness.update(planes)
        self._peak.update(planes)
        if self._stereo is not None:
            self._stereo.update(planes)
        self._mono.append(self._mixer.mix(planes))
        if sum(map(len, self._mono)) >= _MONO_PIECE:
            self._pass_on()

    def _pass_on(self) -> None:
        mono = np.concatenate(self._mono)
        self._mono = []
        self.update_mono(mono)

    def update_mono(self, mono: NDArray[np.float32]) -> None:
        """Take in the next samples of the mono mix at 22,050 Hz, float32 [n]."""
        if self._voice is not None:
            self._voice.update(mono)
        self._spectrum.update(mono)
        self._onsets.update(mono)
        self._pitches.update(mono)

    def finish(self, *, complete: bool = True) -> Descriptors:
        """The descriptors of all that was heard; raises AudioError where it is too short."""
        check_length(self.seconds)
        self._peak.finish()
        self._mono.append(self._mixer.finish())
        self._pass_on()
        self.powers = self._loudness.powers()
        self.fine_pitches = self._pitches.finish()
        edges = measure_silence(self.powers)
        levels = self._levels(self.powers)
        return Descriptors(
            heard_seconds=self.seconds,
            complete=complete,
            **levels,
            **self._space(),
            **asdict(edges),
            **self._sound(edges, levels["plr_db"]),
        )

    def _levels(self, powers: NDArray[np.float64]) -> Values:
        """Loudness, peaks and what follows from both."""
        loudness = measure(powers)
        true_peak, sample_peak = decibels(self._peak.true_peak), decibels(self._peak.sample_peak)
        rms = decibels(math.sqrt(self._power / (self._frames * self._channels)))
        integrated = loudness.integrated_lufs
        return {
            "loudness_lufs": integrated,
            "loudness_range_lu": loudness.range_lu,
            "momentary_max_lufs": loudness.momentary_max_lufs,
            "short_term_max_lufs": loudness.short_term_max_lufs,
            "true_peak_dbtp": true_peak,
            "plr_db": _difference(true_peak, integrated),
            "crest_db": _difference(sample_peak, rms),
        }

    def _space(self) -> Values:
        """Width and mono compatibility; unknown for silence and for more than two channels."""
        stereo = self._stereo.stereo() if self._stereo is not None else UNKNOWN
        if self._channels == 1 and self._peak.sample_peak > 0.0:
            stereo = MONO
        return {
            "stereo_width": stereo.width,
            "stereo_correlation": stereo.correlation,
            "stereo_correlation_low": stereo.correlation_low,
            "mono_change_db": stereo.mono_change_db,
            "balance_db": stereo.balance_db,
        }

    def _sound(self, edges: Silence, plr_db: float | None) -> Values:
        """What the mono mix sounds like; unknown where nothing sounds."""
        spectrum, strength = self._spectrum.finish(), self._onsets.finish()
        if edges.silence_start_seconds is None or edges.silence_end_seconds is None:
            return {}
        sounding = self.seconds - edges.silence_start_seconds - edges.silence_end_seconds
        onsets = activity.onset_rate(strength, sounding)
        return {
            **_rhythm(tempo_of_onsets(strength)),
            **_harmony(key_of_pitches(self.fine_pitches)),
            **asdict(spectrum),
            "onset_rate": onsets,
            "energy": activity.energy(onsets, spectrum.brightness_hz, plr_db),
            "danceability": activity.danceability(strength),
            "vocal_probability": self._voice.finish() if self._voice is not None else None,
        }


def _voice_meter() -> VoiceMeter:
    # the one way up from here: its network is part of a model
    from musicu.embeddings.voice_meter import VoiceMeter

    return VoiceMeter()


def _rhythm(tempo: Tempo) -> Values:
    """A tempo as columns."""
    return {
        "tempo_bpm": tempo.bpm,
        "tempo_confidence": tempo.confidence,
        "tempo_alternatives_bpm": tuple(other.bpm for other in tempo.alternatives),
        "tempo_alternatives_relation": tuple(other.relation for other in tempo.alternatives),
        "tempo_stability": tempo.stability,
        "beats_seconds": tuple(tempo.beats.tolist()),
    }


def _harmony(key: KeyEstimate) -> Values:
    """A key as columns."""
    return {
        "key": None if key.tonic is None else f"{key.tonic} {key.mode}",
        "key_camelot": key.camelot,
        "key_confidence": key.confidence,
        "tuning_cents": key.tuning_cents,
    }


def _difference(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low
