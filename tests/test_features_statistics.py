"""Statistics of made sounds whose answers are known."""

import numpy as np
import pytest
from music import power_spectrogram
from scipy import ndimage

from musicu.features import dynamics, rhythm, timbre, tonal, waveform
from musicu.features.frames import FRAME_RATE, N_CEPSTRA, cepstra, note_salience, read_frames
from musicu.features.mel import hz_to_mel
from musicu.features.powers import HOP, N_BINS, N_FFT, N_MELS, SAMPLE_RATE, spectrograms
from musicu.features.statistics import track_statistics
from musicu.records import Audio


def frames_of(samples):
    return read_frames(Audio.of(np.asarray(samples, np.float32), SAMPLE_RATE))


def sine(hz, seconds=4.0):
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


def clicks(period, seconds=20.0):
    samples = np.random.default_rng(0).normal(0, 1e-4, round(seconds * SAMPLE_RATE))
    for start in np.arange(0.5, seconds - 0.1, period):
        at = round(start * SAMPLE_RATE)
        samples[at : at + 200] += 0.5
    return samples


def tones(midi, seconds=4.0):
    return sum(sine(440 * 2 ** ((m - 69) / 12), seconds) for m in midi) / len(midi)


def noise(seconds=4.0):
    return np.random.default_rng(3).normal(0, 0.1, round(seconds * SAMPLE_RATE))


@pytest.mark.parametrize("hz", [400.0, 1000.0, 3000.0])
def test_centroid_of_a_sine_is_its_own_band(hz):
    low, high, at = hz_to_mel(np.array([40.0, 7800.0, hz]))
    expected = (at - low) / (high - low) * (N_MELS + 1) - 1
    centroid = timbre.spectral_moments(frames_of(sine(hz)).whole.power)[0]
    assert np.abs(centroid - expected).max() < 0.6


def test_a_sine_is_less_flat_than_noise_in_its_octave():
    octave = 4  # 800 to 1600 Hz
    tone, hiss = (timbre.tonality(frames_of(x))["flatness"][octave] for x in (sine(1e3), noise()))
    assert tone < -2.0
    # the geometric mean of exponentially distributed power is exp(-0.5772) of its mean
    assert hiss == pytest.approx(-0.5772 / np.log(10), abs=0.05)


@pytest.mark.parametrize("period", [0.35, 0.5, 0.8])
def test_clicks_return_after_their_period(period):
    curve = rhythm.periodicity(frames_of(clicks(period)))
    shortest = round(0.2 * FRAME_RATE)
    peak = shortest + curve[shortest : round(1.3 * period * FRAME_RATE)].argmax()
    assert peak / FRAME_RATE == pytest.approx(period, abs=0.6 / FRAME_RATE)


def test_fluctuation_peaks_at_the_rate_of_the_beat():
    rate = 3.2
    t = np.arange(20 * SAMPLE_RATE) / SAMPLE_RATE
    pattern = rhythm.fluctuation(
        frames_of(noise(20.0) * 10 ** (0.5 * np.sin(2 * np.pi * rate * t)))
    )["fluctuation"].reshape(rhythm.BLOCK_BANDS, -1)
    expected = np.searchsorted(rhythm.MODULATION_HZ, rate) - 1
    assert (pattern.argmax(axis=1) == expected).all()


def test_harmony_is_the_same_in_another_key():
    chords = [(72, 76, 79), (77, 81, 84), (79, 83, 86), (72, 76, 79)]
    original, transposed = (
        tonal.harmony(frames_of(np.concatenate([tones(np.add(c, by), 1.0) for c in chords])))
        for by in (0, 5)
    )
    for name in ("intervals", "sorted_chroma", "chord_steps"):
        assert np.abs(original[name] - transposed[name]).max() < 0.04, name
    cluster = tonal.harmony(frames_of(np.concatenate([tones((72, 73, 74), 1.0)] * 4)))
    assert np.abs(original["intervals"] - cluster["intervals"]).max() > 0.08


def test_a_fifth_shows_as_seven_semitones():
    intervals = tonal.pitch(frames_of(tones((72, 79))))["wide_intervals"]
    # neighbouring semitones share bins, so that steps of one and two count for nothing here
    assert 3 + intervals[2:].argmax() == 7


def test_pitch_classes_count_from_e():
    shares = tonal.chroma(frames_of(sine(440.0)).whole.salience)
    assert (shares.argmax(axis=0) == 5).all()  # E F F# G G# A


def test_clicks_are_percussive_and_tones_are_not():
    struck, held = (
        dynamics.percussion(frames_of(x))["percussion"] for x in (clicks(0.5), sine(500))
    )
    assert struck.min() > 0.9
    assert held[0] < 0.1


def test_loudness_steps_of_a_gated_tone():
    gate = np.where(np.arange(8 * SAMPLE_RATE) // (2 * SAMPLE_RATE) % 2, 1.0, 0.1)
    loudness = dynamics.dynamics(frames_of(gate * noise(8.0)))["loudness"]
    assert loudness[5] - loudness[1] == pytest.approx(2.0, abs=0.1)  # 20 dB


@pytest.mark.parametrize("gain", [0.01, 0.25, 50.0])
def test_no_statistic_hears_the_level(gain):
    sound = tones((60, 64, 67)) + 0.1 * noise() + clicks(0.5, 4.0)
    pair = [
        track_statistics(Audio.of((sound * g).astype(np.float32), SAMPLE_RATE)) for g in (1, gain)
    ]
    for block, groups in pair[0].items():
        for name, values in groups.items():
            assert np.abs(values - pair[1][block][name]).max() < 2e-3, (block, name)


def test_constant_offset_is_not_heard():
    original, shifted = (timbre.colour(frames_of(noise() + offset)) for offset in (0.0, 0.2))
    assert np.abs(original["cepstrum"] - shifted["cepstrum"]).max() < 1e-3


def test_frames_lie_wholly_inside_their_window():
    samples = noise(2.0).astype(np.float32)
    alone = frames_of(samples)
    assert alone.whole.mel.shape[1] == (len(samples) - N_FFT) // HOP + 1
    edges = (0, len(samples), 2 * len(samples))
    twice = Audio(np.concatenate([samples, samples]), SAMPLE_RATE, edges, (0.0, 5.0), 7.0)
    both = read_frames(twice)
    first, second = both.windows(both.whole.mel)
    assert np.array_equal(first, second)
    assert np.allclose(first, alone.whole.mel, atol=1e-5)


def test_power_equals_that_of_centred_frames():
    samples = noise(2.0).astype(np.float32)
    (power,) = spectrograms(Audio.of(samples, SAMPLE_RATE))
    centred = power_spectrogram(samples, N_FFT, HOP)[:, :N_BINS]
    assert np.allclose(power.T, centred[2 : 2 + power.shape[1]], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("lag", [1, 3, 8, 40])
def test_changes_never_straddle_windows(lag):
    lengths = (2100, 60_000, 40_000, 2100)
    samples = noise(6.0).astype(np.float32)[: sum(lengths)]
    edges = tuple(np.cumsum([0, *lengths]).tolist())
    frames = read_frames(Audio(samples, SAMPLE_RATE, edges, (0.0, 1.0, 5.0, 9.0), 9.5))
    mel = frames.windows(frames.whole.mel)
    expected = [w[:, lag:] - w[:, :-lag] for w in mel if w.shape[1] > lag]
    assert np.array_equal(frames.changes(frames.whole.mel, lag), np.concatenate(expected, axis=1))


def test_changes_of_too_short_a_window_are_nothing():
    frames = frames_of(noise(0.3))
    assert np.array_equal(frames.changes(frames.whole.mel, 50), np.zeros((N_MELS, 1)))


@pytest.mark.parametrize("width", [3, 5, 9, 17])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(48, 174), (12, 5), (3, 1)])
def test_running_median_is_scipys(width, axis, shape):
    values = np.random.default_rng(2).integers(0, 40, shape).astype(np.float32)
    size = [1, 1]
    size[axis] = width
    expected = ndimage.median_filter(values, size, mode="reflect")
    assert np.array_equal(dynamics.running_median(values, width, axis), expected)


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_quantiles_are_numpys(count):
    values = np.random.default_rng(4).normal(size=(3, count)).astype(np.float32)
    shares = (0.0, 0.1, 0.5, 0.98, 1.0)
    expected = np.quantile(values.astype(np.float64), shares, axis=1)
    assert np.allclose(timbre.quantiles(values, shares), expected, atol=1e-7)


def test_intervals_around_the_octave_are_circular():
    shares = np.random.default_rng(5).random((12, 30)).astype(np.float32)
    found = tonal.around_the_octave(timbre.products(shares))
    rolled = [(shares * np.roll(shares, step, axis=0)).sum(axis=0).mean() for step in range(12)]
    assert np.allclose(found, rolled, rtol=1e-5)


def test_salience_is_what_stands_out_of_five_notes():
    notes = np.random.default_rng(6).normal(size=(48, 9)).astype(np.float32)
    around = ndimage.uniform_filter1d(notes.astype(np.float64), 5, axis=0)
    assert np.allclose(note_salience(notes), np.maximum(notes - around, 0.0), atol=1e-6)


def test_cepstra_equal_librosas():
    librosa = pytest.importorskip("librosa", reason="librosa serves as the oracle for cepstra")
    mel = np.random.default_rng(1).uniform(-5, 0, (N_MELS, 50)).astype(np.float32)
    expected = librosa.feature.mfcc(S=10.0 * mel, n_mfcc=N_CEPSTRA)
    assert np.allclose(10.0 * cepstra(mel), expected, atol=1e-4)


def test_mel_power_equals_librosas():
    librosa = pytest.importorskip("librosa", reason="librosa serves as the oracle for mel power")
    samples = (noise(2.0) + sine(700.0, 2.0)).astype(np.float32)
    expected = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, fmin=40.0,
        fmax=7800.0, center=False,
    )  # fmt: skip
    expected = np.log10(np.maximum(expected / expected.mean(), 1e-6))
    assert np.abs(frames_of(samples).whole.mel - expected).max() < 1e-3


def test_crest_and_kurtosis_of_a_sine_and_of_noise():
    tone, hiss = (waveform.peakiness(frames_of(x)) for x in (sine(1e3), noise()))
    assert tone["crest"][0] == pytest.approx(np.log10(np.sqrt(2)), abs=1e-3)
    assert tone["kurtosis"] == pytest.approx(np.log(1.5), abs=0.01)
    assert hiss["kurtosis"][1] == pytest.approx(np.log(3.0), abs=0.05)
