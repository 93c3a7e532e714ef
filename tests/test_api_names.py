"""Models of one's own, and names that become files: none leads out of a catalog."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from musicu.catalog.catalog import Catalog
from musicu.catalog.file_names import is_file_name
from musicu.catalog.store import Change, Store
from musicu.cli.app import app
from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.fit import fit_tracks
from musicu.errors import CatalogError, MusicuError, QueryError
from musicu.ingest.vector_import import import_vectors
from musicu.pipeline.run import scan

IDS = ["a", "b", "c", "d"]
EYE = np.eye(4, dtype=np.float32)
BAD_NAMES = [
    *("../../escaped", "/tmp/escaped", "", ".", "..", "a/b", "a\\b", "con", "NUL.txt", "com1"),
    *("x" * 300, "a\0b", "a\nb", "a ", ".hidden", "ends.", "é", "C:x"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = pa.table({"track_id": IDS, "genre": ["x", "x", "y", "y"]})
    scan(table, tmp_path / "deep" / "down" / "c")
    return tmp_path / "deep" / "down" / "c"


def through_the_command(folder: Path, name: str) -> None:
    table = folder.parent / "v.parquet"
    pq.write_table(pa.table({"track_id": IDS, "v": list(EYE)}), table)
    given = ["scan", str(table), "-o", str(folder), "--vectors", "v", "--model-name", name]
    done = CliRunner().invoke(app, given)
    table.unlink()
    if done.exception:
        raise done.exception


DOORS: dict[str, Callable[[Path, str], object]] = {
    "add_vectors": lambda folder, name: Catalog.open(folder).add_vectors(name, IDS, EYE),
    "import_vectors": lambda folder, name: import_vectors(
        folder, pa.table({"track_id": IDS, "v": list(EYE)}), "v", name
    ),
    "scan": through_the_command,
    "fit_tracks": lambda folder, name: fit_tracks(
        Catalog.open(folder), name=name, config=TrackConfig(steps=1)
    ),
    "tables": lambda folder, name: Store.open(folder).commit(
        [Change(f"descriptors/{name}", pa.table({"x": [1]}))]
    ),
}


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: repr(name)[:20])
@pytest.mark.parametrize("door", DOORS)
def test_no_name_leads_out_of_a_catalog(folder: Path, door: str, name: str) -> None:
    home = folder.parent.parent.parent
    before = sorted(home.rglob("*"))
    with pytest.raises(QueryError, match="it becomes a file"):
        DOORS[door](folder, name)
    assert sorted(home.rglob("*")) == before
    assert Catalog.open(folder).models() == []


@given(st.text(max_size=120))
def test_a_name_that_is_let_through_is_one_plain_file(name: str) -> None:
    if is_file_name(name):
        assert Path(name).name == name
        assert name.isascii()
        assert len(name) <= 100


@pytest.mark.parametrize("name", ["musicu-audio-v1+thorough", "mine", "a.b-c_d", "v1.0"])
def test_plain_names_are_let_through(name: str) -> None:
    assert is_file_name(name)


def test_vectors_of_ones_own_are_a_model_like_others(folder: Path) -> None:
    catalog = Catalog.open(folder)
    assert catalog.add_vectors("mine", pa.array(IDS[::-1]), 3 * EYE[::-1], version="1") == 4
    assert catalog.vectors("mine").ids.tolist() == IDS
    assert np.array_equal(catalog.vectors("mine").values, EYE)
    assert catalog.similar("a", k=1, model="mine").num_rows == 1
    assert Catalog.open(folder).default_model == "mine"


@given(rows=st.permutations(range(4)))
def test_the_order_in_which_vectors_are_added_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("order") / "c"
    catalog = scan(pa.table({"track_id": IDS}), folder).catalog
    for row in rows:
        catalog.add_vectors("mine", [IDS[row]], EYE[[row]], version="1")
    assert np.array_equal(catalog.vectors("mine").values, EYE)


def test_a_retrained_model_is_never_mixed_with_the_one_before(folder: Path) -> None:
    catalog = Catalog.open(folder)
    catalog.add_vectors("mine", IDS[:2], EYE[:2], version="1")
    for version in (None, "2"):
        with pytest.raises(CatalogError, match="version"):
            catalog.add_vectors("mine", IDS[2:], EYE[2:], version=version)
    with pytest.raises(CatalogError, match="another vector of 'a'"):
        catalog.add_vectors("mine", IDS, EYE[::-1], version="1")
    assert len(catalog.vectors("mine")) == 2
    first = catalog.vectors("mine").fingerprint
    catalog.add_vectors("mine", IDS, EYE[::-1], version="2", replace=True)
    assert np.array_equal(catalog.vectors("mine").values, EYE[::-1])
    assert catalog.vectors("mine").fingerprint != first


def test_a_model_that_is_removed_is_gone_and_another_is_the_default(folder: Path) -> None:
    catalog = Catalog.open(folder)
    catalog.add_vectors("one", IDS, EYE)
    catalog.add_vectors("two", IDS, EYE)
    catalog.remove_model("one")
    assert Catalog.open(folder).models() == catalog.models() == ["two"]
    assert catalog.default_model == "two"
    assert not list((folder / "vectors" / "one").glob("*"))
    with pytest.raises(QueryError, match="no vectors of 'one'"):
        catalog.remove_model("one")
    catalog.remove_model("two")
    with pytest.raises(QueryError, match="no vectors yet"):
        catalog.vectors()


def test_vectors_of_a_model_that_musicu_runs_are_not_replaced(demo_catalog: Path) -> None:
    catalog = Catalog.open(demo_catalog)
    name, ids = catalog.models()[0], catalog.tracks()["track_id"]
    with pytest.raises(CatalogError, match="of its own model"):
        catalog.add_vectors(name, ids, np.ones((len(ids), 3)), replace=True)


def test_ids_and_matrix_that_do_not_fit_are_refused(folder: Path) -> None:
    catalog = Catalog.open(folder)
    wrong: list[tuple[object, object]] = [
        (IDS, EYE[:3]),
        (IDS, EYE[0]),
        ("abcd", EYE),
        ([*IDS[:3], "z"], EYE),
        ([*IDS[:3], "a"], EYE),
        (IDS, np.full((4, 4), np.nan)),
    ]
    for ids, matrix in wrong:
        with pytest.raises(MusicuError):
            catalog.add_vectors("mine", ids, matrix)  # type: ignore[arg-type]
    assert catalog.models() == []


def test_a_reason_says_in_sound_only_of_models_of_sound(folder: Path, demo_catalog: Path) -> None:
    from musicu.shelves import more_like

    catalog = Catalog.open(folder)
    catalog.add_vectors("mine", IDS, EYE + 0.5)
    own = [item.reason for item in more_like(catalog, "a")]
    assert own
    assert not any("in sound" in reason for reason in own)
    heard = Catalog.open(demo_catalog)
    seed = heard.tracks()["track_id"][0].as_py()
    assert any("in sound" in item.reason for item in more_like(heard, seed))
