"""Rows of metadata that come in under a model which knows tracks without their sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")

from serving_samples import WRITES, client_of
from tracks_samples import taste

from musicu import Catalog
from musicu.catalog.store import Store
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.fit import fit_tracks
from musicu.embeddings.tracks.refresh import add_track_model, refresh_track_vectors
from musicu.embeddings.tracks.track_encoder import TrackEncoder
from musicu.pipeline.run import scan

ROW = {"track_id": "row-1", "title": "piece", "artists": ["Artist 3"], "genres": ["genre 3"]}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TrackEncoder:
    known, folder = taste(), tmp_path_factory.mktemp("encoder") / "c"
    scan(known.tracks.drop_columns("sound"), folder)
    config = TrackConfig(dim=16, hidden=16, factors=4, networks=1, steps=60, epochs=9, batch=32)
    return fit_tracks(Catalog.open(folder), playlists=known.playlists, config=config)


@pytest.fixture
def folder(tmp_path: Path, encoder: TrackEncoder) -> Path:
    scan(taste().tracks.drop_columns("sound"), tmp_path / "c")
    add_track_model(tmp_path / "c", encoder)
    return tmp_path / "c"


def send(client: Any, row: dict[str, Any] = ROW) -> dict[str, Any]:
    answer = client.post("/tracks", json=row, headers=WRITES)
    assert answer.status_code in (200, 201), answer.text
    told: dict[str, Any] = answer.json()
    return told


def like(client: Any, track_id: str) -> list[str]:
    answer = client.get(f"/similar/{track_id}?k=5")
    assert answer.status_code == 200, answer.text
    return [each["track_id"] for each in answer.json()["items"]]


def test_a_row_is_found_by_what_is_said_of_it(folder: Path) -> None:
    with client_of(folder) as client:
        told = send(client)
        assert told["searchable"] is True
        assert "note" not in told
        near = like(client, "row-1")
        shelves = client.get("/shelves/somebody").json()["shelves"]
        assert shelves[0]["items"][0]["track_id"] == "row-1"
    genres = [Catalog.open(folder).track(name)["genres"] for name in near]
    assert all("genre 3" in each for each in genres)


def test_its_vector_is_the_one_that_a_refresh_makes(folder: Path) -> None:
    with client_of(folder) as client:
        send(client, ROW | {"genres": ["genre 1"]})
        send(client)  # what is said last counts
        shown = client.service.generation.vector("row-1")
    stored = Catalog.open(folder).vectors()
    place = stored.ids.tolist().index("row-1")
    np.testing.assert_array_equal(stored.values[place], shown)
    refresh_track_vectors(folder)
    again = Catalog.open(folder).vectors()
    assert again.ids.tolist() == stored.ids.tolist()
    np.testing.assert_allclose(again.values, stored.values, atol=1e-6)


def test_a_row_that_says_nothing_known_has_no_vector(folder: Path) -> None:
    with client_of(folder) as client:
        told = send(client, {"track_id": "row-2"})
        assert told["searchable"] is False
        assert client.get("/similar/row-2").status_code == 422


def test_a_row_that_waits_for_another_writer_keeps_its_vector(folder: Path) -> None:
    with Store.writing(folder), client_of(folder) as client:
        assert send(client)["searchable"] is True
        shown = client.service.generation.vector("row-1")
    with client_of(folder) as client:
        np.testing.assert_array_equal(client.service.generation.vector("row-1"), shown)
        assert like(client, "row-1")
