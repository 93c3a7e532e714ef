"""Semantic ids: like tracks begin alike, old codes stay, and every track can be generated."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from musicu.cli import main
from musicu.sequences.semantic_head import SemanticHead
from musicu.sequences.semantic_ids import SemanticIds
from musicu.sequences.sequential_rules import RuleSettings
from musicu.sequences.session_table import SessionTable


def groups(count: int = 400, of: int = 8, seed: int = 0) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = np.tile(4 * rng.standard_normal((of, 16)), (count // of, 1))
    values = (centres + rng.standard_normal(centres.shape)).astype(np.float32)
    return [f"t{n}" for n in range(count)], values


def test_every_track_has_a_code_of_its_own_and_few_need_the_last_digit() -> None:
    found = SemanticIds.of(*groups())
    assert len(set(map(tuple, found.codes.tolist()))) == 400
    assert found.collisions <= 0.01


def test_tracks_with_equal_vectors_have_codes_of_their_own_while_there_are_any() -> None:
    ids, values = groups()
    values[:150] = values[0]
    found = SemanticIds.of(ids, values)
    assert found.collisions <= 0.01
    assert len(set(map(tuple, found.codes[:150, :-2].tolist()))) == 1  # they begin alike
    copies = np.tile(np.ones((1, 4), np.float32), (5, 1))
    same = SemanticIds.of(list("abcde"), copies)  # of two centroids a level
    assert same.codes[:, -2].tolist()[:2] == [0, 1] or same.codes[:, -2].tolist()[:2] == [1, 0]
    assert len(set(map(tuple, same.codes.tolist()))) == 5


def test_more_equal_tracks_than_a_beginning_holds_take_the_nearest_beginnings() -> None:
    values = np.tile(np.ones((1, 4), np.float32), (600, 1))
    values[:20] += np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    found = SemanticIds.of([f"t{n}" for n in range(600)], values)
    assert found.collisions == 0
    assert len(set(map(tuple, found.codes[20:, :-3].tolist()))) == 1


def test_tracks_that_begin_alike_are_alike() -> None:
    ids, values = groups()
    first = SemanticIds.of(ids, values).codes[:, 0]
    alike = first[:, None] == first[None]
    distance = np.linalg.norm(values[:, None] - values[None], axis=2)
    apart = ~alike
    np.fill_diagonal(alike, False)
    assert distance[alike].mean() < 0.6 * distance[apart].mean()


def test_old_codes_stay_when_tracks_are_added() -> None:
    ids, values = groups()
    old = SemanticIds.of(ids[:300], values[:300])
    new = old.added(ids, np.concatenate([values[:300], values[:100]]))
    np.testing.assert_array_equal(new.codes[:300], old.codes)
    np.testing.assert_array_equal(new.codes[300:, :-2], old.codes[:100, :-2])
    assert len(set(map(tuple, new.codes.tolist()))) == 400


def test_a_beam_as_wide_as_the_catalog_reaches_every_track_and_a_narrow_one_the_best() -> None:
    codes = SemanticIds.of(*groups()).codes
    sessions = [[n, (n + 1) % 390, (n + 2) % 390] for n in range(390)]
    table = SessionTable.of(sessions, {n: n for n in range(400)})
    head = SemanticHead.of(codes, table, RuleSettings(backward=0.0))
    scores = head.scores(np.array([7]), beam=400)
    assert (scores > 0).all()  # those that no session has as well
    assert scores.argmax() == 8
    narrow = head.scores(np.array([7]), beam=10)
    assert np.count_nonzero(narrow) == 10
    assert narrow.argmax() == 8


def test_export_keeps_codes_between_runs(
    demo_catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    catalog = tmp_path / "catalog"
    shutil.copytree(demo_catalog, catalog)

    def export(name: str) -> int:
        words = ["musicu", "export", catalog, "-o", tmp_path / name, "--semantic-ids"]
        monkeypatch.setattr(sys, "argv", list(map(str, words)))
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0)

    assert [export("one.parquet"), export("two.parquet"), export("three.csv")] == [0, 0, 0]
    one, two = (pq.read_table(tmp_path / name) for name in ("one.parquet", "two.parquet"))
    assert one.equals(two)
    assert pv.read_csv(tmp_path / "three.csv")["semantic_id"].to_pylist() == (
        one["semantic_id"].to_pylist()
    )
    assert export("four.npz") == 2
