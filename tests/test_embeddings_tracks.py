"""What a track encoder learns on a small catalog whose taste is known, and how it is kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pytest
import soundfile
from click.testing import CliRunner
from tracks_samples import Taste, taste

from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.fit import fit_tracks
from musicu.embeddings.tracks.refresh import add_track_model, refresh_track_vectors
from musicu.embeddings.tracks.track_encoder import TrackEncoder
from musicu.errors import CatalogError, ModelError, QueryError
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import EmbedOptions, run, scan
from musicu.records import Vectors

SMALL = TrackConfig(
    dim=32,
    hidden=32,
    factors=8,
    networks=2,
    steps=500,
    epochs=99,
    batch=64,
    context=2,
    heldout=0.1,
    learning_rate=0.01,
)


@pytest.fixture(scope="module")
def known() -> Taste:
    return taste()


def make_catalog(known: Taste, out: Path) -> Catalog:
    scan(known.tracks.drop_columns("sound"), out)
    import_vectors(out, known.tracks, "sound", "sound-v1")
    return Catalog.open(out)


@pytest.fixture(scope="module")
def catalog(known: Taste, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return make_catalog(known, tmp_path_factory.mktemp("tracks") / "catalog")


@pytest.fixture(scope="module")
def encoder(known: Taste, catalog: Catalog) -> TrackEncoder:
    return fit_tracks(catalog, playlists=known.playlists, config=SMALL)


def same_style(known: Taste, values: np.ndarray) -> float:
    """The share of new tracks whose nearest track of a playlist has their style."""
    likeness = values[known.new] @ values[~known.new].T
    nearest = known.style[~known.new][likeness.argmax(axis=1)]
    return float(np.mean(nearest == known.style[known.new]))


def test_new_tracks_lie_among_their_style(
    known: Taste, catalog: Catalog, encoder: TrackEncoder
) -> None:
    found = encoder.encode(catalog.tracks(), catalog.vectors("sound-v1"))
    assert list(found.ids) == known.tracks["track_id"].to_pylist()
    assert np.linalg.norm(found.values, axis=1) == pytest.approx(1, abs=1e-5)
    assert same_style(known, found.values) > 0.9


@pytest.mark.parametrize(
    ("columns", "with_sound"),
    [
        (["track_id"], True),
        (["track_id", "artists"], False),
        (["track_id", "genres"], False),
        (["track_id", "warmth", "grit"], False),
    ],
)
def test_each_kind_of_feature_alone_is_enough(
    known: Taste, catalog: Catalog, encoder: TrackEncoder, columns: list[str], with_sound: bool
) -> None:
    whole = encoder.encode(catalog.tracks(), catalog.vectors("sound-v1")).values
    stranger = catalog.tracks().select(columns)
    renamed = [f"new {track_id}" for track_id in stranger["track_id"].to_pylist()]
    stranger = stranger.set_column(0, "track_id", pa.array(renamed))
    sound = Vectors(np.array(renamed, object), catalog.vectors("sound-v1").values)
    part = encoder.encode(stranger, sound if with_sound else None).values
    assert np.linalg.norm(part, axis=1) == pytest.approx(1, abs=1e-5)
    # one space: what is known in part is nearest to what is known in full, and of its style
    nearest = (part[known.new] @ whole[~known.new].T).argmax(axis=1)
    assert np.mean(known.style[~known.new][nearest] == known.style[known.new]) > 0.6


def test_an_unknown_artist_counts_as_none(catalog: Catalog, encoder: TrackEncoder) -> None:
    one = {"track_id": ["x"], "genres": [["genre 1"]], "warmth": [0.5]}
    stranger = encoder.encode(pa.table({**one, "artists": [["Nobody Yet"]]}))
    nobody = encoder.encode(pa.table(one))
    assert np.array_equal(stranger.values, nobody.values)


def test_a_new_track_by_a_known_artist_uses_the_artists_past(encoder: TrackEncoder) -> None:
    table = pa.table({"track_id": ["x"], "artists": [["Artist 3"]]})
    forgetful = dataclasses.replace(encoder, discography=None)
    with_past = encoder.features(table, None)
    assert with_past.known["past"].tolist() == [True]
    assert with_past.known["collaborative"].tolist() == [False]
    assert "past" not in forgetful.features(table, None).blocks


def test_candidates_are_encoded_without_how_they_were_played(
    catalog: Catalog, encoder: TrackEncoder
) -> None:
    played, new = catalog.tracks().slice(0, 1), catalog.tracks().slice(359)
    assert not np.array_equal(
        encoder.encode(played).values, encoder.encode(played, listened=True).values
    )
    assert np.array_equal(encoder.encode(new).values, encoder.encode(new, listened=True).values)


def test_a_track_of_which_nothing_is_known_has_no_vector(encoder: TrackEncoder) -> None:
    table = pa.table({"track_id": ["x", "y"], "genres": [["genre 1"], ["never heard of"]]})
    assert list(encoder.encode(table).ids) == ["x"]


def test_the_card_says_how_held_out_tracks_are_found(encoder: TrackEncoder) -> None:
    scores = next(iter(encoder.about["scores"].values()))
    assert set(scores) == {"chance", "content", "artist mean", "artist attention", "this model"}
    assert scores["this model"] > 2 * scores["chance"]


def test_the_same_seed_gives_the_same_vectors(known: Taste, catalog: Catalog) -> None:
    short = dataclasses.replace(SMALL, steps=5)
    one, same, other = (
        fit_tracks(catalog, playlists=known.playlists, config=config).encode(catalog.tracks())
        for config in (short, short, dataclasses.replace(short, seed=1))
    )
    assert np.array_equal(one.values, same.values)
    assert not np.array_equal(one.values, other.values)


def test_a_saved_encoder_answers_as_before(
    catalog: Catalog, encoder: TrackEncoder, tmp_path: Path
) -> None:
    card = encoder.save(tmp_path / "model")
    again = TrackEncoder.load(tmp_path / "model")
    sound = catalog.vectors("sound-v1")
    assert np.array_equal(
        encoder.encode(catalog.tracks(), sound).values, again.encode(catalog.tracks(), sound).values
    )
    assert (card.kind, card.dim, again.audio_model) == ("track", 32, "sound-v1")
    assert again.save(tmp_path / "copy").fingerprint == card.fingerprint


@pytest.mark.parametrize("name", ["network.safetensors", "vocabulary.json", "discography.parquet"])
def test_a_damaged_model_is_named(encoder: TrackEncoder, tmp_path: Path, name: str) -> None:
    encoder.save(tmp_path)
    (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(ModelError, match="does not hold the track encoder of its card"):
        TrackEncoder.load(tmp_path)


def test_a_model_of_tracks_is_no_model_of_sound(encoder: TrackEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    with pytest.raises(ModelError, match="and no audio"):
        Embedder.load(tmp_path)
    with pytest.raises(ModelError, match="not a track encoder"):
        TrackEncoder.load(Embedder.load("musicu-stats-v1").card.folder)


def test_sound_of_another_model_is_refused(catalog: Catalog, encoder: TrackEncoder) -> None:
    other = Vectors(np.array(["t000"], object), np.ones((1, 3), "f4"))
    with pytest.raises(QueryError, match="takes vectors of sound-v1 with 6 numbers"):
        encoder.encode(catalog.tracks(), other)


def test_it_learns_from_pairs_from_listens_and_from_artists(known: Taste, catalog: Catalog) -> None:
    lists = known.playlists
    listens = lists.rename_columns(["user_id", "track_id"])
    ids = lists["track_id"].to_pylist()
    pairs = pa.table({"track_a": ids[0::2], "track_b": ids[1::2]})
    sound = catalog.vectors("sound-v1")
    short = dataclasses.replace(SMALL, steps=50)
    for tables in ({"pairs": pairs}, {"listens": listens}, {}):
        found = fit_tracks(catalog, config=short, **tables).encode(catalog.tracks(), sound)
        assert same_style(known, found.values) > 0.8, tables


def test_collaborative_vectors_may_come_from_elsewhere(known: Taste, catalog: Catalog) -> None:
    old = ~known.new
    ids = np.array(known.tracks["track_id"].to_pylist(), object)[old]
    given = Vectors(ids, np.eye(6, dtype="f4")[known.style[old]])
    short = dataclasses.replace(SMALL, steps=5)
    found = fit_tracks(catalog, playlists=known.playlists, collaborative=given, config=short)
    assert found.discography is not None
    assert found.discography.vectors.shape == (old.sum(), 6)


def test_nothing_but_ids_is_too_little(tmp_path: Path) -> None:
    table = pa.table({"track_id": ["a", "b", "c"]})
    with pytest.raises(QueryError, match="the tracks have no features but their ids"):
        fit_tracks(
            scan(table, tmp_path / "c").catalog,
            pairs=pa.table({"track_a": ["a", "a"], "track_b": ["b", "c"]}),
            config=SMALL,
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"steps": 0}, "steps is 0"), ({"heldout": 1.0}, "heldout is"), ({"batch": 1}, "batch is 1")],
)  # fmt: skip
def test_a_senseless_recipe_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(QueryError, match=message):
        TrackConfig(**wrong)  # type: ignore[arg-type]


# In a catalog.


def test_a_catalog_serves_the_vectors_of_its_track_model(
    known: Taste, encoder: TrackEncoder, tmp_path: Path
) -> None:
    catalog = make_catalog(known, tmp_path / "c")
    add_track_model(catalog.path, encoder)
    catalog = Catalog.open(catalog.path)
    assert catalog.models() == ["tracks-v1", "sound-v1"]
    assert catalog.model_entry("tracks-v1")[1].key == "track_id"
    near = catalog.similar("t359", k=5, where="genres = 'genre 5'")
    assert near.num_rows == 5
    assert np.array_equal(
        catalog.vectors().values,
        encoder.encode(catalog.tracks(), catalog.vectors("sound-v1")).values,
    )
    assert TrackEncoder.load(catalog.path / "models" / "tracks-v1").name == "tracks-v1"


def test_new_rows_get_vectors_when_they_are_scanned(
    known: Taste, encoder: TrackEncoder, tmp_path: Path
) -> None:
    scan(known.tracks.slice(0, 100).drop_columns("sound"), tmp_path / "c")
    add_track_model(tmp_path / "c", encoder)
    assert len(Catalog.open(tmp_path / "c").vectors("tracks-v1").ids) == 100
    scan(known.tracks.slice(50, 100).drop_columns("sound"), tmp_path / "c")
    assert len(Catalog.open(tmp_path / "c").vectors("tracks-v1").ids) == 150


def test_a_refresh_changes_nothing_where_nothing_has_changed(
    known: Taste, encoder: TrackEncoder, tmp_path: Path
) -> None:
    scan(known.tracks.slice(0, 20), tmp_path / "c")
    assert refresh_track_vectors(tmp_path / "c") == []
    add_track_model(tmp_path / "c", encoder)
    before = Catalog.open(tmp_path / "c").vectors()
    assert refresh_track_vectors(tmp_path / "c") == ["tracks-v1"]
    assert np.array_equal(Catalog.open(tmp_path / "c").vectors().values, before.values)


def test_a_track_model_never_takes_the_name_of_other_vectors(
    known: Taste, encoder: TrackEncoder, tmp_path: Path
) -> None:
    catalog = make_catalog(known, tmp_path / "c")
    with pytest.raises(CatalogError, match="vectors of another model under the name 'sound-v1'"):
        add_track_model(catalog.path, dataclasses.replace(encoder, name="sound-v1"))


def test_files_and_their_track_vectors_live_side_by_side(
    encoder: TrackEncoder, tmp_path: Path
) -> None:
    out, music = tmp_path / "c", tmp_path / "music"
    music.mkdir()
    soundfile.write(music / "tone.wav", np.sin(np.arange(8000) / 9), 8000)
    run(music, out, model=None, options=EmbedOptions(jobs=1))
    scan(pa.table({"track_id": ["unheard"], "genres": [["genre 1"]]}), out)
    add_track_model(out, encoder)
    run(music, out, model=None, options=EmbedOptions(jobs=1))
    catalog = Catalog.open(out)
    assert len(catalog) == 2
    assert "unheard" in catalog.vectors("tracks-v1").ids
    with pytest.raises(QueryError, match="came from a table without files"):
        catalog.file("unheard")


def test_the_command_trains_and_keeps_a_model(known: Taste, tmp_path: Path) -> None:
    catalog = make_catalog(known, tmp_path / "c")
    ids = known.playlists["track_id"].to_pylist()
    pairs = tmp_path / "pairs.csv"
    pc_csv.write_csv(pa.table({"track_a": [*ids[0::2], "x"], "track_b": [*ids[1::2], "y"]}), pairs)
    command = ["train", "tracks", str(catalog.path), "--pairs", str(pairs), "--name", "mine-v1"]
    done = CliRunner().invoke(app, [*command, "--steps", "20", "--dim", "8", "--json"])
    assert done.exit_code == 0, done.output
    assert "1 row of tracks" in done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["step"] for event in events] == list(range(1, 19))  # three networks of six
    assert Catalog.open(catalog.path).vectors("mine-v1").values.shape == (360, 8)
