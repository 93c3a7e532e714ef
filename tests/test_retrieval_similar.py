from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from musicu.catalog.schema import FAILURES, TRACKS
from musicu.errors import QueryError
from musicu.records import Vectors
from musicu.retrieval import similar, similar_to_vector


class MadeCatalog:
    """Tracks on a circle: t0 at 0°, t1 at 1° and so on, listed backwards among the vectors."""

    def __init__(self, count: int = 12) -> None:
        rows = [
            {
                "track_id": f"t{n:02}",
                "title": f"Song {n}",
                "artists": [f"Artist {n % 3}"],
                "path": f"{n}.mp3",
                "popularity": n / 10,
            }
            for n in range(count + 2)
        ]
        self.table = pa.Table.from_pylist(rows, schema=TRACKS)
        self.failed = pa.Table.from_pylist(
            [{"track_id": f"t{count:02}", "reason": "it is empty"}], schema=FAILURES
        )
        angles = np.radians(np.arange(count)[::-1])
        values = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        ids = np.array([f"t{n:02}" for n in range(count)][::-1], object)
        self.held = Vectors(
            np.append(ids, "gone"), np.append(values, [[1, 0]], axis=0).astype(np.float32)
        )

    def tracks(self) -> pa.Table:
        return self.table

    def vectors(self, model: str | None = None) -> Vectors:
        return self.held

    def failures(self) -> pa.Table:
        return self.failed


CATALOG = MadeCatalog()


class VersionsCatalog(MadeCatalog):
    """The two nearest to t00 are versions of it."""

    def __init__(self) -> None:
        super().__init__()
        rows = self.table.to_pylist()
        for n, title in ((1, "Song 0 (Single Version)"), (2, "Song 0 - 2011 Remaster")):
            rows[n] |= {"title": title, "artists": ["Artist 0"]}
        self.table = pa.Table.from_pylist(rows, schema=TRACKS)


def test_versions_of_the_seed_are_marked_and_can_be_left_out() -> None:
    found = similar(VersionsCatalog(), ["t00", "t05"], k=3)
    assert found["same_work"].to_pylist() == [True, True, False, False, False, False]
    others = similar(VersionsCatalog(), ["t00", "t05"], k=3, versions=False)
    assert others["track_id"].to_pylist()[:3] == ["t03", "t04", "t05"]
    assert others["track_id"].to_pylist()[3:] == found["track_id"].to_pylist()[3:]
    assert others["rank"].to_pylist() == [1, 2, 3] * 2
    few = similar(VersionsCatalog(), "t00", k=100, versions=False)
    assert few.num_rows == 9


def test_nearest_come_first_without_the_track_itself_or_tracks_that_are_gone() -> None:
    found = similar(CATALOG, "t00", k=3)
    assert found["track_id"].to_pylist() == ["t01", "t02", "t03"]
    assert found["title"].to_pylist() == ["Song 1", "Song 2", "Song 3"]
    assert found["rank"].to_pylist() == [1, 2, 3]
    assert found["query_id"].to_pylist() == ["t00"] * 3
    np.testing.assert_allclose(found["score"], np.cos(np.radians([1, 2, 3])), atol=1e-6)


def test_several_tracks_give_the_rows_of_each_alone() -> None:
    seeds = ["t05", "t00", "t05"]
    together = similar(CATALOG, seeds, k=4, where="popularity <= 0.7")
    alone = [similar(CATALOG, seed, k=4, where="popularity <= 0.7") for seed in seeds]
    assert together.equals(pa.concat_tables(alone))
    assert together.schema.equals(similar(CATALOG, []).schema)


@pytest.mark.parametrize("where", ["popularity >= 0.8", pc.field("popularity") >= 0.8])
def test_only_what_the_filter_allows_is_found(where: Any) -> None:
    found = similar(CATALOG, "t00", k=20, where=where)
    assert found["track_id"].to_pylist() == ["t08", "t09", "t10", "t11"]
    assert similar(CATALOG, "t00", where="popularity > 9").num_rows == 0


@pytest.mark.parametrize(
    ("track_id", "message"),
    [
        ("Queen - Heroes", "no track has the id 'Queen - Heroes'; to name one by words"),
        ("t12", "'t12' has no vector, as it failed: it is empty"),
        ("t13", "'t13' has no vector under this model yet: run"),
    ],
)
def test_track_without_a_vector_is_refused_with_the_reason(track_id: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        similar(CATALOG, ["t01", track_id])


def test_vector_finds_the_tracks_around_it() -> None:
    found = similar_to_vector(CATALOG, np.array([5.0, 0.0], np.float32), k=2, exclude=["t01"])
    assert found["track_id"].to_pylist() == ["t00", "t02"]
    assert found["query_id"].to_pylist() == [None, None]
    assert found.schema.equals(similar(CATALOG, "t00").schema)
    with pytest.raises(QueryError, match=r"one vector \[dim\] is wanted"):
        similar_to_vector(CATALOG, np.eye(2, dtype=np.float32))
