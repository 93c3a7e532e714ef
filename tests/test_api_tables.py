"""Every door that takes a table takes one of any library, or a path, with the same answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicu.candidates import check_listens
from musicu.catalog.catalog import Catalog
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.fit import fit_tracks
from musicu.errors import MusicuError, QueryError, SourceError
from musicu.evaluation import evaluate_vectors
from musicu.evaluation.recommendation import Protocol, evaluate_models
from musicu.ingest.arrow_tables import as_table
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import scan
from musicu.records import Vectors
from musicu.shelves import build_shelf, shelves_of_candidates

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
COUNT = 24
RNG = np.random.default_rng(3)
VALUES = RNG.normal(size=(COUNT, 6)).astype(np.float32)
TRACKS = pa.table(
    {
        "id": [f"t{n:02d}" for n in range(COUNT)],
        "Track Name": [f"Song {n}" for n in range(COUNT)],
        "artist": [f"Band {n % 6}" for n in range(COUNT)],
        "genre": [("jazz", "rock", "folk")[n % 3] for n in range(COUNT)],
        "Release Date": [f"{1990 + n}-05" for n in range(COUNT)],
        "energy": [n / COUNT for n in range(COUNT)],
    }
)
VECTORS = pa.table({"track_id": TRACKS["id"], "v": list(VALUES)})
LISTENS = pa.table(
    {
        "user_id": [f"u{n % 5}" for n in range(60)],
        "track_id": [f"t{(7 * n) % COUNT:02d}" for n in range(60)],
        "timestamp": [datetime(2025, 1, 1 + n % 28, tzinfo=timezone.utc) for n in range(60)],
    }
)


def in_duckdb(table: pa.Table, folder: Path) -> Any:
    return duckdb.from_arrow(table)


def in_parquet(table: pa.Table, folder: Path) -> Any:
    path = folder / f"{len(list(folder.iterdir()))}.parquet"
    pq.write_table(table, path)
    return str(path)


FORMS: dict[str, Callable[[pa.Table, Path], Any]] = {
    "pyarrow": lambda table, folder: table,
    "batch": lambda table, folder: table.combine_chunks().to_batches()[0],
    "stream": lambda table, folder: table.to_reader(),
    "pandas": lambda table, folder: table.to_pandas(),
    "filtered pandas": lambda table, folder: table.to_pandas().loc[lambda frame: frame.index >= 0],
    "polars": lambda table, folder: pl.from_arrow(table),
    "duckdb": in_duckdb,
    "path": in_parquet,
}


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[pa.Table], Any]:
    return lambda table: FORMS[request.param](table, tmp_path)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("tables") / "c"
    scan(TRACKS, folder)
    import_vectors(folder, VECTORS, "v", "mine")
    return Catalog.open(folder)


def test_a_source_is_the_same_in_any_library(
    form: Callable[[pa.Table], Any], catalog: Catalog, tmp_path: Path
) -> None:
    scan(form(TRACKS), tmp_path / "c")
    assert Catalog.open(tmp_path / "c").tracks().equals(catalog.tracks())


def test_listens_are_the_same_in_any_library(form: Callable[[pa.Table], Any]) -> None:
    assert check_listens(form(LISTENS)).listens.equals(check_listens(LISTENS).listens)


def test_shelves_are_the_same_in_any_library(
    form: Callable[[pa.Table], Any], catalog: Catalog
) -> None:
    found = pa.table(
        {
            "user_id": ["u"] * 5,
            "track_id": TRACKS["id"].slice(0, 5),
            "score": [0.9, 0.8, 0.7, 0.6, 0.5],
            "source": ["for-you"] * 5,
            "reason": ["because"] * 5,
        }
    )
    shelf = shelves_of_candidates(form(found), form(catalog.tracks()))[0]
    assert shelf.track_ids == found["track_id"].to_pylist()
    built = build_shelf(form(found), form(catalog.tracks()), catalog.vectors())
    assert built.to_json() == build_shelf(found, catalog).to_json()


def test_evaluations_are_the_same_in_any_library(
    form: Callable[[pa.Table], Any], catalog: Catalog
) -> None:
    labels = form(catalog.tracks().select(["track_id", "artists", "genres"]))
    asked: dict[str, Any] = {"protocols": ["hubness"], "columns": ["genres"], "bootstrap": 0}
    found = evaluate_vectors({"mine": catalog.vectors()}, labels, **asked)
    plain = evaluate_vectors({"mine": catalog.vectors().values}, catalog.tracks(), **asked)
    assert found.to_table().equals(plain.to_table())


def test_candidates_are_measured_the_same_in_any_library(
    form: Callable[[pa.Table], Any], catalog: Catalog
) -> None:
    protocol = Protocol(split="leave-last-out", ks=(3,), bootstrap=0)
    against = ("popularity",)
    found = evaluate_models(catalog.tracks(), form(LISTENS), {}, protocol, against=against)
    plain = evaluate_models(catalog.tracks(), LISTENS, {}, protocol, against=against)
    assert found.to_table().equals(plain.to_table())


def test_a_track_encoder_reads_a_raw_table_as_scan_does(
    form: Callable[[pa.Table], Any], catalog: Catalog
) -> None:
    config = TrackConfig(dim=8, networks=1, hidden=8, factors=4, steps=3)
    encoder = fit_tracks(catalog, listens=form(LISTENS), config=config)
    own = encoder.encode(catalog.tracks(), catalog.vectors())
    raw = encoder.encode(form(TRACKS), catalog.vectors())
    assert raw.ids.tolist() == own.ids.tolist()
    assert np.array_equal(raw.values, own.values)


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(COUNT)))
def test_the_order_of_rows_changes_no_evaluation(catalog: Catalog, rows: list[int]) -> None:
    vectors = catalog.vectors()
    mixed = Vectors(vectors.ids[rows], vectors.values[rows])
    asked: dict[str, Any] = {"protocols": ["hubness"], "columns": ["genres"], "bootstrap": 0}
    found = evaluate_vectors({"mine": mixed}, catalog.tracks(), **asked)
    plain = evaluate_vectors({"mine": vectors}, catalog, **asked)
    assert found.to_table().equals(plain.to_table())


def test_an_index_with_a_name_is_a_column_and_one_without_is_none() -> None:
    frame = TRACKS.to_pandas()
    assert "id" in as_table(frame.set_index("id")).column_names
    assert as_table(frame[frame.energy > 0.5]).column_names == TRACKS.column_names


@pytest.mark.parametrize(
    "data",
    [
        {"a": [1]},
        None,
        7,
        pd.DataFrame,
        pd.DataFrame({"a": [1, "x", 2.0]}),
        pl.DataFrame({"a": [1]}).lazy(),
        pl.Series([1]),
        pa.array([1]),
        "none.txt",
    ],
    ids=lambda data: type(data).__name__,
)
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(SourceError, match="table"):
        as_table(data)


@pytest.mark.parametrize(
    "source", [{"path": ["a.wav"]}, None, 7, b"x", [1, 2], pd.DataFrame, [None]]
)
def test_what_is_no_source_is_refused(source: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="give"):
        scan(source, tmp_path / "c")


def test_one_column_of_a_table_is_a_list_of_paths(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no column of paths"):
        scan(pd.DataFrame({"name": ["a"]}), tmp_path / "c")
    for column in (pd.Series(["a.wav"]), pl.Series(["a.wav"]), pa.array(["a.wav"])):
        failed = scan(column, tmp_path / "c").failures
        assert [failure["path"] for failure in failed] == ["a.wav"]


@pytest.mark.parametrize("name", ["models", "protocols", "columns"])
def test_a_word_for_a_list_of_words_is_refused(catalog: Catalog, name: str) -> None:
    from musicu.evaluation import evaluate

    with pytest.raises(QueryError, match="give a list, as"):
        evaluate(catalog, **{name: "hubness"})


def test_a_table_without_ids_aligns_with_no_vectors(catalog: Catalog) -> None:
    with pytest.raises(QueryError, match="no column 'track_id'"):
        evaluate_vectors({"mine": catalog.vectors()}, TRACKS.rename_columns(list("abcdef")))
    more = pa.table({"track_id": ["t00", "t99"], "genre": ["a", "b"]})
    with pytest.raises(MusicuError, match="no vector for 1 track, the first 't99'"):
        evaluate_vectors({"mine": catalog.vectors()}, more)
