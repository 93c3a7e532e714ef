"""`musicu train ranker`: from a log to shelves in a learned order, and whom the models remember."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from candidates_samples import NOW
from click.testing import CliRunner
from ranker_samples import Log, made_log

import musicu
from musicu import Catalog
from musicu.candidates import CandidateGenerator, ForYou, UserProfile, tastes
from musicu.cli.app import app
from musicu.items.item_table import ItemTable
from musicu.ranking.ranker_storage import ranker_of

ONLY_HEARD = "somebody who was shown nothing"


def run(*words: object) -> str:
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture(scope="module")
def log() -> Log:
    return made_log(pages=1200)


@pytest.fixture(scope="module")
def trained(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog whose ranker was trained by the command; its tables lie beside it."""
    folder = tmp_path_factory.mktemp("ranker")
    kept = ["track_id", "title", "artists", "album", "released", "popularity"]
    musicu.scan(log.items.tracks.select(kept), folder / "catalog")
    Catalog.open(folder / "catalog").add_vectors("mine", log.items.ids, log.items.values)
    one = log.listens.slice(0, 1).to_pylist()[0] | {"user_id": ONLY_HEARD}
    more = pa.Table.from_pylist([one], schema=log.listens.schema)
    tables = {
        "listens": pa.concat_tables([log.listens, more]),
        "exposures": log.exposures,
        "outcomes": log.outcomes,
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    files = [f"--{name}={folder / name}.parquet" for name in tables]
    told = run("train", "ranker", folder / "catalog", *files, "--kind", "linear", "--json")
    report: dict[str, Any] = json.loads(told)
    assert report["note"] == ""
    assert report["over_taste"][0] > 0
    return folder


def test_candidates_come_in_the_learned_order(trained: Path, log: Log) -> None:
    words = ["--listens", trained / "listens.parquet", "--source", "for-you", "-k", "20"]
    found = {}
    for ranker in ("taste", "learned"):
        out = trained / f"{ranker}.parquet"
        run("candidates", trained / "catalog", *words, "--ranker", ranker, "-o", out)
        found[ranker] = pq.read_table(out)
    popularity = dict(zip(log.items.ids, log.items.popularity, strict=True))

    def likely(table: pa.Table) -> float:
        return float(np.mean([popularity[track] for track in table["track_id"].to_pylist()]))

    assert likely(found["learned"]) > likely(found["taste"]) + 0.05  # what these listeners like
    assert all(found["learned"]["reason"].to_pylist())


def test_a_reason_falls_with_what_it_names(trained: Path, log: Log) -> None:
    """The parts of a learned score sum to it, and the track named first in a reason counts."""
    catalog = Catalog.open(trained / "catalog")
    items = ItemTable.of(catalog)
    user, taste = next(iter(tastes(log.listens, items.vectors, now=NOW)))
    ranker = ranker_of("learned", catalog)
    generator = CandidateGenerator.of(items, [ForYou()], 10, now=NOW, ranker=ranker)
    found = generator.explain(UserProfile(user, taste))
    assert len(found) == 10
    for each in found:
        assert sum(each.parts.values()) == pytest.approx(each.score, abs=1e-4)


def test_shelves_go_by_the_page_ranker(trained: Path, tmp_path: Path) -> None:
    words = ["--listens", trained / "listens.parquet", "--user", "user00", "--policy", "random"]
    words += ["--page-ranker", "learned", "--ranker", "learned", "-o", tmp_path / "p"]
    run("shelves", trained / "catalog", *words)
    places = pq.read_table(tmp_path / "p" / "shelves.parquet").to_pylist()
    assert len({row["name"] for row in places}) == len(places) > 1


def test_everybody_in_any_table_is_remembered_until_forgotten(trained: Path) -> None:
    told = json.loads(run("forget", trained / "catalog", ONLY_HEARD, "--json"))
    assert "ranker" in json.dumps(told["models"])
