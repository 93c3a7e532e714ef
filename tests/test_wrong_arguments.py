"""Arguments that gave a wrong answer without a word are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from musicu import Catalog, Vectors
from musicu.candidates import Constraints, ForYou, TasteOptions, TasteProfile, find_candidates
from musicu.embeddings import TrackConfig
from musicu.errors import QueryError
from musicu.evaluation import evaluate_vectors
from musicu.ranking import Pool, PoolScores, Ranker
from musicu.sequences import fit
from musicu.shelves import ShelfContext

SESSIONS = [["a", "b", "c"], ["b", "c", "d"], ["a", "c", "d"], ["d", "a", "b"]]


@pytest.fixture(scope="module")
def catalog(demo_catalog: Path) -> Catalog:
    return Catalog.open(demo_catalog)


@pytest.mark.parametrize("wrong", ["abc", ["a", "b"], pd.DataFrame({"a": ["b"]}), 3])
def test_sessions_and_histories_are_lists_of_lists(wrong: Any) -> None:
    model = fit(SESSIONS)
    calls: list[Callable[[Any], object]] = [fit, model.scores, model.updated]
    for call in calls:
        with pytest.raises(QueryError, match="lists of ids"):
            call(wrong)


def test_content_has_the_ids_of_the_sessions() -> None:
    vectors = Vectors(list("abcde"), np.eye(5, dtype=np.float32))
    model = fit(SESSIONS, content=vectors)
    assert sorted(model.items) == list("abcde")
    with pytest.raises(QueryError, match="alike"):
        fit([[1, 2, 3], [2, 3, 1]], content=(["1", "2", "3"], np.eye(3)))


def test_vectors_of_a_doubled_id_or_complex_numbers_are_refused() -> None:
    with pytest.raises(QueryError, match="twice"):
        Vectors([1, "1"], np.eye(2)).of([1])
    for wrong in (np.eye(2) * 1j, [["x"], ["y"]]):
        with pytest.raises(QueryError, match="give"):
            Vectors(["a", "b"], wrong)  # type: ignore[arg-type]


def test_labels_have_one_row_of_each_track(catalog: Catalog) -> None:
    twice = pa.concat_tables([catalog.tracks()] * 2)
    with pytest.raises(QueryError, match="one track_id"):
        evaluate_vectors({"a": catalog.vectors()}, twice, protocols=["hubness"])


def test_one_column_is_read_by_its_name(catalog: Catalog) -> None:
    assert catalog.columns("title").column_names == ["title"]


@pytest.mark.parametrize("wrong", [{"constraints": {"max_per_artist": 1}}, {"now": "2026-01-01"}])
def test_options_of_another_kind_are_named(catalog: Catalog, wrong: Any) -> None:
    plays = pd.DataFrame({"user_id": ["a"], "track_id": catalog.vectors().ids[:1]})
    with pytest.raises(QueryError, match=next(iter(wrong))):
        find_candidates(catalog, plays, [ForYou()], k=3, **wrong)


def test_a_profile_is_a_profile_of_finite_vectors(catalog: Catalog) -> None:
    wrong: Any = "ann"
    with pytest.raises(QueryError, match="profile"):
        ShelfContext(catalog, profile=wrong)
    ids = [f"t{n}" for n in range(4)]
    with pytest.raises(QueryError, match="not finite"):
        TasteProfile.from_seeds(ids, Vectors(ids, np.full((4, 3), np.nan, np.float32)))


def test_counts_are_whole_numbers() -> None:
    wrong: Any = "3"
    for call in (
        lambda: TasteOptions(max_interests=wrong),
        lambda: TrackConfig(steps=wrong),
        lambda: Constraints(max_per_album=wrong),
    ):
        with pytest.raises(QueryError, match="'3'"):
            call()


def test_an_error_shows_no_whole_table() -> None:
    from musicu.embeddings import fit_tracks

    table: Any = pd.DataFrame({"id": range(60)})
    with pytest.raises(QueryError, match="of the type DataFrame"):
        fit_tracks(table)


class AsGiven:
    """A ranker that answers as it is told."""

    name = "as-given"

    def __init__(self, answer: Callable[[Pool], Any]) -> None:
        self.rank = answer


def test_a_ranker_needs_scores_and_parts_alone(catalog: Catalog) -> None:
    plays = pd.DataFrame({"user_id": ["a"], "track_id": catalog.vectors().ids[:1]})

    def ids_by(answer: Callable[[Pool], Any]) -> list[str]:
        ranker: Ranker = AsGiven(answer)
        found = find_candidates(catalog, plays, [ForYou()], k=3, ranker=ranker)
        return found["track_id"].to_pylist()  # type: ignore[no-any-return]

    rising = ids_by(lambda pool: PoolScores(np.arange(len(pool), dtype=np.float32), {}))
    falling = ids_by(lambda pool: PoolScores(-np.arange(len(pool), dtype=np.float32), {}))
    assert len(rising) == 3
    assert set(rising) != set(falling)
    wrong: list[Callable[[Pool], Any]] = [
        lambda pool: np.zeros(len(pool)),
        lambda _: PoolScores(np.zeros(3, np.float32), {}),
        lambda pool: PoolScores(np.full(len(pool), np.nan, np.float32), {}),
    ]
    for answer in wrong:
        with pytest.raises(QueryError, match="as-given"):
            ids_by(answer)
