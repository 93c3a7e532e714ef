"""Ids, dates and text of tables are brought into one form, and an export scans back."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from musicu.audit.letters import repaired
from musicu.candidates import check_listens
from musicu.catalog.catalog import Catalog
from musicu.cli.app import app
from musicu.embeddings.tracks.track_groups import from_playlists
from musicu.errors import QueryError
from musicu.evaluation.recommendation.external_lists import notes_on
from musicu.ingest import date_columns
from musicu.ingest.ids import id_texts
from musicu.ingest.normalise import normalise
from musicu.ingest.table import read_table
from musicu.tags.entities import unescape
from musicu.tags.fields import clean


def invoke(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def scan(path: Path, out: Path, content: str | pa.Table) -> Result:
    """A scan of a table as CSV or Parquet."""
    if isinstance(content, str):
        path.write_text(content, "utf-8")
    else:
        pq.write_table(content, path)
    done = invoke("scan", path, "-o", out)
    assert done.exit_code == 0, done.output
    return done


def rows(catalog: Path) -> list[dict[str, Any]]:
    return Catalog.open(catalog).tracks().to_pylist()


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([1, 2, None]),
        pa.array([1.0, 2.0, float("nan")]),
        pa.array(["1.0", " 2 ", None]),
        pa.array(["1", "2.0", None]).dictionary_encode(),
    ],
)
def test_whole_numbers_are_one_id_whatever_pandas_made_of_them(ids: pa.Array) -> None:
    assert id_texts(pa.chunked_array([ids])).to_pylist() == ["1", "2", None]


def test_other_ids_stay_as_they_are() -> None:
    texts = ["007", "1.5", "1.00", "v1.0", "", "a", "1e5"]
    assert id_texts(pa.chunked_array([texts])).to_pylist() == texts
    assert id_texts(pa.chunked_array([[1.5, 1e300, 2.0**53]])).to_pylist()[::2] == [
        "1.5",
        "9007199254740992",
    ]


def test_a_scan_of_the_same_tracks_by_ids_as_floats_adds_none(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    scan(tmp_path / "a.csv", catalog, "track_id,title\n1,a\n2,b\n")
    scan(tmp_path / "b.csv", catalog, "track_id,mood\n1.0,x\n2.0,y\n")
    scan(tmp_path / "c.parquet", catalog, pa.table({"track_id": [1.0, 2.0], "rank": [1, 2]}))
    assert [(row["track_id"], row["mood"], row["rank"]) for row in rows(catalog)] == [
        ("1", "x", 1),
        ("2", "y", 2),
    ]


def test_floats_as_ids_are_found_by_every_table() -> None:
    known = pa.array(["1", "2", "3"])
    listens = pa.table({"user_id": ["7.0", "7.0"], "track_id": ["1.0", "2.0"]})
    checked = check_listens(listens, known)
    assert (checked.unknown, checked.listens["user_id"].to_pylist()) == (0, ["7", "7"])
    for tracks in (["1.0", "2.0"], [1.0, 2.0]):
        groups = from_playlists(pa.table({"playlist_id": [5.0, 5.0], "track_id": tracks}), known)
        assert (len(groups), groups.unknown) == (1, 0)
    lists = pa.table({"user_id": [7.0], "track_id": ["1.0"], "score": [1.0]})
    assert not list(notes_on("x", lists, pa.chunked_array([known]), pa.chunked_array([["7"]])))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["20240531", "1999"], ["2024-05-31", "1999"]),
        (["45443", "36526"], ["2024-05-31", "2000-01-01"]),
        (["05/31/2024", "05/06/2024"], ["2024-05-31", "2024-05-06"]),
        (["31/05/2024", "05/06/2024"], ["2024-05-31", "2024-06-05"]),
        (["863395200", "-315619200"], ["1997-05-12", "1960-01-01"]),
        (["863395200000", "0"], ["1997-05-12", None]),
        (["202405", "199912"], ["2024-05", "1999-12"]),
        (["1997.0", "1998.0"], ["1997", "1998"]),
        (["31/12/97", "1/2/24"], ["1997-12-31", "2024-02-01"]),
    ],
)
def test_dates_of_a_table_are_read_by_the_form_of_their_column(
    tmp_path: Path, cells: list[str], expected: list[str | None]
) -> None:
    lines = "".join(f"{n},{cell}\n" for n, cell in enumerate(cells))
    scan(tmp_path / "t.csv", tmp_path / "c", "track_id,release_date\n" + lines)
    assert [row["date"] for row in rows(tmp_path / "c")] == expected


def test_doubtful_early_and_future_dates_are_counted_warnings(tmp_path: Path) -> None:
    ahead = date.today() + timedelta(days=400)
    lines = f"track_id,date\na,05/06/2024\nb,1492-10-12\nc,{ahead}\n"
    done = scan(tmp_path / "t.csv", tmp_path / "c", lines)
    assert (
        "1 date such as '05/06/2024' can be two days, nothing tells day from month: the year"
        in (done.stderr)
    )
    assert "1 cell of the column 'date' cannot be read: left empty, the first in row 2" in (
        done.stderr
    )
    assert f"the column 'date': 1 date in the future, the first in row 3: {ahead}" in done.stderr
    assert [row["date"] for row in rows(tmp_path / "c")] == ["2024", None, ahead.isoformat()]


def test_listens_before_sound_was_recorded_are_undated_and_counted() -> None:
    moments = ["1601-01-01T00:00:00", "2016-05-31T20:46:00"]
    listens = pa.table({"user_id": ["u", "u"], "track_id": ["a", "b"], "timestamp": moments})
    checked = check_listens(listens)
    assert checked.listens["timestamp"].null_count == 1
    assert list(checked.warnings()) == ["1 listen from before sound was recorded: undated"]


@pytest.mark.parametrize("cell", ["20160531", 42521.0, "05/31/2016", 1464652800000, "2016-05-31"])
def test_listens_as_a_table_are_dated_by_the_form_of_their_column(cell: object) -> None:
    listens = pa.table({"user_id": ["u"], "track_id": ["a"], "timestamp": [cell]})
    (moment,) = check_listens(listens).listens["timestamp"].to_pylist()
    assert f"{moment:%Y-%m-%d %H:%M}" == "2016-05-31 00:00"


@pytest.mark.parametrize(
    ("kind", "timed"), [(pa.timestamp("us", "UTC"), True), (pa.date32(), False)], ids=str
)
def test_columns_of_times_tell_their_form_without_being_read_as_texts(
    kind: pa.DataType, timed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(date_columns, "_texts", None)
    for column in (pa.array([0, None], kind), pa.array([0, 0], kind).dictionary_encode()):
        evidence = date_columns.DateEvidence()
        evidence.add(column)
        assert (evidence.form(), evidence.timed) == (date_columns.DateForm(), timed)


def test_listens_whose_days_nothing_tells_from_months_are_refused() -> None:
    listens = pa.table({"user_id": ["u"], "track_id": ["a"], "timestamp": ["05/06/2016"]})
    with pytest.raises(QueryError, match=r"'05/06/2016': 1 date .* can be two days"):
        check_listens(listens)


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\r\ntrack_id;title\r\n1;a\r\n",
        "\ufeffsep=;\ntrack_id;title\n1;a\n",
        '"sep=,"\ntrack_id,title\n1,a\n',
        "sep=\t\ntrack_id\ttitle\n1\ta\n",
        "track_id|title\n1|a\n",
    ],
)
def test_excel_says_what_parts_the_columns(tmp_path: Path, content: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "t.csv").write_text(content, encoding)
        assert read_table(tmp_path / "t.csv").to_pylist() == [{"track_id": "1", "title": "a"}]


PLAIN = """track_id,title,artists,date,genres,mood,popularity,explicit,rank,track_number
1,Simon &amp; Fun,A &amp; C;B,2020-01-02,pop;rock,x,0.5,true,3,1
2,b,C,1999,,y,,false,,
"""


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_export_of_tracks_without_vectors_scans_back(tmp_path: Path, ending: str) -> None:
    scan(tmp_path / "t.csv", tmp_path / "one", PLAIN)
    done = invoke("export", tmp_path / "one", "-o", tmp_path / f"e.{ending}")
    assert done.exit_code == 0, done.output
    assert "2 tracks" in done.stderr
    again = invoke("scan", tmp_path / f"e.{ending}", "-o", tmp_path / "one")
    assert "2 unchanged" in again.stderr
    assert invoke("scan", tmp_path / f"e.{ending}", "-o", tmp_path / "two").exit_code == 0
    assert rows(tmp_path / "two") == rows(tmp_path / "one")
    assert rows(tmp_path / "two")[0]["artists"] == ["A & C", "B"]


def test_a_catalog_of_tables_is_not_told_to_embed(tmp_path: Path) -> None:
    scan(tmp_path / "t.csv", tmp_path / "c", PLAIN)
    for words in (
        ["export", tmp_path / "c", "-o", tmp_path / "e.npz"],
        ["similar", tmp_path / "c", "1"],
    ):
        done = invoke(*words)
        assert "musicu train tracks" in str(done.exception)
        assert "embed" not in str(done.exception)


def test_an_export_of_files_scans_back_from_any_folder(demo_catalog: Path, tmp_path: Path) -> None:
    assert invoke("export", demo_catalog, "-o", tmp_path / "e.parquet").exit_code == 0
    table = pq.read_table(tmp_path / "e.parquet").drop_columns("vector")
    pq.write_table(table, tmp_path / "e.parquet")
    done = invoke("scan", tmp_path / "e.parquet", "-o", tmp_path / "again", "-q")
    assert done.exit_code == 0, done.output
    columns = ["track_id", "title", "artists", "date", "content_hash"]
    found, known = (Catalog.open(c).tracks() for c in (tmp_path / "again", demo_catalog))
    assert found.select(columns).sort_by("track_id") == known.select(columns).sort_by("track_id")
    assert "source_root" not in found.column_names


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Simon &amp; Garfunkel", "Simon & Garfunkel"),
        ("Don&#39;t &#x27;n&quot;", "Don't 'n\""),
        ("A &amp;amp; B", "A & B"),
        ("R&B; AT&T &nothing; &", "R&B; AT&T &nothing; &"),
        ("&copy 2020", "&copy 2020"),
    ],
)
def test_entities_of_web_pages_are_no_part_of_a_tag(text: str, plain: str) -> None:
    assert unescape(text) == plain
    assert clean(text) == plain


@pytest.mark.parametrize("text", ["Музыка", "Группа крови", "КИНО", "Ёлка"])
def test_cyrillic_read_as_latin_is_found(text: str) -> None:
    for encoding in ("latin-1", "cp1252"):
        assert repaired(text.encode("cp1251").decode(encoding)) == text
    assert repaired("Björk".encode().decode("cp1252")) == "Björk"


@pytest.mark.parametrize(
    "text",
    ["Björk", "Sigur Rós", "ÆØÅ", "Mötley Crüe", "Только", "Ágætis byrjun", "Ça ira", "音楽"],
)
def test_letters_that_are_right_are_left_alone(text: str) -> None:
    assert repaired(text) is None


def test_the_audit_names_what_is_in_the_wrong_letters(tmp_path: Path) -> None:
    wrong = "Музыка".encode("cp1251").decode("latin-1")
    scan(tmp_path / "t.csv", tmp_path / "c", f"track_id,title,artists\n1,{wrong},A\n2,Song,A\n")
    done = invoke("audit", tmp_path / "c", "--json")
    (finding,) = (f for f in json.loads(done.stdout)["findings"] if f["kind"] == "letters")
    assert "Музыка" in finding["text"]


@pytest.mark.parametrize("weights", [(0, 0), (1, -1), (-1, -1)])
def test_the_taste_of_who_likes_nothing_is_said(tmp_path: Path, weights: tuple[int, int]) -> None:
    values = np.eye(4, dtype="f4")
    ids = list("abcd")
    pq.write_table(pa.table({"track_id": ids, "vector": list(values)}), tmp_path / "t.parquet")
    given = ["--vectors", "vector", "--model-name", "mine"]
    assert invoke("scan", tmp_path / "t.parquet", "-o", tmp_path / "c", *given).exit_code == 0
    lines = "".join(f"u,a,2026-05-0{n + 1},{weight}\n" for n, weight in enumerate(weights))
    (tmp_path / "l.csv").write_text("user_id,track_id,timestamp,weight\n" + lines, "utf-8")
    done = invoke("taste", tmp_path / "c", "--listens", tmp_path / "l.csv")
    assert done.exit_code == 0, done.output
    assert "No interests" in done.stdout


@pytest.mark.parametrize(
    "ids",
    [
        pa.array([2.0**53 + 2, 1.0]),
        pa.array(["9007199254740994.0", "1.0"]),
        pa.array(["1.2345678901234568e+18"]),
    ],
)
def test_ids_whose_last_digits_a_float_has_lost_are_told(ids: pa.Array) -> None:
    _, told = normalise(pa.table({"track_id": ids}))
    assert "last digits are lost" in told[0]


@pytest.mark.parametrize(
    "ids", [pa.array([2**60 + 1]), pa.array(["9007199254740993"]), pa.array([1.0, None])]
)
def test_ids_that_are_whole_are_not_doubted(ids: pa.Array) -> None:
    assert normalise(pa.table({"track_id": ids}))[1] == ()
