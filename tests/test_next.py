"""`musicu train next` and `musicu next`, as somebody types them, and the recipe that continues."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicu.catalog.catalog import Catalog
from musicu.cli import main
from musicu.sequences import NextItemModel
from musicu.sequences.catalog_models import open_next_model
from musicu.shelves.context import ShelfContext
from musicu.shelves.recipes import FillPlaylist, Radio


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


@pytest.fixture
def catalog(demo_catalog: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "catalog"
    shutil.copytree(demo_catalog, copy)
    return copy


@pytest.fixture
def ids(catalog: Path) -> list[str]:
    return [str(t) for t in Catalog.open(catalog).tracks()["track_id"].to_pylist()]


@pytest.fixture
def listens(ids: list[str], tmp_path: Path) -> Path:
    """Each listener plays the first, second and third track, a minute apart; the last, nobody."""
    rows = [
        {"user_id": f"u{user}", "track_id": ids[n], "timestamp": user * 86_400 + n * 60}
        for user in range(12)
        for n in range(3)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "listens.parquet")
    return tmp_path / "listens.parquet"


def test_what_listeners_play_next_is_listed_first(musicu, catalog, ids, listens) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = musicu("train", "next", catalog, "--listens", listens, "--json")
    report = json.loads(out)
    assert code == 0
    assert report["sessions"] == 12
    assert report["tracks"] == len(ids)
    code, out, _ = musicu("next", catalog, "--after", ids[0], ids[1], "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert rows[0]["track_id"] == ids[2]
    assert not {ids[0], ids[1]} & {row["track_id"] for row in rows}
    assert set(ids[3:]) & {row["track_id"] for row in rows}  # which nobody has played
    code, out, _ = musicu(
        "next", catalog, "--user", "u3", "--listens", listens, "--repeats", "-k", 9
    )
    assert code == 0
    assert "Likely to come next" in " ".join(out.split())


def test_a_listener_who_played_nothing_is_named(musicu, catalog, listens) -> None:  # type: ignore[no-untyped-def]
    assert musicu("train", "next", catalog, "--listens", listens)[0] == 0
    code, _, err = musicu("next", catalog, "--user", "nobody", "--listens", listens)
    assert code == 1
    assert "has no listens of 'nobody'" in " ".join(err.split())


def test_a_page_of_candidates_and_a_playlist_are_continued_by_it(  # type: ignore[no-untyped-def]
    musicu, catalog, ids, listens
) -> None:
    assert musicu("train", "next", catalog, "--listens", listens)[0] == 0
    code, out, _ = musicu("candidates", catalog, "--like", ids[0], "--source", "next", "--json")
    assert code == 0
    assert json.loads(out.splitlines()[0])["source"] == "next"
    context = ShelfContext(Catalog.open(catalog))
    for recipe in (FillPlaylist, Radio):
        shelf = recipe(tracks=(ids[0], ids[1]), size=5).shelves(context)[0]
        assert any("Likely to come next" in item.reason for item in shelf.items)
        assert not {ids[0], ids[1]} & {item.row["track_id"] for item in shelf.items}
        assert all(item.after is not None for item in shelf.items)


def test_radio_plays_what_fits_where_no_model_was_trained(catalog, ids) -> None:  # type: ignore[no-untyped-def]
    shelf = Radio(tracks=(ids[0],), size=5).shelves(ShelfContext(Catalog.open(catalog)))[0]
    assert len(shelf) == 5
    assert "Radio" in shelf.title


def test_one_pass_answers_next_new_releases_and_deep_catalog(  # type: ignore[no-untyped-def]
    musicu, catalog, ids, listens, monkeypatch
) -> None:
    """Conditions choose among the same scores, and the model is asked once for each page."""
    assert musicu("train", "next", catalog, "--listens", listens)[0] == 0
    model = open_next_model(Catalog.open(catalog))
    row = dict(zip(model.items, model.scores([[ids[0], ids[1]]])[0].tolist(), strict=True))
    passes: list[int] = []
    scores = NextItemModel.scores
    monkeypatch.setattr(
        NextItemModel, "scores", lambda self, h: passes.append(len(h)) or scores(self, h)
    )
    pages = []
    for condition in ([], ["--released-after", "2018-01-01"], ["--released-before", "2018-01-01"]):
        words = ["--after", ids[0], ids[1], "--json", "-k", 40, *condition]
        code, out, _ = musicu("next", catalog, *words)
        assert code == 0
        pages.append([json.loads(line) for line in out.splitlines()])
    assert passes == [1, 1, 1]
    for page in pages:
        found = [each["score"] for each in page]
        assert found == sorted(found, reverse=True)
        assert found == pytest.approx([row[each["track_id"]] for each in page], rel=0.01)
    assert pages[0]
    assert all({e["track_id"] for e in p} < set(ids) for p in pages[1:])


def test_playlists_train_it_as_well(musicu, catalog, ids, tmp_path) -> None:  # type: ignore[no-untyped-def]
    lines = [f"p{n},{track}" for n in range(9) for track in ids[:4]]
    (tmp_path / "playlists.csv").write_text("\n".join(["playlist_id,track_id", *lines]))
    found = musicu("train", "next", catalog, "--playlists", tmp_path / "playlists.csv")
    assert found[0] == 0
    assert "9 sessions" in found[2]


def test_python_in_the_docs_runs(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(catalog.parent)
    page = (Path(__file__).parent.parent / "docs/next.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    for code in blocks:
        exec(compile(code, "docs/next.md", "exec"), {})


def test_without_a_model_it_says_what_to_run(musicu, catalog, ids) -> None:  # type: ignore[no-untyped-def]
    code, _, err = musicu("next", catalog, "--after", ids[0])
    assert code == 1
    assert "musicu train next" in err
    assert musicu("next", catalog)[0] == 2
    assert musicu("train", "next", catalog)[0] == 2


def test_a_model_of_other_vectors_is_refused(musicu, catalog, ids, listens) -> None:  # type: ignore[no-untyped-def]
    assert musicu("train", "next", catalog, "--listens", listens)[0] == 0
    card = catalog / "models" / "next" / "model.json"
    told = json.loads(card.read_text("utf-8"))
    told["about"]["fingerprint"] = "another"
    card.write_text(json.dumps(told))
    code, _, err = musicu("next", catalog, "--after", ids[0])
    assert code == 1
    assert "other vectors" in err
