"""The projection head, what it is fitted to, and where crops lie."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="training needs onnxscript")

from musicu.embeddings.frontend import mel_power  # noqa: E402
from musicu.embeddings.stats import Constants, project  # noqa: E402
from musicu.embeddings.training import crops  # noqa: E402
from musicu.embeddings.training.constants import block_sizes  # noqa: E402
from musicu.embeddings.training.encode import crop_chunks  # noqa: E402
from musicu.embeddings.training.projection_head import (  # noqa: E402
    HeadConfig,
    HeadInput,
    fit_head,
    head_vectors,
)
from musicu.records import Windows  # noqa: E402

CONFIG = HeadConfig(dim=24, numbers=12)
LEARNED = 8


def _inputs(
    rng: np.random.Generator, artists: int = 12, each: int = 4, nuisance: float = 0.0
) -> HeadInput:
    """Recordings whose artist decides five directions; crops differ in one other, `nuisance`."""
    sizes = sum(sum(groups) for groups in block_sizes().values())
    groups = np.repeat(np.arange(artists), each)
    maps = rng.standard_normal((6, sizes))
    taste = rng.standard_normal((artists, 5))[groups] + 0.3 * rng.standard_normal((len(groups), 5))
    views = []
    for _ in crops.CROPS:
        factors = np.column_stack([taste, nuisance * rng.standard_normal(len(groups))])
        views.append(factors @ maps + 0.5 * rng.standard_normal((len(groups), sizes)))
    learned = rng.standard_normal((len(crops.CROPS), len(groups), LEARNED)).astype(np.float32)
    learned /= np.linalg.norm(learned, axis=-1, keepdims=True)
    return HeadInput(np.stack(views), learned, groups)


def test_vectors_of_a_head_are_those_that_an_embedder_gives() -> None:
    inputs = _inputs(np.random.default_rng(0))
    constants = fit_head(inputs, CONFIG)
    vectors = head_vectors(constants, inputs)
    assert vectors.shape == (len(crops.CROPS), 48, CONFIG.dim)
    again = project(inputs.statistics[0, 3], constants, inputs.learned[0, 3])
    np.testing.assert_allclose(vectors[0, 3], again, atol=1e-5)


def test_what_only_crops_differ_in_is_told_to_be_nothing() -> None:
    inputs = _inputs(np.random.default_rng(1), nuisance=4.0)
    deaf = fit_head(inputs, dataclasses.replace(CONFIG, crops=4.0, shrinkage=0.5))
    keen = fit_head(inputs, dataclasses.replace(CONFIG, crops=0.0, shrinkage=0.5))

    def steadiness(constants: object) -> float:
        vectors = head_vectors(constants, inputs)
        return float(np.einsum("nd,nd->n", vectors[0], vectors[1]).mean())

    assert steadiness(deaf) > steadiness(keen) + 0.02


def test_what_only_lossy_copies_differ_in_is_shortened_by_its_own_weight() -> None:
    rng = np.random.default_rng(6)
    inputs = _inputs(rng)
    copies = inputs.statistics.copy()
    copies[1:] = copies[0]
    copies[-2:] += 3.0 * rng.standard_normal((48, 1)) * rng.standard_normal(copies.shape[-1])
    inputs = dataclasses.replace(inputs, statistics=copies)
    inputs.learned[:] = inputs.learned[0]
    deaf, keen, parts = (
        head_vectors(
            fit_head(inputs, dataclasses.replace(CONFIG, crops=c, lossy=lossy, shrinkage=0.5)),
            inputs,
        )
        for c, lossy in ((1.0, 4.0), (1.0, 0.0), (0.0, 0.0))
    )
    assert np.array_equal(keen, parts)  # nothing else differs
    stays, went = (np.einsum("nd,nd->n", v[0], v[-1]).mean() for v in (deaf, keen))
    assert stays > went + 0.02


def test_directions_are_kept_for_what_whole_recordings_differ_in() -> None:
    inputs = _inputs(np.random.default_rng(2))
    inputs.learned[:, :, 0] = 0.0
    inputs.learned[1:, ::2, 0], inputs.learned[1:, 1::2, 0] = 40.0, -40.0  # in crops alone
    constants = fit_head(inputs, dataclasses.replace(CONFIG, crops=0.01, shrinkage=0.5))
    reach = np.linalg.norm(constants.final, axis=1)[-LEARNED:]
    assert reach[0] < 0.02 * reach[1:].min()


def _made(
    rng: np.random.Generator, direction: np.ndarray, bands: int = 10, each: int = 4
) -> HeadInput:
    """Pieces of bands that differ among themselves in one direction of the statistics."""
    groups = np.repeat(np.arange(bands), each)
    rows = 3.0 * rng.standard_normal((len(groups), 1)) * direction
    rows = rows + 0.5 * rng.standard_normal((len(groups), len(direction)))
    learned = np.zeros((1, len(groups), LEARNED), np.float32)
    learned[..., 0] = 1.0
    return HeadInput(rows[None], learned, groups)


def test_what_made_pieces_of_a_band_differ_in_is_shortened() -> None:
    rng = np.random.default_rng(4)
    inputs = _inputs(rng, nuisance=1.0)
    direction = rng.standard_normal(inputs.statistics.shape[-1])
    config = dataclasses.replace(CONFIG, crops=0.1, shrinkage=0.5)
    fitted = fit_head(inputs, dataclasses.replace(config, made=0.5), _made(rng, direction))
    plain = fit_head(inputs, config, _made(rng, direction))
    assert np.array_equal(plain.final, fit_head(inputs, config).final)

    def moved(constants: Constants) -> float:
        """How far a vector goes for a step in that direction."""
        before = inputs.statistics[0, :1]
        after = before + direction
        both = dataclasses.replace(
            inputs, statistics=np.stack([before, after]), learned=inputs.learned[:2, :1]
        )
        both.learned[1] = both.learned[0]
        first, second = head_vectors(constants, both)[:, 0]
        return float(np.linalg.norm(first - second))

    assert moved(fitted) < 0.9 * moved(plain)


def test_crops_lie_where_they_say() -> None:
    spans = [crop.span(6000, 100.0) for crop in crops.CROPS]
    assert spans[0] == (0, 6000)
    assert spans[1] == (0, 3000)
    assert spans[2] == (3000, 6000)
    assert spans[3] == (1500, 4500)
    assert crops.CROPS[3].span(1000, 100.0) == (0, 1000)  # shorter than 30 seconds


@pytest.mark.parametrize("codec", ["MP3", "Vorbis"])
def test_a_lossy_copy_is_as_long_and_loses_what_is_high_and_soft(codec: str) -> None:
    rng = np.random.default_rng(5)
    samples = (0.3 * rng.standard_normal(4 * 22_050)).astype(np.float32)
    inputs = crops.as_read(samples, Windows(1.0, 2))
    copy = crops.as_lossy(inputs, codec)
    assert (copy.edges, copy.starts) == (inputs.edges, inputs.starts)
    assert len(copy.samples) == len(inputs.samples)
    lost = np.abs(np.fft.rfft(copy.samples - inputs.samples)) ** 2
    whole = np.abs(np.fft.rfft(inputs.samples)) ** 2
    tenth = len(whole) // 10
    assert lost[:tenth].sum() < 0.1 * whole[:tenth].sum()
    assert lost.sum() > 1e-4 * whole.sum()


def test_statistics_are_measured_once(tmp_path: Path) -> None:
    from musicu.embeddings.training.windows_cache import WindowsCache

    rng = np.random.default_rng(3)
    sounds = {Path(str(i)): rng.standard_normal(3 * 22_050).astype(np.float32) for i in range(2)}
    keys = tuple(str(path) for path in sounds)
    cache = WindowsCache(keys, np.zeros((0, 80), np.float16), np.zeros(3, np.int64), {})
    read: list[Path] = []
    said: list[dict[str, object]] = []

    def reading(path: Path) -> np.ndarray:
        read.append(path)
        return sounds[path]

    both, windows = np.arange(2), Windows(1.0, 2)
    first, again = (
        crops.crop_statistics(tmp_path, cache, both, list(sounds), windows, reading, said.append)
        for _ in range(2)
    )
    assert first.shape[:2] == (len(crops.CROPS), 2)
    assert len(read) == 2
    assert np.array_equal(first, again)
    assert said == [{"event": "statistics", "recordings": 2, "of": 2}]


def test_a_faster_crop_sounds_higher_and_sooner() -> None:
    t = np.arange(10 * 22_050) / 22_050
    power = mel_power(np.sin(2 * np.pi * 2000.0 * t).astype(np.float32))
    whole, fast = (crop_chunks(power, crop, 40, 4) for crop in (crops.CROPS[0], crops.CROPS[4]))
    centre = [
        float((10 ** c.mean(axis=(0, 1)) @ np.arange(80)) / (10 ** c.mean(axis=(0, 1))).sum())
        for c in (whole, fast)
    ]
    assert centre[1] > centre[0] + 0.1
    assert whole.shape[1:] == fast.shape[1:] == (40, 80)
