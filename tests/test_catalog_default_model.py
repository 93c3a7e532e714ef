"""One model of a catalog is meant where none is named, and only a command changes which."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from musicu.catalog.catalog import Catalog
from musicu.catalog.lock import write_lock
from musicu.catalog.manifest import ModelEntry
from musicu.catalog.rows import vectors_by_track
from musicu.catalog.store import Change, Store
from musicu.cli.app import app
from musicu.embeddings.tracks.track_encoder import TrackEncoder
from musicu.errors import CatalogError, QueryError
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import EmbedOptions, run, scan


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Twelve tracks by three artists, with vectors of `one` and then of `two`."""
    ids = [f"t{i:02}" for i in range(12)]
    columns = {"track_id": ids, "artist": [f"a{i % 3}" for i in range(12)]}
    scan(pa.table(columns), tmp_path / "c")
    for seed, name in enumerate(("one", "two")):
        values = np.random.default_rng(seed).standard_normal((12, 4)).tolist()
        import_vectors(tmp_path / "c", pa.table({"track_id": ids, "v": values}), "v", name)
    return tmp_path / "c"


def test_the_first_model_is_the_default_and_another_does_not_become_it(catalog: Path) -> None:
    opened = Catalog.open(catalog)
    assert opened.default_model == "one"
    assert opened.models() == ["one", "two"]
    assert opened.vectors() is opened.vectors("one")
    assert (opened.vectors().model, opened.vectors("two").model) == ("one", "two")


def test_embedding_with_another_model_says_that_the_default_stays(
    demo_music: Path, demo_catalog: Path, tmp_path: Path
) -> None:
    shutil.copytree(demo_catalog, tmp_path / "c")
    done = invoke("embed", demo_music, "-o", tmp_path / "c", "-m", "musicu-audio-v1", "-j", "1")
    assert "default model: still musicu-stats-v1" in done.stderr
    assert Catalog.open(tmp_path / "c").model_entry()[0] == "musicu-stats-v1"
    again = invoke("embed", demo_music, "-o", tmp_path / "c", "-m", "musicu-audio-v1", "-j", "1")
    assert "default model" not in again.stderr


def test_a_command_changes_the_default_for_all_that_follows(catalog: Path) -> None:
    before = invoke("similar", catalog, "t00", "--json").stdout
    done = invoke("models", catalog, "--default", "two")
    assert done.exit_code == 0, done.output
    assert "two (default)" in done.stdout
    assert "--default one` goes back" in done.stderr
    after = invoke("similar", catalog, "t00", "--json").stdout
    assert after == invoke("similar", catalog, "t00", "--json", "-m", "two").stdout != before
    told = json.loads(invoke("info", catalog, "--json").stdout)
    assert told["default_model"] == "two"
    assert [model["name"] for model in told["models"]] == ["two", "one"]
    assert "two (default)" in invoke("info", catalog).stdout
    records = [json.loads(line) for line in invoke("models", catalog, "--json").stdout.splitlines()]
    assert [(r["name"], r["default"], r["vectors"]) for r in records] == [
        ("two", True, 12),
        ("one", False, 12),
    ]


def test_a_default_needs_vectors_and_the_lock(catalog: Path) -> None:
    opened = Catalog.open(catalog)
    with pytest.raises(QueryError, match="no vectors of 'three', only of one, two"):
        opened.set_default_model("three")
    with write_lock(catalog), pytest.raises(CatalogError, match="another process is writing"):
        opened.set_default_model("two")
    assert (opened.default_model, Catalog.open(catalog).default_model) == ("one", "one")
    assert invoke("models", "musicu-stats-v1", "--default", "two").exit_code == 2


def test_a_new_track_encoder_becomes_the_default_unless_told_to_keep_it(catalog: Path) -> None:
    train = ("train", "tracks", catalog, "--steps", "2", "--dim", "6")
    kept = invoke(*train, "--name", "kept", "--keep-default")
    assert kept.exit_code == 0, kept.output
    assert "default model: still one" in kept.stderr
    assert invoke(*train).exit_code == 0
    assert Catalog.open(catalog).default_model == "tracks-v1"
    invoke("models", catalog, "--default", "two")
    again = invoke(*train)
    assert "default model" not in again.stderr
    assert Catalog.open(catalog).default_model == "two"


def test_the_sound_of_tracks_is_that_of_the_default_where_it_is_no_track_encoder(
    catalog: Path,
) -> None:
    def heard(name: str) -> str:
        done = invoke("train", "tracks", catalog, "--steps", "2", "--dim", "6", "--name", name)
        assert done.exit_code == 0, done.output
        return str(TrackEncoder.load(catalog / "models" / name).audio_model)

    assert heard("first") == "one"  # and now the default is "first", which has no sound
    assert heard("second") == "one"
    Catalog.open(catalog).set_default_model("two")
    assert heard("third") == "two"


def test_vectors_made_anew_by_force_keep_their_place(demo_music: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "c", EmbedOptions(jobs=1, force=True)
    store = Store.create(out)
    for name in ("musicu-stats-v1", "later"):
        rows = vectors_by_track(["x"], np.ones((1, 3), np.float32))
        store.commit([Change(f"vectors/{name}", rows)], {name: ModelEntry("old", 3, "track_id")})
    run(demo_music, out, model="musicu-stats-v1", options=options)
    assert Catalog.open(out).default_model == "musicu-stats-v1"
    assert len(Catalog.open(out).vectors().ids) == 7


def test_callers_cannot_change_what_the_catalog_keeps(catalog: Path) -> None:
    opened = Catalog.open(catalog)
    ids, values = opened.vectors()
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = "other"
    assert opened.vectors().fingerprint == opened.model_entry()[1].fingerprint
