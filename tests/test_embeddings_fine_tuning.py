"""Fine-tuning: what is fitted, what is asked, and when a gain counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxscript", reason="training needs onnxscript")

from training_samples import average_precisions_by_hand  # noqa: E402

from musicu.embeddings.neighbours import smooth  # noqa: E402
from musicu.embeddings.stats import LEVELS, Constants  # noqa: E402
from musicu.embeddings.training.adaptation import QUANTILES, mix_quantiles  # noqa: E402
from musicu.embeddings.training.encoder_export import Encoder  # noqa: E402
from musicu.embeddings.training.fine_tuning import HARMLESS, find_labels  # noqa: E402
from musicu.embeddings.training.from_catalog import album_folders  # noqa: E402
from musicu.embeddings.training.gains import paired_gain, precisions  # noqa: E402
from musicu.embeddings.training.model_selection import (  # noqa: E402
    WEIGHT,
    Adaptation,
    SelectionGroups,
    select_adaptation,
)
from musicu.embeddings.training.network import AudioNetwork  # noqa: E402
from musicu.embeddings.training.pairs import Grouping, PairWeights  # noqa: E402
from musicu.embeddings.training.pooling import Whitening  # noqa: E402
from musicu.embeddings.training.recipe import NetworkConfig, TrainingRecipe  # noqa: E402
from musicu.embeddings.training.split_half import mutual, split_half_gain  # noqa: E402
from musicu.embeddings.training.wccn import NEVER, wccn_projection  # noqa: E402


def _artists(seed: int, artists: int = 24, each: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float64 [n, 12] whose first six numbers are the artist's own, beside six that
    differ widely from recording to recording; and the artists."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(artists), each)
    own = rng.standard_normal((artists, 6))[groups] + 0.4 * rng.standard_normal((len(groups), 6))
    return np.concatenate([own, 1.5 * rng.standard_normal((len(groups), 6))], axis=1), groups


def test_a_projection_fitted_to_some_artists_helps_others() -> None:
    vectors, groups = _artists(0)
    known = np.where(groups < 12, groups, -1)
    asked = groups >= 12
    before = np.nanmean(precisions(vectors, groups, asked))
    after = np.nanmean(precisions(vectors @ wccn_projection(vectors, known, 30.0), groups, asked))
    timid = np.nanmean(precisions(vectors @ wccn_projection(vectors, known, 1000.0), groups, asked))
    assert after > timid > before + 0.005


def test_a_projection_without_label_groups_changes_nothing() -> None:
    vectors, groups = _artists(1)
    alone = np.full_like(groups, -1)
    alone[0] = 3
    for labels, strength in ((groups, NEVER), (alone, 10.0)):
        np.testing.assert_allclose(
            wccn_projection(vectors, labels, strength), np.eye(12), atol=1e-12
        )


def test_quantiles_move_by_how_many_recordings_speak() -> None:
    old = np.linspace(0.0, 1.0, 15, dtype=np.float32)[:, None].repeat(3, axis=1)
    nothing = np.zeros(0, np.float32)
    constants = Constants(old, nothing, {}, nothing, nothing)
    network = AudioNetwork(NetworkConfig(dim=8, channels=(8, 8, 8, 8), projection=8))
    encoder = Encoder(network, Whitening(nothing, nothing), TrainingRecipe(), constants)
    statistics = np.random.default_rng(0).uniform(5.0, 9.0, (int(QUANTILES), 3))
    own = np.quantile(statistics, LEVELS, axis=0)
    mixed = mix_quantiles(encoder, statistics).constants
    assert mixed is not None
    np.testing.assert_allclose(mixed.quantiles, (old + own) / 2, rtol=1e-5)
    assert (np.diff(mixed.quantiles, axis=0) > 0).all()


def test_precisions_are_those_of_the_plain_reference() -> None:
    vectors, groups = _artists(2, artists=5, each=4)
    groups[-3:] = -1
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    same = (groups[:, None] == groups) & (groups >= 0)[:, None]
    others = ~np.eye(len(groups), dtype=np.bool_)
    expected = average_precisions_by_hand(units @ units.T, same, others)
    found = precisions(vectors, groups, np.ones(len(groups), dtype=np.bool_))
    np.testing.assert_allclose(found[np.isfinite(found)], expected, atol=1e-6)


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
    vectors, groups = _artists(3, artists=40)
    everyone = np.ones(len(groups), dtype=np.bool_)
    best, gain = select_adaptation(
        vectors, [vectors], SelectionGroups("artist", groups, everyone), seed=1
    )
    assert best.strength < NEVER
    assert gain.real
    shuffled = np.random.default_rng(0).permutation(groups)
    _, refused = select_adaptation(
        vectors, [vectors], SelectionGroups("artist", shuffled, everyone), seed=1
    )
    assert not refused.real


def test_a_better_start_is_found_and_a_worse_one_left() -> None:
    vectors, groups = _artists(4)
    everyone = np.ones(len(groups), dtype=np.bool_)
    labels = SelectionGroups("artist", groups, everyone)
    cleaner = vectors * np.r_[np.ones(6), np.full(6, 0.3)]
    noise = np.random.default_rng(0).standard_normal(vectors.shape)
    assert select_adaptation(vectors, [vectors, cleaner], labels, 1)[0].start == 1
    assert select_adaptation(vectors, [vectors, noise], labels, 1)[0].start == 0


def test_a_large_catalog_is_judged_by_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicu.embeddings.training.model_selection.MOST", 90)
    vectors, groups = _artists(5, artists=40)
    groups[:60] = -1
    everyone = np.ones(len(groups), dtype=np.bool_)
    _, gain = select_adaptation(
        vectors, [vectors], SelectionGroups("artist", groups, everyone), seed=1
    )
    assert 40 < gain.queries <= 90
    assert Adaptation() == Adaptation(0, NEVER, 0.0)


def test_neighbours_are_chosen_where_they_bring_kin_together() -> None:
    rng = np.random.default_rng(6)
    groups = np.repeat(np.arange(24), 6)
    vectors = rng.standard_normal((24, 30))[groups] + 1.2 * rng.standard_normal((len(groups), 30))
    everyone = np.ones(len(groups), dtype=np.bool_)
    best, gain = select_adaptation(
        vectors, [vectors], SelectionGroups("artist", groups, everyone), seed=1
    )
    assert best.weight > 0
    assert gain.real


def test_neighbours_alone_may_pass_where_no_choice_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(12), 6)
    vectors = rng.standard_normal((12, 30))[groups] + 1.2 * rng.standard_normal((len(groups), 30))
    labels = SelectionGroups("artist", groups, np.ones(len(groups), dtype=np.bool_))
    noise = rng.standard_normal(vectors.shape)
    ways = "musicu.embeddings.training.model_selection._best"
    monkeypatch.setattr(ways, lambda *_: Adaptation(start=1))  # as few groups may mislead a choice
    best, gain = select_adaptation(vectors, [vectors, noise], labels, seed=1)
    assert best == Adaptation(weight=WEIGHT)
    assert gain.real
    drawn = precisions(smooth(vectors, vectors, WEIGHT), groups, labels.queries)
    assert gain.after == pytest.approx(np.nanmean(drawn))
    shuffled = SelectionGroups("artist", rng.permutation(groups), labels.queries)
    best, gain = select_adaptation(vectors, [vectors, noise], shuffled, seed=1)
    assert best == Adaptation()
    assert not gain.real


def _halves(seed: int, noise: float) -> np.ndarray:
    """Two views float64 [2, n, 30] of recordings that come in groups of eight."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((20, 30)).repeat(8, axis=0) + rng.standard_normal((160, 30))
    return own + noise * rng.standard_normal((2, 160, 30))


def test_halves_let_neighbours_pass_and_refuse_what_harms() -> None:
    halves = _halves(0, 0.7)
    good = split_half_gain(halves, WEIGHT, seed=1)
    assert good.low > -HARMLESS
    assert good.queries > 100
    alone = np.random.default_rng(1).standard_normal((160, 30))  # nothing has a neighbour
    scattered = alone + 0.3 * np.random.default_rng(2).standard_normal((2, 160, 30))
    harm = split_half_gain(scattered, 3.0, seed=1)
    assert harm.after < harm.before
    assert not harm.low > -HARMLESS


def test_halves_without_a_weight_change_nothing() -> None:
    gain = split_half_gain(_halves(2, 0.5), 0.0, seed=1)
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


def _found(
    artists: np.ndarray, albums: np.ndarray, held: int, recipe: TrainingRecipe
) -> SelectionGroups | None:
    known = Grouping(artists, albums, np.full(len(artists), -1))
    return find_labels(known, np.arange(len(artists)) >= held, recipe)


def test_artists_judge_where_named_then_albums_then_none() -> None:
    eight, none = np.repeat(np.arange(8), 5), np.full(40, -1)
    unpaired = np.arange(40)
    recipe = TrainingRecipe()
    found = [
        _found(artists, albums, 10, recipe)
        for artists, albums in ((eight, none), (none, eight), (unpaired, eight), (none, none))
    ]
    assert [None if labels is None else labels.kind for labels in found] == [
        "artist",
        "album",
        "album",
        None,
    ]


def test_a_network_trained_with_names_is_judged_by_held_out_ones() -> None:
    twelve, none = np.repeat(np.arange(12), 5), np.full(60, -1)
    recipe = TrainingRecipe(pairs=PairWeights(artist=0.2))
    labels = _found(twelve, none, 35, recipe)
    assert labels is not None
    assert np.flatnonzero(labels.queries).tolist() == list(range(35))
    assert _found(twelve, none, 10, recipe) is None  # too few to judge by


def test_folders_of_the_size_of_an_album_are_albums() -> None:
    album = [Path(f"/music/Artist/Album/{n}.flac") for n in range(9)]
    heap = [Path(f"/music/{n}.mp3") for n in range(60)]
    single = [Path("/music/Artist/Single/1.flac")]
    assert album_folders([*album, *heap, *single]) == {Path("/music/Artist/Album")}
