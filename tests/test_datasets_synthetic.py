"""The made music is what its truth table says, and is worth hearing."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from music import power_spectrogram
from numpy.typing import NDArray
from scipy import fft
from tinytag import TinyTag

from musicu.datasets import DEMO_TRUTH, make_demo_music
from musicu.datasets.synth.composition import TONIC_NAMES, Chord, Plan, Tonality, progression
from musicu.datasets.synth.flac_writer import write_flac
from musicu.datasets.synth.held import HELD
from musicu.datasets.synth.mixing import InstrumentBank
from musicu.datasets.synth.percussion import PERCUSSION
from musicu.datasets.synth.releases import SIDE, artist_name, draw_cover, title
from musicu.datasets.synth.struck import RINGING
from musicu.datasets.synth.styles import STYLES
from musicu.errors import MusicuError
from musicu.features.mel import mel_filterbank
from musicu.pages.png import png

SECONDS = 9.0

Rows = list[dict[str, Any]]

# Krumhansl and Kessler's probe-tone profiles (1982), from the tonic up.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, make_demo_music(folder, seconds=SECONDS, tracks_per_artist=3)


@pytest.fixture(scope="module")
def originals(demo: tuple[Path, pa.Table]) -> Rows:
    return [row for row in demo[1].to_pylist() if row["duplicate_of"] is None]


@pytest.fixture(scope="module")
def sounds(demo: tuple[Path, pa.Table], originals: Rows) -> list[NDArray[np.float32]]:
    return [soundfile.read(demo[0] / row["path"], dtype="float32")[0] for row in originals]


def test_every_row_is_a_file_and_every_file_a_row(demo: tuple[Path, pa.Table]) -> None:
    folder, truth = demo
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert files == set(truth["path"].to_pylist())
    assert truth.schema.equals(DEMO_TRUTH)
    assert truth.num_rows == 12 * 3 + 1


def test_each_artist_has_two_albums_in_a_style_of_its_own(originals: Rows) -> None:
    assert len({row["artist"] for row in originals}) == 12
    assert len({row["style"] for row in originals}) == 12
    assert len({(row["artist"], row["album"]) for row in originals}) == 24
    assert len({row["title"] for row in originals}) == 36


def test_names_go_beyond_ascii(originals: Rows) -> None:
    assert any(not row["artist"].isascii() for row in originals)
    assert any(not row["title"].isascii() for row in originals)


def test_tags_in_the_files_say_what_the_truth_says(demo: tuple[Path, pa.Table]) -> None:
    for row in demo[1].to_pylist():
        tag = TinyTag.get(demo[0] / row["path"], image=True)
        assert (tag.title, tag.artist, tag.albumartist) == (
            row["title"],
            row["artist"],
            row["artist"],
        )
        assert (tag.album, tag.track, tag.year) == (row["album"], row["track_number"], row["date"])
        assert [tag.genre, *tag.other.get("genre", [])] == row["genres"]
        assert tag.other["isrc"] == [row["isrc"]]
        assert tag.duration == pytest.approx(row["duration_seconds"], abs=0.01)
        assert tag.images.front_cover.mime_type == "image/png"


def test_dj_styles_carry_tempo_and_key_tags(demo: tuple[Path, pa.Table], originals: Rows) -> None:
    house = next(row for row in originals if row["style"] == "house")
    other = TinyTag.get(demo[0] / house["path"]).other
    assert float(other["bpm"][0]) == house["tempo_bpm"]
    assert other["initial_key"] == [house["key"] + "m"]


def test_dates_spread_from_old_to_this_month_in_every_precision(originals: Rows) -> None:
    dates = [row["date"] for row in originals]
    assert {len(date) for date in dates} == {4, 7, 10}
    assert min(dates) < "2015"
    assert max(dates) > "2026-06"


def test_tracks_are_about_as_long_as_asked_and_end_in_silence(
    originals: Rows, sounds: list[NDArray[np.float32]]
) -> None:
    for row, samples in zip(originals, sounds, strict=True):
        bar = row["beats_per_bar"] * 60 / row["tempo_bpm"]
        assert abs(row["duration_seconds"] - 1.5 - SECONDS) <= bar / 2 + 0.01
        assert len(samples) / 32_000 == pytest.approx(row["duration_seconds"])
        assert np.abs(samples[-16:]).max() < 1e-3


def test_levels_are_those_of_mastered_music(sounds: list[NDArray[np.float32]]) -> None:
    for samples in sounds:
        assert 0.2 < np.abs(samples).max() < 0.9
        assert -26 < 10 * np.log10(np.mean(samples**2)) < -14
        assert np.abs(samples.mean(axis=0)).max() < 0.005  # no constant offset


def test_nothing_is_silent_for_a_second_before_the_end(sounds: list[NDArray[np.float32]]) -> None:
    for samples in sounds:
        body = samples[: -int(2.5 * 32_000)].mean(axis=1)
        seconds = body[: len(body) // 32_000 * 32_000].reshape(-1, 32_000)
        assert np.sqrt((seconds**2).mean(axis=1)).min() > 0.005


def test_sound_is_stereo(sounds: list[NDArray[np.float32]]) -> None:
    for samples in sounds:
        assert np.corrcoef(samples.T)[0, 1] < 0.995


def test_drums_beat_at_the_stated_tempo(originals: Rows, sounds: list[NDArray[np.float32]]) -> None:
    # Within a third up or down: which octave of a tempo one taps is taste, not truth.
    ratios = np.geomspace(0.75, 1.33, 600)
    tested = 0
    for row, samples in zip(originals, sounds, strict=True):
        if row["pulse"]:
            strengths = _periodicity(samples.mean(axis=1), row["tempo_bpm"] * ratios)
            assert ratios[np.argmax(strengths)] == pytest.approx(1.0, abs=0.01), row["path"]
            tested += 1
    assert tested == 6 * 3


def test_chroma_correlates_best_with_the_stated_key(
    originals: Rows, sounds: list[NDArray[np.float32]]
) -> None:
    heard = [_key(samples.mean(axis=1)) for samples in sounds]
    right = [h == (row["key"], row["mode"]) for h, row in zip(heard, originals, strict=True)]
    assert np.mean(right) > 0.7  # of 24 keys


def test_simple_timbre_statistics_find_the_artist(
    originals: Rows, sounds: list[NDArray[np.float32]]
) -> None:
    features = np.array([_mfcc_statistics(samples.mean(axis=1)) for samples in sounds])
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    distances = ((features[:, None] - features[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(distances, np.inf)
    artists = np.array([row["artist"] for row in originals])
    assert np.mean(artists[distances.argmin(axis=1)] == artists) > 0.8  # chance: 0.06


def test_tracks_of_an_artist_differ(originals: Rows) -> None:
    for style in STYLES:
        rows = [row for row in originals if row["style"] == style.name]
        assert len({(row["tempo_bpm"], row["key"], row["mode"]) for row in rows}) > 1


def test_the_best_of_holds_the_same_recording_encoded_anew(demo: tuple[Path, pa.Table]) -> None:
    folder, truth = demo
    (copy,) = (row for row in truth.to_pylist() if row["duplicate_of"])
    (first,) = (row for row in truth.to_pylist() if row["path"] == copy["duplicate_of"])
    assert (copy["title"], copy["artist"]) == (first["title"], first["artist"])
    assert copy["album"] != first["album"]
    sound, rate = soundfile.read(folder / copy["path"])
    original, original_rate = soundfile.read(folder / first["path"])
    assert rate != original_rate
    one, other = (
        _mfcc_statistics(x[:, 0], r) for x, r in ((sound, rate), (original, original_rate))
    )
    assert np.corrcoef(one, other)[0, 1] > 0.999


def _tiny(folder: Path, **options: Any) -> tuple[pa.Table, dict[str, bytes]]:
    settings = {"artists": 2, "tracks_per_artist": 1, "seconds": 5, **options}
    truth = make_demo_music(folder, **settings)
    return truth, {path: (folder / path).read_bytes() for path in truth["path"].to_pylist()}


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    truth, files = _tiny(tmp_path / "a", seed=3)
    again, same_files = _tiny(tmp_path / "b", seed=3)
    other, other_files = _tiny(tmp_path / "c", seed=4)
    assert truth.equals(again)
    assert files == same_files
    assert not set(files.values()) & set(other_files.values())
    assert not truth.equals(other)


def test_an_artist_sounds_the_same_with_fewer_others(tmp_path: Path) -> None:
    _, many = _tiny(tmp_path / "many")
    _, one = _tiny(tmp_path / "one", artists=1)
    assert one.items() <= many.items()


def test_names_never_repeat() -> None:
    rng, taken = np.random.default_rng(0), set[str]()
    artists = [artist_name(rng, "house", taken) for _ in range(60)]
    titles = [title(rng, taken) for _ in range(3000)]
    assert len({*artists, *titles}) == 3060


@pytest.mark.parametrize("wrong", [{"artists": 0}, {"tracks_per_artist": 0}, {"seconds": 4.9}])
def test_impossible_sizes_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(MusicuError, match="at least 1 artist"):
        make_demo_music(tmp_path, **wrong)


@pytest.mark.parametrize("instrument", [*RINGING, *HELD])
def test_instruments_sound_the_pitch_that_is_asked(instrument: str) -> None:
    sampler = InstrumentBank(32_000, np.random.default_rng(0))
    for pitch in (45, 57, 69, 81):
        hz = 440 * 2 ** ((pitch - 69) / 12)
        sound = sampler.sound(instrument, pitch, 2.0)
        assert np.isfinite(sound).all()
        assert _energy_near(sound, hz, cents=40) > 0.8 * _energy_near(sound, hz, cents=350)


@pytest.mark.parametrize("drum", PERCUSSION)
def test_drums_start_at_once_and_die_away(drum: str) -> None:
    sound = PERCUSSION[drum](32_000, np.random.default_rng(0))
    assert 0.1 < np.abs(sound).max() < 3
    assert np.abs(sound[-32:]).max() < 0.05


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_pieces_begin_and_end_on_the_tonic(style: Any) -> None:
    rng = np.random.default_rng(1)
    plan = style.plan(rng, 20)
    last = (plan.bars - 1) * plan.beats_per_bar
    parts = style.parts(plan, rng)
    assert plan.chords[0].degree == plan.chords[-1].degree == 0
    assert all(0 <= note.beat <= last for part in parts for note in part.notes)
    assert any(note.beat == last for part in parts for note in part.notes)


def test_progressions_follow_the_moves_and_lead_home() -> None:
    moves = {0: (3, 4), 3: (4,), 4: (0, 3)}
    for seed in range(20):
        walk = progression(np.random.default_rng(seed), moves, 4)
        assert walk[0] == 0
        assert all(b in moves[a] for a, b in zip(walk, [*walk[1:], 0], strict=True))
    with pytest.raises(ValueError, match="no progression of 3 bars"):
        progression(np.random.default_rng(0), {0: (1,), 1: (0,)}, 3)


def test_chords_are_spelled_in_their_key() -> None:
    a_minor = Tonality(9, "minor")
    assert [p % 12 for p in Chord(4).pitches(a_minor)] == [4, 7, 11]  # E G B
    assert [p % 12 for p in Chord(4, raised=True).pitches(a_minor)] == [4, 8, 11]  # E G# B
    assert Chord(0).voiced(Tonality(0, "major"), 55) == [55, 60, 64]
    assert Plan(a_minor, 100.0, 4, [Chord(0)] * 8).bar_at(0.3) == 2


def test_flac_keeps_samples_repeated_tags_and_the_cover(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 2)).astype(np.float32)
    cover = draw_cover(np.random.default_rng(0))
    tags = [("TITLE", "Ünïcödé = sign\nline"), ("GENRE", "One"), ("GENRE", "Two")]
    write_flac(tmp_path / "x.flac", samples, 32_000, tags, cover)
    back, rate = soundfile.read(tmp_path / "x.flac", dtype="float32")
    assert rate == 32_000
    np.testing.assert_allclose(back, samples, atol=1 / 32_768)
    tag = TinyTag.get(tmp_path / "x.flac", image=True)
    assert (tag.title, tag.genre, tag.other["genre"]) == (tags[0][1], "One", ["Two"])
    assert tag.images.front_cover.data == cover


def test_png_unpacks_to_the_pixels_that_went_in() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    image = png(pixels)
    assert image[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", image[16:24]) == (7, 5)
    start = image.index(b"IDAT") + 4
    (size,) = struct.unpack(">I", image[start - 8 : start - 4])
    (check,) = struct.unpack(">I", image[start + size : start + size + 4])
    assert check == zlib.crc32(image[start - 4 : start + size])
    rows = np.frombuffer(zlib.decompress(image[start : start + size]), np.uint8).reshape(5, 22)
    assert (rows[:, 0] == 2).all()  # filter "up": each byte less the one above
    back = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8).reshape(5, 7, 3)
    np.testing.assert_array_equal(back, pixels)


def test_covers_differ_between_albums() -> None:
    covers = {draw_cover(np.random.default_rng(seed)) for seed in range(8)}
    assert len(covers) == 8
    assert all(struct.unpack(">II", cover[16:24]) == (SIDE, SIDE) for cover in covers)


def _periodicity(mono: NDArray[np.float32], tempos: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation of the onset strength at one, two and four beats of each tempo."""
    hop = 160
    mel = power_spectrogram(mono, 1024, hop) @ mel_filterbank(32_000, 1024, 40, 30.0, 15_000.0).T
    onset = np.maximum(0, np.diff(np.log1p(1000 * mel), axis=0)).sum(axis=1)
    onset -= onset.mean()
    power = np.abs(fft.rfft(onset, 2 * len(onset))) ** 2
    correlation = fft.irfft(power)[: len(onset)]
    beats = 60 / tempos * 32_000 / hop
    lags = np.arange(len(onset))
    return sum((np.interp(k * beats, lags, correlation) for k in (1, 2, 4)), np.zeros(len(tempos)))


def _key(mono: NDArray[np.float32]) -> tuple[str, str]:
    """The key whose profile correlates best with how strong the pitch classes are."""
    power = power_spectrogram(mono, 8192, 4096).astype(np.float64)
    hz = fft.rfftfreq(8192, 1 / 32_000)
    tonal = (hz > 60) & (hz < 1500)
    classes = np.round(69 + 12 * np.log2(hz[tonal] / 440)).astype(int) % 12
    chroma = np.bincount(classes, np.sqrt(power[:, tonal]).sum(axis=0), 12)
    scores = {
        (TONIC_NAMES[tonic], mode): np.corrcoef(np.roll(profile, tonic), chroma)[0, 1]
        for tonic in range(12)
        for mode, profile in (("major", MAJOR), ("minor", MINOR))
    }
    return max(scores, key=scores.__getitem__)


def _mfcc_statistics(mono: NDArray[Any], rate: int = 32_000) -> NDArray[np.float64]:
    """Mean and deviation of 20 mel-frequency cepstral coefficients."""
    power = power_spectrogram(mono.astype(np.float32), 2048, 2048)
    mel = np.log(power @ mel_filterbank(rate, 2048, 40, 50.0, 14_000.0).T + 1e-6)
    coefficients = fft.dct(mel, norm="ortho", axis=1)[:, :20]
    return np.concatenate([coefficients.mean(axis=0), coefficients.std(axis=0)])


def _energy_near(sound: NDArray[np.float32], hz: float, cents: float) -> float:
    """The energy within some cents of a frequency."""
    power = np.abs(fft.rfft(sound * np.hanning(len(sound)), 1 << 18)) ** 2
    at = fft.rfftfreq(1 << 18, 1 / 32_000)
    width = 2 ** (cents / 1200)
    return float(power[(at > hz / width) & (at < hz * width)].sum())
