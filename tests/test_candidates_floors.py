"""Groups of creators get their share of candidates, and all other constraints hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from candidates_samples import NOW, made_items, made_listeners
from click.testing import CliRunner

from musicu.candidates import (
    CANDIDATES,
    CandidateOptions,
    Constraints,
    ExposureFloors,
    ForYou,
    Random,
    find_candidates,
    floor_counts,
    write_candidates,
)
from musicu.candidates import candidate_run as run_module
from musicu.catalog.catalog import Catalog
from musicu.catalog.identity import artist_keys
from musicu.cli.app import app
from musicu.errors import QueryError
from musicu.items.exposure_floors import FloorWarning

ITEMS = made_items()
LISTENERS = dict(made_listeners(ITEMS, users=8))
#: A fifth of the tracks are of the label "small", a tenth "tiny".
LABELS = pa.table(
    {
        "track_id": ITEMS.ids.tolist(),
        "label": ["small" if n % 10 in (3, 7) else "tiny" if n % 10 == 5 else "large"
                  for n in range(len(ITEMS))],
    }
)  # fmt: skip
LABEL = dict(zip(*LABELS.to_pydict().values(), strict=True))


def found(
    floors: ExposureFloors | None, k: int = 10, sources: Any = None, **rules: int
) -> pa.Table:
    constraints = Constraints(floors=floors, **rules)
    sources = sources or [(ForYou(), 0.6), (Random(), 0.4)]
    return find_candidates(ITEMS, LISTENERS, sources, k=k, constraints=constraints, now=NOW)


def share(table: pa.Table, label: str) -> float:
    return float(np.mean([LABEL[t] == label for t in table["track_id"].to_pylist()]))


@pytest.mark.parametrize("wanted", [0.0, 0.3, 0.5])
def test_a_group_gets_its_share_and_no_more_than_it_is_owed(wanted: float) -> None:
    before = found(None)
    table = found(ExposureFloors({"small": wanted}, LABELS))
    assert table.schema == CANDIDATES
    assert table.num_rows == before.num_rows
    assert share(table, "small") == pytest.approx(max(wanted, share(before, "small")), abs=0.02)
    assert share(table, "small") >= wanted
    assert Counter(table["source"].to_pylist()) == Counter(before["source"].to_pylist())
    (count,) = floor_counts(table)
    assert count.after / count.places == pytest.approx(share(table, "small"))
    assert count.before / count.places == pytest.approx(share(before, "small"))
    scores = [np.sum(t["score"].to_numpy()) for t in (before, table)]
    assert (count.score_before, count.score_after) == pytest.approx(scores)
    if wanted == 0:
        assert table.equals(before)


def test_a_share_is_taken_where_it_costs_least() -> None:
    floors = ExposureFloors({"small": 0.5}, LABELS)
    mixed, alone = found(floors), found(floors, sources=[ForYou()])
    changed = set(mixed["track_id"].to_pylist()) - set(found(None)["track_id"].to_pylist())
    sources = dict(zip(mixed["track_id"].to_pylist(), mixed["source"].to_pylist(), strict=True))
    assert {sources[t] for t in changed} == {"random"}  # whose scores are all alike
    assert floor_counts(mixed)[0].score_after == floor_counts(mixed)[0].score_before
    assert floor_counts(alone)[0].score_after < floor_counts(alone)[0].score_before


def test_two_groups_have_their_shares_together_with_caps() -> None:
    floors = ExposureFloors({"small": 0.4, "tiny": 0.2}, LABELS)
    table = found(floors, max_per_artist=2, max_per_album=1)
    assert share(table, "small") >= 0.4
    assert share(table, "tiny") >= 0.2
    rows = {row["track_id"]: row for row in ITEMS.tracks.to_pylist()}
    for user in LISTENERS:
        own = table.filter(pa.compute.equal(table["user_id"], user))["track_id"].to_pylist()
        assert len(set(own)) == len(own)
        artists = Counter(key for t in own for key in artist_keys(rows[t]))
        assert max(artists.values()) <= 2


def test_a_floor_that_cannot_be_reached_says_how_far_it_got() -> None:
    with pytest.warns(FloorWarning, match=r"tiny: only .* instead of 90.00%"):
        table = found(ExposureFloors({"tiny": 0.9}, LABELS), k=30)
    assert 0.1 < share(table, "tiny") < 0.9
    assert not floor_counts(table)[0].reached


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"tail": 1.5}, "from 0 to 1"),
        ({"tail": -0.1}, "from 0 to 1"),
        ({"tail": float("nan")}, "tail"),
        ({"tail": "much"}, "tail"),
        ({"tail": 0.6, "head": 0.5}, "1.1 together"),
        ({}, "a share for each group"),
        ("tail", "a share for each group"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: object, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        ExposureFloors(shares)  # type: ignore[arg-type]


def test_an_unknown_group_is_named_with_those_that_there_are() -> None:
    with pytest.raises(QueryError, match=r"no group 'indie': the groups are 'large', 'small'"):
        found(ExposureFloors({"indie": 0.1}, LABELS))
    with pytest.raises(QueryError, match="no column 'shape'"):
        found(ExposureFloors({"x": 0.1}, "shape"))


def test_what_floors_did_survives_a_run_that_was_stopped(
    demo_catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog.open(demo_catalog)
    ids = catalog.tracks()["track_id"].to_pylist()
    rows = [{"user_id": f"u{n % 9}", "track_id": ids[1]} for n in range(9)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "listens.parquet")
    table = pa.table({"track_id": ids, "g": ["a" if n % 2 == 0 else "b" for n in range(len(ids))]})
    rules = Constraints(
        max_per_artist=99, max_per_album=99, floors=ExposureFloors({"a": 0.5}, table)
    )
    settings = CandidateOptions([ForYou()], k=1, now=NOW, constraints=rules)
    monkeypatch.setattr(run_module.sharding, "LISTENERS_PER_SHARD", 4)
    report = write_candidates(
        catalog, tmp_path / "listens.parquet", tmp_path / "o.parquet", settings
    )
    written = pq.read_table(tmp_path / "o.parquet")
    assert tuple(floor_counts(written)) == report.floors
    assert report.floors[0].places == written.num_rows
    assert report.floors[0].reached
    own = dict(zip(*table.to_pydict().values(), strict=True))
    assert np.mean([own[t] == "a" for t in written["track_id"].to_pylist()]) >= 0.5


def test_the_command_says_what_was_reached_and_what_it_cost(
    demo_catalog: Path, tmp_path: Path
) -> None:
    ids = Catalog.open(demo_catalog).tracks()["track_id"].to_pylist()
    groups = "".join(f"{t},{'ab'[n % 3 == 0]}\n" for n, t in enumerate(ids))
    (tmp_path / "g.csv").write_text("track_id,scene\n" + groups, "utf-8")
    words = ["candidates", str(demo_catalog), "--like", ids[0], "--source", "for-you", "-k", "2"]
    words += ["--max-per-artist", "99", "--max-per-album", "99"]
    words += ["--creators", str(tmp_path / "g.csv")]
    done = CliRunner().invoke(app, [*words, "--exposure-floor", "b=0.5"])
    assert done.exit_code == 0, done.output
    assert "b: 50.00% of 2 places" in done.output
    assert "mean score" in done.output
    for wrong, message in (("c=0.6", "no group 'c'"), ("b=2", "from 0 to 1"), ("b", "GROUP=SHARE")):
        done = CliRunner().invoke(app, [*words, "--exposure-floor", wrong])
        assert done.exit_code in (1, 2)
        assert message in f"{done.output} {done.exception}"
        assert "Traceback" not in done.output
