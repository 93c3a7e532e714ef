"""Blind tests: which trials are asked, what the answers mean, and when they suffice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from scipy import stats
from shelves_samples import MemoryCatalog

from musicu.cli.judge import judge
from musicu.errors import QueryError, SourceError
from musicu.judge import Trial, answers_needed, make_trials, preference, read_answers
from musicu.judge.answers import seal


@pytest.mark.parametrize(("wins", "losses"), [(0, 5), (14, 6), (60, 40), (7, 0)])
def test_interval_is_scipys_exact_one(wins: int, losses: int) -> None:
    found = preference(wins, losses)
    oracle = stats.binomtest(wins, wins + losses)
    interval = oracle.proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p_value == pytest.approx(oracle.pvalue)


def test_nothing_is_told_without_answers() -> None:
    found = preference(0, 0)
    assert (found.share, found.low, found.high, found.told) == (0.5, 0.0, 1.0, False)


@pytest.mark.parametrize(("share", "least", "most"), [(0.6, 180, 215), (0.75, 28, 40), (1.0, 6, 6)])
def test_answers_needed_are_those_of_the_textbooks(share: float, least: int, most: int) -> None:
    needed = answers_needed(share)
    assert needed is not None
    assert least <= needed <= most


def test_answers_needed_suffice_by_simulation() -> None:
    needed = answers_needed(0.7)
    assert needed is not None
    wins = np.random.default_rng(0).binomial(needed, 0.7, 4000)
    told = np.mean([preference(int(w), needed - int(w)).p_value <= 0.05 for w in wins])
    assert 0.78 < told < 0.9


def test_no_number_of_answers_tells_equals_apart() -> None:
    assert answers_needed(0.5) is None
    assert answers_needed(0.501) is None


def world() -> tuple[MemoryCatalog, list[str]]:
    rng = np.random.default_rng(3)
    rows = [
        {
            "track_id": f"t{i:02d}",
            "title": f"T{i}",
            "artists": [f"A{i % 10}"],
            "content_hash": f"{i}",
        }
        for i in range(40)
    ]
    return MemoryCatalog(rows, rng.standard_normal((40, 6))), [row["track_id"] for row in rows]


def results(path: Path, ids: list[str], seed: int) -> str:
    """A file of ten results for every track."""
    rng = np.random.default_rng(seed)
    rows = [
        {"query_id": query, "track_id": track, "score": float(score)}
        for query in ids
        for track, score in zip(rng.choice(ids, 10, replace=False), rng.random(10), strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def test_sides_are_shuffled_and_questions_are_repeatable(tmp_path: Path) -> None:
    catalog, ids = world()
    a, b = results(tmp_path / "a.parquet", ids, 1), results(tmp_path / "b.parquet", ids, 2)
    trials = make_trials(catalog, a, b, count=20)  # type: ignore[arg-type]
    assert trials == make_trials(catalog, a, b, count=20)  # type: ignore[arg-type]
    assert 4 <= sum(q.first_left for q in trials) <= 16
    assert len({q.seed for q in trials}) == 20
    assert len({int(q.seed[1:]) % 10 for q in trials[:8]}) == 8  # artists take turns
    other = make_trials(catalog, a, b, count=20, seed=1)  # type: ignore[arg-type]
    assert [t.seed for t in other] != [t.seed for t in trials]


def test_no_question_shows_the_seed_its_artist_or_what_both_list(tmp_path: Path) -> None:
    catalog, ids = world()
    a, b = results(tmp_path / "a.parquet", ids, 1), results(tmp_path / "b.parquet", ids, 2)
    artists = {row["track_id"]: row["artists"] for row in catalog.tracks().to_pylist()}
    for trial in make_trials(catalog, a, b, count=40):  # type: ignore[arg-type]
        shown = (trial.first, trial.second)
        assert len({trial.seed, *shown}) == 3
        assert all(artists[one] != artists[trial.seed] for one in shown)


def test_two_that_agree_are_not_judged(tmp_path: Path) -> None:
    catalog, ids = world()
    a = results(tmp_path / "a.parquet", ids, 1)
    with pytest.raises(QueryError, match="nothing to judge"):
        make_trials(catalog, a, a)  # type: ignore[arg-type]


def saved(
    path: Path, choices: list[str], models: tuple[str, str] = ("A", "B"), **more: object
) -> Path:
    trials = [Trial("s", "x", "y", first_left=i % 2 == 0) for i in range(len(choices))]
    answers = [{"trial": i, "choice": c, "seconds": 1.0} for i, c in enumerate(choices)]
    document = {"format": 1, "test": "t", "sealed": seal(*models, trials), "answers": answers}
    path.write_text(json.dumps(document | more), encoding="utf-8")
    return path


def test_only_the_last_file_of_a_session_counts(tmp_path: Path) -> None:
    moments = ("2026-05-01T10:00:00.000Z", "2026-05-01T10:05:00.000Z", "2026-05-01T10:02:00.000Z")
    answers = (["left"] * 4, ["left"] * 2 + ["right"] * 4, ["left"] * 5)
    files = [
        saved(tmp_path / f"{i}.json", choices, session="s1", saved=moment)
        for i, (choices, moment) in enumerate(zip(answers, moments, strict=True))
    ]
    files.append(saved(tmp_path / "other.json", ["left"] * 6, session="s2", saved=moments[0]))
    found = read_answers(files)
    last, other = read_answers(files[1:2]), read_answers(files[3:])
    assert (found.listeners, found.repeated) == (2, 2)
    assert found.preference.wins == last.preference.wins + other.preference.wins
    assert found.preference.p_value == read_answers([files[3], files[1]]).preference.p_value


def test_the_command_says_how_many_files_do_not_count(tmp_path: Path) -> None:
    files = [saved(tmp_path / f"{i}.json", ["left"] * 5, session="s", saved=f"{i}") for i in (1, 2)]
    done = CliRunner().invoke(judge, ["read", *map(str, files)])
    assert "1 file of listeners who saved again" in done.output + done.stderr
    told = json.loads(CliRunner().invoke(judge, ["read", "--json", str(files[0])]).stdout)
    assert (told["listeners"], told["repeated"]) == (1, 0)


def test_answers_of_several_listeners_are_unsealed_and_counted(tmp_path: Path) -> None:
    one = saved(tmp_path / "1.json", ["left", "right", "left", "same"])  # the first model thrice
    two = saved(tmp_path / "2.json", ["right", "right"])  # each once
    found = read_answers([one, two])
    assert (found.first, found.second, found.listeners) == ("A", "B", 2)
    assert (found.preference.wins, found.preference.losses, found.same) == (4, 1, 1)
    assert found.needed is not None
    assert found.more == found.needed - 5


def test_a_clear_preference_needs_no_more_answers(tmp_path: Path) -> None:
    found = read_answers([saved(tmp_path / "1.json", ["left", "right"] * 10)])
    assert (found.preference.share, found.more) == (1.0, 0)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    one = saved(tmp_path / "1.json", ["left"])
    other = saved(tmp_path / "2.json", ["left"], ("A", "C"))
    with pytest.raises(SourceError, match="is about"):
        read_answers([one, other])
    (tmp_path / "3.json").write_text("{}")
    with pytest.raises(SourceError, match="holds no answers"):
        read_answers([tmp_path / "3.json"])
    newer = json.loads(one.read_text()) | {"format": 2}
    one.write_text(json.dumps(newer))
    with pytest.raises(SourceError, match="update musicu"):
        read_answers([one])


def test_the_command_says_when_it_can_be_chance(tmp_path: Path) -> None:
    file = saved(tmp_path / "1.json", ["left", "right", "left", "left"])
    done = CliRunner().invoke(judge, ["read", str(file)])
    assert done.exit_code == 0
    assert "A is preferred in 75 % [19, 99] of 4 answers" in done.output
    assert "more answers tell" in done.output
    told = json.loads(CliRunner().invoke(judge, ["read", "--json", str(file)]).output)
    assert (told["wins"], told["losses"], told["told"]) == (3, 1, False)
