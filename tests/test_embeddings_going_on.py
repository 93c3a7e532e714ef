"""Going on from a model: what is told, what is asked, and when a gain counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")

from musicu.embeddings.neighbours import draw_near  # noqa: E402
from musicu.embeddings.stats import LEVELS, Constants  # noqa: E402
from musicu.embeddings.training.adapting import NEVER, kin_map, tell_quantiles  # noqa: E402
from musicu.embeddings.training.excerpts import degrade, take_excerpts  # noqa: E402
from musicu.embeddings.training.fine_tuning import HARMLESS, labels_of  # noqa: E402
from musicu.embeddings.training.from_catalog import album_folders  # noqa: E402
from musicu.embeddings.training.gains import (  # noqa: E402
    found_soon,
    paired_gain,
    precisions,
)
from musicu.embeddings.training.halves import judge_halves, mutual  # noqa: E402
from musicu.embeddings.training.heldout import mean_average_precision  # noqa: E402
from musicu.embeddings.training.model_selection import WEIGHT, Labels, Way, choose_way  # noqa: E402
from musicu.embeddings.training.pairs import Grouping, PairWeights  # noqa: E402
from musicu.embeddings.training.train_config import Recipe  # noqa: E402
from musicu.records import Windows  # noqa: E402

RATE = 22_050


def _artists(seed: int, artists: int = 24, each: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float64 [n, 12] whose first six numbers are the artist's own, beside six that
    differ widely from recording to recording; and the artists."""
    rng = np.random.default_rng(seed)
    kin = np.repeat(np.arange(artists), each)
    own = rng.standard_normal((artists, 6))[kin] + 0.4 * rng.standard_normal((len(kin), 6))
    return np.concatenate([own, 1.5 * rng.standard_normal((len(kin), 6))], axis=1), kin


def test_a_map_told_of_some_artists_helps_others() -> None:
    vectors, kin = _artists(0)
    told = np.where(kin < 12, kin, -1)
    asked = kin >= 12
    before = np.nanmean(precisions(vectors, kin, asked))
    after = np.nanmean(precisions(vectors @ kin_map(vectors, told, 30.0), kin, asked))
    timid = np.nanmean(precisions(vectors @ kin_map(vectors, told, 1000.0), kin, asked))
    assert after > timid > before + 0.005


def test_a_map_that_is_told_nothing_changes_nothing() -> None:
    vectors, kin = _artists(1)
    alone = np.full_like(kin, -1)
    alone[0] = 3
    for labels, strength in ((kin, NEVER), (alone, 10.0)):
        np.testing.assert_allclose(kin_map(vectors, labels, strength), np.eye(12), atol=1e-12)


def test_quantiles_move_by_how_many_recordings_speak() -> None:
    old = np.linspace(0.0, 1.0, 15, dtype=np.float32)[:, None].repeat(3, axis=1)
    nothing = np.zeros(0, np.float32)
    constants = Constants(old, nothing, {}, nothing, nothing)
    statistics = np.random.default_rng(0).uniform(5.0, 9.0, (100, 3))
    own = np.quantile(statistics, LEVELS, axis=0)
    half = tell_quantiles(constants, statistics, 100.0).quantiles
    np.testing.assert_allclose(half, (old + own) / 2, rtol=1e-5)
    assert tell_quantiles(constants, statistics, NEVER) is constants
    assert (np.diff(half, axis=0) > 0).all()


def test_precisions_are_those_of_the_plain_reference() -> None:
    vectors, kin = _artists(2, artists=5, each=4)
    kin[-3:] = -1
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    same = (kin[:, None] == kin) & (kin >= 0)[:, None]
    others = ~np.eye(len(kin), dtype=np.bool_)
    expected, queries = mean_average_precision(units @ units.T, same, others)
    found = precisions(vectors, kin, np.ones(len(kin), dtype=np.bool_))
    assert np.isfinite(found).sum() == queries
    assert np.nanmean(found) == pytest.approx(expected, abs=1e-6)


def test_ties_with_the_answer_come_before_it() -> None:
    answers = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    ranks, share = found_soon(np.array([[2.0, 0.0], [0.0, 3.0]]), answers, np.array([1, 2]))
    assert ranks.tolist() == [0.5, 1.0]
    assert share[0] == pytest.approx(1 / (2 + np.exp(-10)))


def test_a_gain_counts_only_with_its_whole_interval() -> None:
    rng = np.random.default_rng(0)
    groups = np.arange(40)
    before = rng.uniform(0.2, 0.6, 40)
    better = paired_gain("x", before, before + rng.uniform(0.0, 0.1, 40), groups)
    noise = paired_gain("x", before, before + rng.normal(0.0, 0.1, 40), groups)
    assert better.real
    assert not noise.real
    assert better.low < better.after - better.before < better.high
    assert better.words().startswith("x: ")
    many = paired_gain("x", before, before + rng.uniform(0.0, 0.1, 40), groups, tries=50)
    assert many.high - many.low > better.high - better.low


def test_more_recordings_of_the_same_artists_are_no_more_evidence() -> None:
    change = np.random.default_rng(1).normal(0.02, 0.1, 30)
    once = paired_gain("x", np.zeros(30), change, np.arange(30))
    often = paired_gain("x", np.zeros(300), change.repeat(10), np.arange(30).repeat(10))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert often.queries == 300
    alone = paired_gain("x", np.zeros(5), np.ones(5), np.zeros(5, dtype=np.int64))
    assert not alone.real  # one artist is no evidence for others


def test_what_helps_is_chosen_and_what_does_not_is_refused() -> None:
    vectors, kin = _artists(3, artists=40)
    everyone = np.ones(len(kin), dtype=np.bool_)
    way, gain = choose_way(vectors, [vectors], Labels("artist", kin, everyone), seed=1)
    assert way.kin < NEVER
    assert gain.real
    shuffled = np.random.default_rng(0).permutation(kin)
    _, refused = choose_way(vectors, [vectors], Labels("artist", shuffled, everyone), seed=1)
    assert not refused.real


def test_a_better_start_is_found_and_a_worse_one_left() -> None:
    vectors, kin = _artists(4)
    everyone = np.ones(len(kin), dtype=np.bool_)
    labels = Labels("artist", kin, everyone)
    cleaner = vectors * np.r_[np.ones(6), np.full(6, 0.3)]
    noise = np.random.default_rng(0).standard_normal(vectors.shape)
    assert choose_way(vectors, [vectors, cleaner], labels, 1)[0].ground == 1
    assert choose_way(vectors, [vectors, noise], labels, 1)[0].ground == 0


def test_a_large_catalog_is_judged_by_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicu.embeddings.training.model_selection.MOST", 90)
    vectors, kin = _artists(5, artists=40)
    kin[:60] = -1
    everyone = np.ones(len(kin), dtype=np.bool_)
    _, gain = choose_way(vectors, [vectors], Labels("artist", kin, everyone), seed=1)
    assert 40 < gain.queries <= 90
    assert Way() == Way(0, NEVER, 0.0)


def test_neighbours_are_chosen_where_they_bring_kin_together() -> None:
    rng = np.random.default_rng(6)
    kin = np.repeat(np.arange(24), 6)
    vectors = rng.standard_normal((24, 30))[kin] + 1.2 * rng.standard_normal((len(kin), 30))
    everyone = np.ones(len(kin), dtype=np.bool_)
    way, gain = choose_way(vectors, [vectors], Labels("artist", kin, everyone), seed=1)
    assert way.weight > 0
    assert gain.real


def test_neighbours_alone_may_pass_where_no_choice_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    kin = np.repeat(np.arange(12), 6)
    vectors = rng.standard_normal((12, 30))[kin] + 1.2 * rng.standard_normal((len(kin), 30))
    labels = Labels("artist", kin, np.ones(len(kin), dtype=np.bool_))
    noise = rng.standard_normal(vectors.shape)
    ways = "musicu.embeddings.training.model_selection._best_way"
    monkeypatch.setattr(ways, lambda *_: Way(ground=1))  # as few groups may mislead a choice
    way, gain = choose_way(vectors, [vectors, noise], labels, seed=1)
    assert way == Way(weight=WEIGHT)
    assert gain.real
    drawn = precisions(draw_near(vectors, vectors, WEIGHT), kin, labels.queries)
    assert gain.after == pytest.approx(np.nanmean(drawn))
    shuffled = Labels("artist", rng.permutation(kin), labels.queries)
    way, gain = choose_way(vectors, [vectors, noise], shuffled, seed=1)
    assert way == Way()
    assert not gain.real


def _halves(seed: int, noise: float) -> np.ndarray:
    """Two views float64 [2, n, 30] of recordings that come in groups of eight."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((20, 30)).repeat(8, axis=0) + rng.standard_normal((160, 30))
    return own + noise * rng.standard_normal((2, 160, 30))


def test_halves_let_neighbours_pass_and_refuse_what_harms() -> None:
    halves = _halves(0, 0.7)
    good = judge_halves(halves, WEIGHT, seed=1)
    assert good.low > -HARMLESS
    assert good.queries > 100
    alone = np.random.default_rng(1).standard_normal((160, 30))  # nothing has a neighbour
    scattered = alone + 0.3 * np.random.default_rng(2).standard_normal((2, 160, 30))
    harm = judge_halves(scattered, 3.0, seed=1)
    assert harm.after < harm.before
    assert not harm.low > -HARMLESS


def test_halves_without_a_weight_change_nothing() -> None:
    gain = judge_halves(_halves(2, 0.5), 0.0, seed=1)
    assert gain.before == gain.after
    assert (gain.low, gain.high) == (0.0, 0.0)


def test_neighbours_are_mutual_and_never_oneself() -> None:
    likeness = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.8], [0.1, 0.8, 1.0]])
    assert mutual(likeness, 1).tolist() == [
        [False, True, False],
        [True, False, False],
        [False, False, False],  # nearest to it is the second, which is nearer to the first
    ]
    assert not mutual(likeness, 5).diagonal().any()


def _labels(artists: np.ndarray, albums: np.ndarray, held: int, recipe: Recipe) -> Labels | None:
    known = Grouping(artists, albums, np.full(len(artists), -1))
    return labels_of(known, np.arange(len(artists)) >= held, recipe)


def test_artists_judge_where_named_then_albums_then_none() -> None:
    eight, none = np.repeat(np.arange(8), 5), np.full(40, -1)
    unpaired = np.arange(40)
    recipe = Recipe()
    found = [
        _labels(artists, albums, 10, recipe)
        for artists, albums in ((eight, none), (none, eight), (unpaired, eight), (none, none))
    ]
    assert [None if labels is None else labels.of for labels in found] == [
        "artist",
        "album",
        "album",
        None,
    ]


def test_a_network_that_was_told_names_is_judged_by_held_out_ones() -> None:
    twelve, none = np.repeat(np.arange(12), 5), np.full(60, -1)
    told = Recipe(pairs=PairWeights(artist=0.2))
    labels = _labels(twelve, none, 35, told)
    assert labels is not None
    assert np.flatnonzero(labels.queries).tolist() == list(range(35))
    assert _labels(twelve, none, 10, told) is None  # too few to judge by


def test_an_excerpt_sounds_different_and_is_the_same_each_time() -> None:
    t = np.arange(20 * RATE) / RATE
    sound = (0.3 * np.sin(2 * np.pi * 440.0 * t)).astype(np.float32)
    first, again = (degrade(sound, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(first, again)
    pitch = np.abs(np.fft.rfft(first)).argmax() / len(first) * RATE
    assert 440 * 0.965 < pitch < 440 * 1.035
    assert abs(pitch - 440) > 1
    taken = take_excerpts(np.array([3]), [Path("x")], lambda _: sound, Windows(1.0, 4), 1)
    assert taken.statistics is not None
    assert taken.statistics.shape[0] == len(taken.powers) == 1
    assert 90 < len(taken.powers[0]) < 120  # five seconds, 46 ms each


def test_folders_of_the_size_of_an_album_are_albums() -> None:
    album = [Path(f"/music/Artist/Album/{n}.flac") for n in range(9)]
    heap = [Path(f"/music/{n}.mp3") for n in range(60)]
    single = [Path("/music/Artist/Single/1.flac")]
    assert album_folders([*album, *heap, *single]) == {Path("/music/Artist/Album")}
