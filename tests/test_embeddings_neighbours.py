"""Neighbour smoothing with the recordings of a catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.neighbours import (
    NEAREST,
    NEIGHBOURS,
    Neighbours,
    neighbours_file,
    read_neighbours,
    smooth,
)
from musicu.errors import ModelError
from musicu.records import Windows


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def _card(folder: Path, dim: int) -> ModelCard:
    windows = Windows(1.0, 1)
    return ModelCard("own", "audio", dim, 22_050, windows, (NEIGHBOURS,), {}, folder, "")


def test_smoothing_is_that_of_the_plain_reference() -> None:
    rng = np.random.default_rng(0)
    vectors, others = rng.standard_normal((7, 5)), rng.standard_normal((30, 5))
    found = smooth(vectors, others, 0.7)
    for vector, smoothed in zip(_unit(vectors), found, strict=True):
        ranked = sorted(_unit(others), key=lambda other: -float(vector @ other))[:NEAREST]
        shares = np.maximum([vector @ other for other in ranked], 0.0)
        mean = sum(s * o for s, o in zip(shares, ranked, strict=True)) / shares.sum()
        np.testing.assert_allclose(smoothed, _unit(vector + 0.7 * mean), atol=1e-12)


def test_one_vector_is_smoothed_as_many_are() -> None:
    rng = np.random.default_rng(1)
    others = _unit(rng.standard_normal((40, 16))).astype(np.float32)
    vectors = _unit(rng.standard_normal((9, 16))).astype(np.float32)
    together = smooth(vectors.astype(float), others.astype(float), 0.5)
    model = Neighbours(others, 0.5)
    for vector, expected in zip(vectors, together, strict=True):
        smoothed = model.smooth(vector)
        assert smoothed.dtype == np.float32
        np.testing.assert_allclose(smoothed, expected, atol=1e-6)
        assert np.array_equal(smoothed, model.smooth(vector))


def test_groups_come_together_and_what_has_no_weight_stays() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(10), NEAREST)
    vectors = rng.standard_normal((10, 24))[groups] + 0.8 * rng.standard_normal((len(groups), 24))

    def likeness_of_groups(weight: float) -> float:
        smoothed = smooth(vectors, vectors, weight)
        same = (groups[:, None] == groups) & ~np.eye(len(groups), dtype=np.bool_)
        return float((smoothed @ smoothed.T)[same].mean())

    assert likeness_of_groups(1.0) > likeness_of_groups(0.5) > likeness_of_groups(0.0) + 0.05
    np.testing.assert_allclose(smooth(vectors, vectors, 0.0), _unit(vectors))


def test_a_catalog_smaller_than_a_neighbourhood_is_used_whole() -> None:
    model = Neighbours(np.eye(2, dtype=np.float32), 1.0)
    smoothed = model.smooth(np.array([1.0, 0.0], np.float32))
    np.testing.assert_allclose(smoothed, [1.0, 0.0])
    far = model.smooth(np.array([-1.0, 0.0], np.float32))  # nothing is like it
    np.testing.assert_allclose(far, [-1.0, 0.0])


def test_neighbours_are_read_as_they_were_written(tmp_path: Path) -> None:
    vectors = _unit(np.random.default_rng(3).standard_normal((12, 4))).astype(np.float32)
    (tmp_path / NEIGHBOURS).write_bytes(neighbours_file(Neighbours(vectors, 0.5)))
    found = read_neighbours(_card(tmp_path, 4))
    assert np.array_equal(found.smooth(vectors[3]), Neighbours(vectors, 0.5).smooth(vectors[3]))


@pytest.mark.parametrize(
    ("vectors", "weight", "match"),
    [
        (np.ones((3, 5), np.float32), 0.5, r"shape \(3, 5\)"),
        (np.full((3, 4), np.nan, np.float32), 0.5, "finite"),
        (np.ones((3, 4), np.float32), 0.0, "weight 0 where"),
        (np.ones((0, 4), np.float32), 0.5, r"shape \(0, 4\)"),
    ],
)
def test_neighbours_that_do_not_fit_are_refused(
    tmp_path: Path, vectors: np.ndarray, weight: float, match: str
) -> None:
    (tmp_path / NEIGHBOURS).write_bytes(neighbours_file(Neighbours(vectors, weight)))
    with pytest.raises(ModelError, match=match):
        read_neighbours(_card(tmp_path, 4))


def test_damaged_neighbours_are_refused(tmp_path: Path) -> None:
    whole = neighbours_file(Neighbours(np.eye(4, dtype=np.float32), 0.5))
    for content in (whole[:-3], b"", save({"vectors": np.eye(4, dtype=np.float32)})):
        (tmp_path / NEIGHBOURS).write_bytes(content)
        with pytest.raises(ModelError, match="does not hold the neighbours of own"):
            read_neighbours(_card(tmp_path, 4))
