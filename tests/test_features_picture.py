"""The picture of a recording, and its page in a real browser: it plays and runs nothing else."""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner
from numpy.typing import NDArray
from tonal_samples import chords, drums

from musicu.cli.app import app
from musicu.features import picture_of
from musicu.features.picture import COLUMNS, MEL_LIMITS_HZ, N_MELS, Picture
from musicu.features.recording_page import render_recording
from musicu.pages.page_audio import PageAudio
from musicu.pages.png import png

RATE = 22_050
ATTACK = '"><img src=x onerror="window.hit=1"><script>window.hit=1</script>'


def band(seconds: float = 8.0) -> NDArray[np.float32]:
    beat, harmony = drums(120, seconds), chords(0, "major", seconds, each=1.0)
    n = min(len(beat), len(harmony))
    return beat[:n] + harmony[:n]


@pytest.fixture(scope="module")
def seen() -> Picture:
    return picture_of(band(), RATE)


def read_png(data: bytes, palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels of a palette PNG whose rows are filtered "up", uint8 [rows, columns]."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length :][:4])[0] == zlib.crc32(name + body)
        chunks[name] = body
        at += 12 + length
    columns, rows = struct.unpack(">II", chunks[b"IHDR"][:8])
    assert chunks[b"PLTE"] == palette.tobytes()
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, columns + 1)
    assert (lines[:, 0] == 2).all()
    return np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)


def test_a_png_holds_the_values() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 7), np.uint8)
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    np.testing.assert_array_equal(read_png(png(pixels, palette), palette), pixels)
    with pytest.raises(ValueError, match=r"\(0, 3\)"):
        png(np.zeros((0, 3), np.uint8), palette)


def test_a_picture_shows_a_tone_where_it_sounds() -> None:
    t = np.arange(10 * RATE) / RATE
    sound = np.where(t < 5, 0.5 * np.sin(2 * np.pi * 440 * t), 0.0).astype(np.float32)
    seen = picture_of(sound, RATE)
    half = seen.wave.shape[1] // 2
    np.testing.assert_allclose(seen.wave[:, 5 : half - 5].mean(axis=1), [-0.5, 0.5], atol=0.02)
    assert np.abs(seen.wave[:, half + 5 :]).max() < 0.01
    assert (np.argmax(seen.chroma, axis=0)[: seen.chroma.shape[1] // 2 - 4] == 9).all()  # A
    row = int(np.argmax(seen.mel[:, seen.mel.shape[1] // 4]))
    assert 0.08 * N_MELS < row < 0.16 * N_MELS  # the scale is linear up to 1 kHz
    assert seen.mel.max() == 0.0
    assert seen.mel[:, -4:].max() <= -69.0
    assert seen.loudness[0, 0] == pytest.approx(1.5)
    assert seen.loudness[0, 1] == pytest.approx(-0.691 + 20 * np.log10(0.5) - 3.01, abs=0.5)


def test_a_picture_is_described_as_the_recording_is(seen: Picture) -> None:
    from musicu.features import describe

    assert seen.descriptors == describe(band(), RATE)


@pytest.mark.parametrize("seconds", [0.25, 60.0])
def test_curves_are_bounded_and_finite(seconds: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * RATE)).astype(np.float32)
    seen = picture_of(noise, RATE)
    for curve in (seen.wave, seen.loudness.T, seen.chroma, seen.mel):
        assert np.isfinite(curve).all()
        assert curve.shape[1] <= COLUMNS
    assert len(render_recording(seen, "noise", PageAudio(None))) < 2_000_000


def test_silence_has_a_picture_too() -> None:
    text = render_recording(
        picture_of(np.zeros(5 * RATE, np.float32), RATE), "nothing", PageAudio(None)
    )
    assert "silent" in text
    assert "no beat found" in text
    assert "nan" not in text.lower().replace("nano", "")


def test_text_of_a_name_is_escaped(seen: Picture) -> None:
    text = render_recording(seen, ATTACK, PageAudio(f"x.ogg{ATTACK}", "audio/ogg", ATTACK))
    assert "<img src=x" not in text
    assert text.count("<script>") == 1
    assert "default-src 'none'" in text
    assert "http" not in text.replace("http-equiv", "")


def test_marks_lie_inside(seen: Picture) -> None:
    from musicu.features.recording_page import _bands, _notes, _ticks

    for mark in (*_bands(), *_notes("Eb minor"), *_ticks(200.0), *_ticks(0.3), *_ticks(20_000.0)):
        assert 0.0 <= mark.place <= 100.0
    strong = {mark.text for mark in _notes("A minor") if mark.strong}
    assert strong == set("ABCDEFG")
    assert MEL_LIMITS_HZ[0] < 300


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    return done.exit_code, done.output


def test_the_command_writes_a_page_beside_the_card(tmp_path: Path) -> None:
    sf.write(tmp_path / "band.wav", band(4.0), RATE)
    sf.write(tmp_path / "other.aiff", band(4.0), RATE)
    code, told = run("describe", "--html", "-o", tmp_path / "page.html", tmp_path / "band.wav")
    assert code == 0
    assert "BPM" in told
    assert "data:audio/wav;base64," in (tmp_path / "page.html").read_text(encoding="utf-8")
    both = [tmp_path / "band.wav", tmp_path / "other.aiff"]
    code, _ = run("describe", "--html", "-o", tmp_path / "pages", *both)
    assert code == 0
    assert "do not play AIFF" in (tmp_path / "pages" / "other.aiff.html").read_text("utf-8")
    assert (tmp_path / "pages" / "band.wav.html").is_file()


def test_wrong_use_of_the_command_is_refused(tmp_path: Path) -> None:
    sf.write(tmp_path / "band.wav", band(4.0), RATE)
    assert run("describe", "-o", "x.html", tmp_path / "band.wav")[0] == 2
    twice = [tmp_path / "band.wav", tmp_path / "." / "band.wav"]
    assert run("describe", "--html", "-o", tmp_path / "one.html", *twice)[0] == 2


if sys.platform != "win32":  # the debugging pipe needs POSIX descriptors
    from browser import Browser, find_chromium

    @pytest.fixture(scope="module")
    def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
        program = find_chromium()
        if program is None:
            pytest.skip("no Chromium here (set MUSICU_CHROMIUM to its path)")
        with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
            yield opened

    def opened(browser: Browser, folder: Path, seen: Picture) -> None:
        sf.write(folder / "band.wav", band(), RATE)
        page = folder / "page.html"
        page.write_text(render_recording(seen, ATTACK, PageAudio("band.wav", "audio/wav")), "utf-8")
        browser.events.clear()
        browser.open(page.as_uri())

    def test_the_page_plays_and_seeks_by_click(
        browser: Browser, tmp_path: Path, seen: Picture
    ) -> None:
        opened(browser, tmp_path, seen)
        browser.run("document.getElementById('toggle').click()")
        browser.wait_for("document.getElementById('sound').currentTime > 0")
        browser.run(
            """(() => {
                const lanes = document.getElementById('lanes'), box = lanes.getBoundingClientRect();
                lanes.dispatchEvent(new MouseEvent('click',
                    {clientX: box.left + box.width / 2, clientY: box.top + 5, bubbles: true}));
            })()"""
        )
        browser.wait_for("Math.abs(document.getElementById('sound').currentTime - 4) < 1.5")
        browser.press(" ")
        browser.wait_for("document.getElementById('sound').paused")
        place = browser.run("parseFloat(document.getElementById('cursor').style.left)")
        assert 45 < place < 75
        before = browser.run("document.getElementById('sound').currentTime")
        browser.press("ArrowLeft")
        assert browser.run("document.getElementById('sound').currentTime") < before
        assert browser.run("window.hit === undefined")
        assert [e for e in browser.events if "Content Security Policy" in str(e)] == []

    @pytest.mark.parametrize("width", [320, 390, 1280])
    def test_the_page_is_never_wider_than_the_screen(
        browser: Browser, tmp_path: Path, seen: Picture, width: int
    ) -> None:
        opened(browser, tmp_path, seen)
        browser.screenshot(tmp_path / "shot.png", width, 900, dark=width == 390)
        assert browser.run("document.documentElement.scrollWidth") <= width
        browser.run(
            "(() => { const z = document.getElementById('zoom'); z.value = 3;"
            " z.dispatchEvent(new Event('input')); })()"
        )
        assert browser.run("document.documentElement.scrollWidth") <= width
        assert browser.run(
            "document.getElementById('lanes').clientWidth"
            " >= 7.9 * document.getElementById('scroll').clientWidth"
        )
