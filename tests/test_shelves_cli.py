"""`musicu shelf --recipe`, `musicu shelves` and `musicu map`, as somebody types them."""

from __future__ import annotations

import html
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.catalog.catalog import Catalog
from musicu.cli import main


@pytest.fixture
def musicu(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["musicu", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        sys.stderr.flush()
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(stop.value.code or 0), out, err

    return run


@pytest.fixture(scope="module")
def ids(demo_catalog: Path) -> list[str]:
    return [str(t) for t in Catalog.open(demo_catalog).tracks()["track_id"].to_pylist()]


def test_recipe_by_name_and_options(musicu, demo_catalog: Path, ids: list[str]) -> None:  # type: ignore[no-untyped-def]
    ends = ["--set", f"start={ids[0]}", "--set", f"end={ids[-1]}"]
    code, out, _ = musicu(
        "shelf", demo_catalog, "--recipe", "journey", *ends, "-n", 3, "--json"
    )  # fmt: skip
    document = json.loads(out)
    assert code == 0
    assert 1 <= len(document["items"]) <= 3
    assert not {ids[0], ids[-1]} & {item["track_id"] for item in document["items"]}
    assert document["items"][-1]["after"]["missing"] == ["tempo", "key", "loudness"]
    assert any("without tempo" in text for text in document["notes"])


def test_a_lowest_score_leaves_the_tail_away(musicu, demo_catalog: Path, ids: list[str]) -> None:  # type: ignore[no-untyped-def]
    like = ("shelf", demo_catalog, "--like", ids[0], "--json")
    scores = [item["score"] for item in json.loads(musicu(*like)[1])["items"]]
    lowest = sorted(scores)[len(scores) // 2]
    kept = [item["score"] for item in json.loads(musicu(*like, "--min-score", lowest)[1])["items"]]
    assert 0 < len(kept) < len(scores)
    assert min(kept) >= lowest


def test_a_list_of_no_known_kind_is_refused_before_anything_is_printed(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path
) -> None:
    to = tmp_path / "shelf.txt"
    code, out, err = musicu("shelf", demo_catalog, "--like", ids[0], "--to", to)
    assert (code, out) == (1, "")
    assert "'shelf.txt' is no playlist: name a file in" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "give --like TRACK, --playlist FILE or --recipe NAME"),
        (["--recipe", "pie"], 1, "there is no recipe 'pie'"),
        (["--recipe", "daily-mixes"], 1, "needs a listener"),
        (["--recipe", "arc"], 1, "musicu describe"),
        (["--recipe", "new-for-you", "--set", "days"], 2, "NAME=VALUE"),
        (["--recipe", "new-for-you", "--today", "soon"], 1, "give a day"),
    ],
)
def test_what_is_missing_is_said(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, arguments: list[str], code: int, said: str
) -> None:
    found, _, err = musicu("shelf", demo_catalog, *arguments)
    assert (found, said in err) == (code, True), err


def test_page_of_shelves_for_a_listener(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path
) -> None:
    lines = [f"ann,{ids[0]}", f"ann,{ids[1]}", f"bo,{ids[2]}"]
    (tmp_path / "l.csv").write_text("\n".join(["user_id,track_id", *lines]))
    own = ["--listens", tmp_path / "l.csv", "-o", tmp_path / "page"]
    code, _, err = musicu("shelves", demo_catalog, *own)
    assert code == 1
    assert "name one with --user" in err
    code, out, err = musicu("shelves", demo_catalog, *own, "--user", "ann", "-n", 4)
    assert code == 0, err
    assert "Because you listened to" in out
    assert "deep cuts need the popularity" in err
    assert (tmp_path / "page" / "index.html").is_file()


def test_a_listener_is_found_by_name_behind_the_pseudonym(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSICU_LISTENER_KEY", "ab" * 16)
    log, listens = tmp_path / "log.csv", tmp_path / "listens.parquet"
    log.write_text(f"user,track_id\nann b,{ids[0]}\nann b,{ids[1]}\nbo,{ids[2]}\n")
    code, _, err = musicu("listens", log, "--catalog", demo_catalog, "-o", listens)
    assert code == 0, err
    assert "ann b" not in pq.read_table(listens)["user_id"].to_pylist()
    code, out, err = musicu("taste", demo_catalog, "--listens", listens, "--user", "ann b")
    assert (code, out.splitlines()[0], out.count("Heard")) == (0, "ann b", 1), err
    recipe = ["shelf", demo_catalog, "--recipe", "because-you-listened", "--listens", listens]
    code, _, err = musicu(*recipe, "--user", "ann b", "-n", 3)
    assert code == 0, err
    code, _, err = musicu(*recipe, "--user", "cy")
    assert (code, "by 'cy'" in err) == (1, True), err
    (tmp_path / "users.txt").write_text("ann b\n\n")
    given = ["candidates", demo_catalog, "--listens", listens, "--users", tmp_path / "users.txt"]
    code, out, err = musicu(*given, "--source", "random", "--json")
    assert code == 0, err
    assert len({json.loads(line)["user_id"] for line in out.splitlines()}) == 1
    own = {json.loads(line)["user_id"] for line in out.splitlines()}
    pq.write_table(pa.table({"user_id": sorted(own)}), tmp_path / "asked.parquet")
    given[-1] = tmp_path / "asked.parquet"
    code, out, err = musicu(*given, "--source", "random", "--json")
    assert {json.loads(line)["user_id"] for line in out.splitlines()} == own
    pq.write_table(pa.table({"who": ["ann b"]}), tmp_path / "asked.parquet")
    code, _, err = musicu(*given, "--source", "random")
    assert (code, "no column user_id" in " ".join(err.split())) == (1, True), err


def test_page_of_shelves_for_anybody_from_a_file(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "page.toml"
    file.write_text(
        f'[[shelf]]\nrecipe = "more-like-track"\ntrack = "{ids[0]}"\n'
        '[[shelf]]\nrecipe = "around-the-catalog"\ncount = 2\n',
        encoding="utf-8",
    )
    code, out, err = musicu("shelves", demo_catalog, "--recipes", file, "-o", tmp_path / "page")
    assert code == 0, err
    assert "More like" in out
    assert (tmp_path / "page" / "shelf-01.json").is_file()


def test_map_as_table_json_and_page(musicu, demo_catalog: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = musicu(
        "map", demo_catalog, "--projection", "pca", "--regions", 2, "--json",
        "--html", tmp_path / "map", "--table", tmp_path / "places.parquet",
    )  # fmt: skip
    document = json.loads(out)
    places = pq.read_table(tmp_path / "places.parquet")
    assert code == 0, err
    assert places.column_names == ["track_id", "x", "y", "region"]
    assert document["tracks"] == places.num_rows
    assert sum(region["tracks"] for region in document["regions"]) == places.num_rows
    page = tmp_path / "map" / "index.html"
    before = page.read_bytes()
    code, _, err = musicu("shelves", demo_catalog, "-o", tmp_path / "map")
    assert code == 1
    assert "holds a map" in err
    assert "choose another file or folder" in err
    assert page.read_bytes() == before
    assert [each.name for each in page.parent.iterdir()] == ["index.html"]


def test_map_never_replaces_a_page_of_shelves(musicu, demo_catalog: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    for time in (1, 2):  # its own kind may be written again
        code, _, err = musicu("shelves", demo_catalog, "-o", tmp_path / "site")
        assert code == 0, (time, err)
    before = (tmp_path / "site" / "index.html").read_bytes()
    for place in ("site", "site/index.html"):
        code, out, err = musicu(
            "map", demo_catalog, "--projection", "pca", "--html", tmp_path / place
        )
        assert code == 1
        assert "holds a page of shelves" in err
        assert out == ""
    assert (tmp_path / "site" / "index.html").read_bytes() == before


def test_candidates_and_the_page_of_them_show_the_same_tracks_in_the_same_order(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path
) -> None:
    lines = [f"ann,{ids[0]}", f"ann,{ids[1]}", f"bo,{ids[2]}"]
    (tmp_path / "l.csv").write_text("\n".join(["user_id,track_id", *lines]))
    found = tmp_path / "candidates.parquet"
    sources = ["--source", "for-you=0.5", "--source", "random=0.5", "-k", 4]
    code, _, err = musicu(
        "candidates", demo_catalog, "--listens", tmp_path / "l.csv", *sources, "-o", found
    )
    assert code == 0, err
    page = ["shelves", demo_catalog, "--candidates", found, "-o", tmp_path / "page"]
    code, _, err = musicu(*page)
    assert code == 1
    assert "name one with --user" in err
    code, out, err = musicu(*page, "--user", "ann")
    assert code == 0, err
    own = [row for row in pq.read_table(found).to_pylist() if row["user_id"] == "ann"]
    assert {row["source"] for row in own} == {"for-you", "random"}
    assert "For you" in out
    shown = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    titles = {
        row["track_id"]: row["title"] for row in Catalog.open(demo_catalog).tracks().to_pylist()
    }
    places = [shown.index(html.escape(titles[row["track_id"]])) for row in own]
    assert places == sorted(places)


def test_a_shelf_for_a_listener_shows_what_the_candidates_are(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text(f"user_id,track_id\nann,{ids[0]}\nann,{ids[1]}")
    listens = ["--listens", tmp_path / "l.csv"]
    newest = max(filter(None, Catalog.open(demo_catalog).tracks()["released"].to_pylist()))
    recipe = ["--recipe", "new-for-you", "--set", "days=3650", "--today", newest]
    code, out, err = musicu("shelf", demo_catalog, *listens, *recipe, "-n", 8, "--json")
    assert code == 0, err
    shelf = json.loads(out)["items"]
    window = ["--window", "3650d", "--now", f"{newest}T23:59:59", "-k", 8, "--json"]
    code, out, err = musicu("candidates", demo_catalog, *listens, *window)
    candidates = [json.loads(line) for line in out.splitlines()]
    assert [item["track_id"] for item in shelf] == [row["track_id"] for row in candidates]
    assert [item["reason"] for item in shelf] == [row["reason"] for row in candidates]
    for item in shelf:
        assert item["score"] == pytest.approx(sum(r["points"] for r in item["reasons"]), abs=1e-4)


def test_the_ranker_that_is_named_ranks_and_an_unknown_one_is_refused(  # type: ignore[no-untyped-def]
    musicu, demo_catalog: Path, ids: list[str], tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text(f"user_id,track_id\nann,{ids[0]}\nann,{ids[1]}")
    asked = ["candidates", demo_catalog, "--listens", tmp_path / "l.csv", "--source", "for-you"]
    scores = {}
    for ranker in ("taste", "source"):
        code, out, err = musicu(*asked, "-k", 4, "--json", "--ranker", ranker)
        assert code == 0, err
        scores[ranker] = [json.loads(line)["score"] for line in out.splitlines()]
    assert scores["taste"] != scores["source"]
    code, _, err = musicu(*asked, "--ranker", "nope")
    assert code == 1
    assert "there is no ranker 'nope': known are taste, source" in err
