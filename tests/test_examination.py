"""The examination of places is what the simulation put into the log."""

from __future__ import annotations

import numpy as np
import pytest

from musicu.ranking.examination import INTERVENTIONS, RANDOMISED, Places, examination, randomised


def pages(
    count: int, slots: np.ndarray, rows: np.ndarray, chance: bool, seed: int = 0
) -> tuple[Places, np.ndarray]:
    """Carousel pages of three shelves: relevance by listener and shelf, and by track."""
    rng = np.random.default_rng(seed)
    width, height = len(slots), len(rows)
    user = rng.integers(300, size=count)
    shelf_of_row = np.stack([rng.permutation(height) for _ in range(count)])
    track = np.stack(
        [[rng.permutation(width) + width * s for s in order] for order in shelf_of_row]
    )
    if not chance:  # better tracks first, with some noise
        noise = track % width + rng.normal(0, 2, track.shape)
        track = np.take_along_axis(track, np.argsort(noise, axis=2), axis=2)
    liked = 0.5 - 0.4 * (track % width) / width
    liked = liked * (0.5 + 0.5 * (user[:, None, None] + track // width) % 3 / 2)
    seen = slots[None, None, :] * rows[None, :, None]
    earned = rng.random(track.shape) < seen * liked
    grid = np.broadcast_arrays(
        np.arange(height)[None, :, None], np.arange(width)[None, None, :], track
    )
    row, slot = grid[0], grid[1]
    propensity = 1 / (width - slot) if chance else np.full(track.shape, np.nan)
    flat = [np.ascontiguousarray(a).ravel() for a in (row, slot, earned.astype(float))]
    users = np.broadcast_to(user[:, None, None], track.shape).ravel()
    page = np.broadcast_to(np.arange(count)[:, None, None], track.shape).ravel()
    shelf = np.broadcast_to(shelf_of_row[:, :, None], track.shape).ravel()
    return Places(*flat, users, track.ravel(), shelf, page, propensity.ravel()), shelf


SLOTS = 1 / (1 + np.arange(6)) ** 0.8
ROWS = np.array([1.0, 0.7, 0.45])


def test_random_order_tells_the_curve_within_five_per_cent() -> None:
    places, _ = pages(25_000, SLOTS, ROWS, chance=True)
    found = examination(places)
    assert found is not None
    assert found.basis == RANDOMISED
    assert np.abs(found.slots / SLOTS - 1).max() < 0.05
    assert np.abs(found.rows / ROWS - 1).max() < 0.05


def test_tracks_at_several_places_tell_it_where_better_ones_stand_first() -> None:
    places, _ = pages(12_000, SLOTS, ROWS, chance=False)
    found = examination(places)
    assert found is not None
    assert found.basis == INTERVENTIONS
    assert np.abs(found.slots / SLOTS - 1).max() < 0.1
    naive = np.bincount(places.slot, places.earned)
    assert np.abs(naive / naive[0] / SLOTS - 1).max() > 0.3  # what counting alone would say


def test_a_small_log_tells_nothing() -> None:
    places, _ = pages(20, SLOTS, ROWS, chance=True)
    assert examination(places) is None


@pytest.mark.parametrize(
    ("propensity", "random"),
    [
        ([1 / 3, 1 / 2, 1], True),
        ([1 / 9, 1 / 8, 1 / 7], True),
        ([1 / 3, 1 / 3, 1 / 3], True),
        ([1, 1, 1], False),
        ([0.9, 0.9, 1], False),
        ([0.1 / 3, 0.1 / 2, 1], False),
        ([1 / 3, np.nan, 1], False),
    ],
)
def test_a_list_in_random_order_is_known_by_its_propensities(
    propensity: list[float], random: bool
) -> None:
    zero = np.zeros(3, np.int64)
    places = Places(
        zero, np.arange(3), np.zeros(3), zero, np.arange(3), zero, zero, np.array(propensity)
    )
    assert randomised(places).tolist() == [random] * 3


def test_places_further_down_than_any_known_count_as_the_last() -> None:
    places, _ = pages(4000, SLOTS, ROWS, chance=True)
    found = examination(places)
    assert found is not None
    assert found.at(0, 99) == pytest.approx(found.slots[-1])
