"""Tempo and beats of sounds whose tempo is known."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from tonal_samples import RATE, chords, clicks, drums

from musicu.features.beats import stability, track_beats
from musicu.features.extractors import tempo_of
from musicu.features.onsets import ONSET_RATE, OnsetStream, onset_bands
from musicu.features.periodicity import candidates, rhythm_pattern
from musicu.features.scorer import Scorer, load_scorer, shares
from musicu.features.tempo import Tempo, beliefs, rank, relation, tempo_of_onsets
from recipes.calibration import calibration_error, fit_calibration, reliability
from recipes.scorer_training import TrainingConfig, train


def answers(tempo: Tempo) -> list[float]:
    assert tempo.bpm is not None
    return [tempo.bpm, *(other.bpm for other in tempo.alternatives)]


@pytest.mark.parametrize("bpm", [40, 60, 75, 90, 110, 128, 150, 174, 200, 240])
def test_tempo_of_clicks_is_found_up_to_the_octave(bpm: float) -> None:
    tempo = tempo_of(clicks(bpm), RATE)
    assert tempo.bpm is not None
    octaves = np.array([0.25, 1 / 3, 0.5, 1, 2, 3, 4])
    assert np.min(np.abs(tempo.bpm / (bpm * octaves) - 1)) < 0.01


@pytest.mark.parametrize("bpm", [84, 100, 121, 140])
def test_tempo_of_a_rock_beat_is_found(bpm: float) -> None:
    tempo = tempo_of(drums(bpm), RATE)
    assert tempo.bpm == pytest.approx(bpm, rel=0.005)
    assert tempo.confidence > 0.7
    assert tempo.stability == 1.0


def test_beats_fall_on_the_drums() -> None:
    beats = tempo_of(drums(110), RATE).beats
    expected = 0.5 + np.arange(40) * 60 / 110
    distance = np.abs(beats[:, None] - expected[expected < 19]).min(axis=1)
    inside = (beats > 0.4) & (beats < 18.5)
    assert inside.sum() >= 30
    assert distance[inside].max() < 0.03
    assert (np.diff(beats) > 0).all()


def test_five_percent_faster_moves_tempo_by_five_percent() -> None:
    slow = drums(104)
    fast = soxr.resample(slow, RATE * 1.05, RATE).astype(np.float32)
    ratio = tempo_of(fast, RATE).bpm / tempo_of(slow, RATE).bpm  # type: ignore[operator]
    assert ratio == pytest.approx(1.05, abs=0.004)


def test_level_has_no_influence() -> None:
    loud = drums(118)
    loud_tempo, quiet_tempo = tempo_of(loud, RATE), tempo_of(loud * 0.01, RATE)
    assert quiet_tempo.bpm == pytest.approx(loud_tempo.bpm, rel=1e-3)
    assert quiet_tempo.confidence == pytest.approx(loud_tempo.confidence, abs=0.02)


@pytest.mark.parametrize("rate", [44_100, 48_000, 16_000])
def test_sample_rate_has_little_influence(rate: int) -> None:
    tempo = tempo_of(drums(118, rate=rate), rate)
    assert tempo.bpm == pytest.approx(118, rel=0.005)


def test_silence_in_front_shifts_beats_only() -> None:
    sound = drums(118)
    late = np.concatenate([np.zeros(2 * RATE, np.float32), sound])
    plain, shifted = tempo_of(sound, RATE), tempo_of(late, RATE)
    assert shifted.bpm == pytest.approx(plain.bpm, rel=0.005)
    assert shifted.beats[0] > 2.0
    assert np.abs(shifted.beats[:, None] - 2.0 - plain.beats).min(axis=1)[2:-2].max() < 0.03


@pytest.mark.parametrize("seed", range(3))
def test_noise_has_low_confidence(seed: int) -> None:
    noise = 0.1 * np.random.default_rng(seed).standard_normal(20 * RATE)
    assert tempo_of(noise.astype(np.float32), RATE).confidence < 0.5


@pytest.mark.parametrize(
    "sound",
    [np.zeros(10 * RATE), np.ones(RATE), clicks(120, 0.2), np.full(10 * RATE, 1e-7)],
    ids=["silence", "short", "blip", "all but silent"],
)
def test_what_has_no_tempo_says_so(sound: np.ndarray) -> None:
    tempo = tempo_of(sound.astype(np.float32), RATE)
    assert (tempo.bpm, tempo.confidence, tempo.alternatives) == (None, 0.0, ())
    assert tempo.stability is None
    assert len(tempo.beats) == 0


def test_constant_offset_is_never_nan() -> None:
    tempo = tempo_of(np.full(10 * RATE, 0.3, np.float32), RATE)
    assert tempo.bpm is None or np.isfinite(tempo.bpm)
    assert 0.0 <= tempo.confidence < 0.5


def test_pieces_of_any_size_give_the_same_tempo() -> None:
    sound = drums(97, 40.0)
    stream = OnsetStream()
    for start in range(0, len(sound), 12_345):
        stream.update(sound[start : start + 12_345])
    bands = stream.finish()
    assert np.array_equal(bands, onset_bands(sound))
    whole, pieces = tempo_of(sound, RATE), tempo_of_onsets(bands)
    assert (whole.bpm, whole.confidence) == (pieces.bpm, pieces.confidence)
    assert np.array_equal(whole.beats, pieces.beats)


def test_alternatives_are_named_and_ordered() -> None:
    tempo = tempo_of(drums(75), RATE)
    weights = [other.weight for other in tempo.alternatives]
    assert weights == sorted(weights, reverse=True)
    for other in tempo.alternatives:
        assert other.relation == relation(other.bpm / answers(tempo)[0])


@pytest.mark.parametrize(
    ("ratio", "name"),
    [(0.5, "half"), (2.01, "double"), (1 / 3, "third"), (3, "triple"), (1.5, "triplet"),
     (0.66, "dotted"), (1.2, "other")],
)  # fmt: skip
def test_relations_have_names(ratio: float, name: str) -> None:
    assert relation(ratio) == name


def test_belief_in_neighbouring_tempi_counts_together() -> None:
    position = np.log(np.array([60.0, 100.0, 101.0, 102.0, 200.0]))
    found = rank(position, np.array([0.3, 0.15, 0.16, 0.14, 0.05]))
    assert [round(bpm) for bpm, _ in found] == [101, 60, 200]
    assert found[0][1] == pytest.approx(0.45)


def test_a_faster_pattern_is_the_same_pattern_shifted() -> None:
    slow, fast = (rhythm_pattern(onset_bands(drums(bpm))) for bpm in (90, 180))
    octave = round(np.log(2) / 0.005)
    around = slice(200, 500)
    matched = np.corrcoef(fast.lags[0][around], slow.lags[0][octave:][around])[0, 1]
    assert matched > 0.8


def test_every_tempo_is_a_candidate() -> None:
    periods, features = candidates(rhythm_pattern(onset_bands(drums(100))))
    bpm = 60.0 / periods
    assert bpm.min() < 31
    assert bpm.max() > 295
    assert np.diff(np.log(periods)).max() < 0.04
    assert np.isfinite(features).all()


def test_stability_is_one_for_machines_and_less_for_wanderers() -> None:
    steady = np.arange(40, dtype=np.float32) * 0.5
    wander = np.cumsum(0.5 * np.random.default_rng(0).uniform(0.7, 1.3, 40)).astype(np.float32)
    assert stability(steady) == 1.0
    assert stability(wander) < 0.6  # type: ignore[operator]
    assert stability(steady[:5]) is None


def test_beats_follow_a_slow_drift() -> None:
    times = 0.5 + np.cumsum(60 / np.linspace(100, 106, 60))
    curve = np.zeros((round((times[-1] + 1) * ONSET_RATE), 6), np.float32)
    curve[np.round(times * ONSET_RATE).astype(int)] = 1.0
    beats = track_beats(curve, 60 / 103)
    near = np.abs(times[:, None] - beats).min(axis=1)
    assert np.mean(near < 0.03) > 0.9


def test_calibrated_confidence_is_the_share_of_right_answers() -> None:
    rng = np.random.default_rng(0)
    belief = rng.uniform(0, 1, 4000)
    right = rng.random(4000) < belief**2  # overconfident
    calibration = fit_calibration(belief[:2000], right[:2000].astype(float))
    confidence = np.array([calibration.confidence(b) for b in belief[2000:]])
    assert calibration_error(confidence, right[2000:]) < 0.05
    assert calibration_error(belief[2000:], right[2000:]) > 0.1
    assert (np.diff(calibration.right) >= 0).all()


def test_reliability_counts_every_answer_once() -> None:
    confidence = np.array([0.0, 0.1, 0.5, 0.99, 1.0])
    table = reliability(confidence, np.array([False, True, True, True, False]))
    assert sum(row.count for row in table) == 5
    assert table[-1].right == 0.5


def test_networks_learn_what_is_right_and_when_nothing_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    features = rng.standard_normal((600, 6, 4)).astype(np.float32)
    right = (features[:, :, 1] > 1.5)[:, :, None]
    scorer = train(features[:500], right[:500], TrainingConfig(networks=1, units=8, epochs=40))
    hits = []
    for example, truth in zip(features[500:], right[500:, :, 0], strict=True):
        belief = shares(scorer.scores(example))[:, 0]
        hits.append(truth[np.argmax(belief)] if truth.any() else belief.sum() < 0.5)
    assert np.mean(hits) > 0.85
    scorer.save(tmp_path / "one.safetensors")
    from safetensors.numpy import load_file

    assert np.array_equal(load_file(tmp_path / "one.safetensors")["hidden"], scorer.hidden)


def test_beliefs_are_shares() -> None:
    scorer: Scorer = load_scorer("tempo")
    _, features = candidates(rhythm_pattern(onset_bands(chords(0, "major"))))
    belief = shares(scorer.scores(features))
    assert belief.min() >= 0.0
    assert belief.sum() <= 1.0 + 1e-9


def test_of_two_octaves_that_fit_alike_the_one_that_people_tap_is_chosen() -> None:
    scorer = load_scorer("tempo")
    for bpm in (65.0, 70.0, 75.0):  # twice as fast lies as near to 120
        position, features = (np.log([bpm, 2 * bpm]), np.zeros((2, len(scorer.mean))))
        belief = beliefs(scorer, position, features)
        assert belief[1] > belief[0]
    slow, fast = beliefs(scorer, np.log([110.0, 220.0]), np.zeros((2, len(scorer.mean))))
    assert slow > fast
