"""The command line: results on stdout, the rest on stderr, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from musicu.catalog.catalog import Catalog
from musicu.cli import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: object) -> Done:
        self._monkeypatch.setattr(sys, "argv", ["musicu", *map(str, arguments)])
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        sys.stderr.flush()
        out, err = self._capfd.readouterr()
        assert "Traceback" not in out + err
        assert isinstance(stop.value.code, int)
        return Done(stop.value.code, out, err)


@pytest.fixture
def musicu(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capfd)


@pytest.fixture
def seed(demo_catalog: Path) -> str:
    track_id: str = Catalog.open(demo_catalog).tracks()["track_id"][0].as_py()
    return track_id


@pytest.mark.parametrize("told", [None, "2"])
@pytest.mark.parametrize("command", ["candidates", "serve"])
def test_commands_use_their_own_threads_alone_unless_told(command: str, told: str | None) -> None:
    """What NumPy's libraries read must stand there before NumPy is imported."""
    code = (
        "import os, sys, click; from musicu.cli.app import app; early = 'numpy' in sys.modules\n"
        "context = click.Context(app)\n"
        "app.resolve_command(context, ['similar'])\n"
        "print(os.environ.get('OPENBLAS_NUM_THREADS'), early)\n"
        f"app.resolve_command(context, [{command!r}])\n"
        "print(os.environ['OPENBLAS_NUM_THREADS'])\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    if told:
        environment["OPENBLAS_NUM_THREADS"] = told
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(told), "False", told or "1"]


def test_help_names_every_command(musicu: Command) -> None:
    from musicu.cli.app import _COMMANDS

    done = musicu("--help")
    assert done.code == 0
    assert all(name in done.out for name in _COMMANDS)


@pytest.mark.parametrize("command", ["embed", "scan", "similar", "shelf", "info", "failures"])
def test_every_command_has_help(musicu: Command, command: str) -> None:
    done = musicu(command, "--help")
    assert done.code == 0
    assert f"Usage: musicu {command}" in done.out


def test_version(musicu: Command) -> None:
    assert re.fullmatch(r"musicu, version \d+\.\d+\.\d+(\.dev\d+)?\n", musicu("--version").out)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["embed"],
        ["similar", "x"],
        ["embed", "x", "-o", "y", "--jobs", "0"],
        ["evaluate", "x", "--seed", "-1"],
        ["judge", "make", "x", "-m", "a", "--against", "b", "-o", "y", "--seed", "-1"],
        ["candidates", "x", "--like", "y", "--popularity-below", "101"],
    ],
)
def test_wrong_usage_ends_with_2(musicu: Command, arguments: list[str]) -> None:
    done = musicu(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Usage:" in done.err


def test_an_error_ends_with_1_and_says_what_to_do(musicu: Command, tmp_path: Path) -> None:
    done = musicu("info", tmp_path / "nowhere")
    assert (done.code, done.out) == (1, "")
    assert "make one with `musicu embed" in done.err


def test_a_bug_is_told_without_a_traceback(
    musicu: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of course")

    monkeypatch.setattr(Catalog, "open", broken)
    done = musicu("info", tmp_path)
    assert done.code == 1
    assert "musicu has a bug, ZeroDivisionError: of course" in done.err


def test_what_the_system_refuses_is_no_bug(
    musicu: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "tracks.parquet")

    monkeypatch.setattr(Catalog, "open", refused)
    done = musicu("info", tmp_path)
    assert (done.code, done.err) == (1, "error: tracks.parquet: Permission denied\n")


def test_embed_reports_in_json_and_ends_with_1_where_a_track_has_failed_now(
    musicu: Command, demo_music: Path, tmp_path: Path
) -> None:
    path = next(demo_music.rglob("*.flac"))
    (tmp_path / "music").mkdir()
    (tmp_path / "music/a.flac").write_bytes(path.read_bytes())
    (tmp_path / "music/b.flac").write_text("no music")
    go = ["embed", tmp_path / "music", "-o", tmp_path / "c", "-m", "musicu-stats-v1", "--json"]
    first = musicu(*go)
    assert first.code == 1
    failure, report = first.records
    assert (failure["event"], failure["path"], failure["stage"]) == ("failure", "b.flac", "decode")
    assert (report["event"], report["embedded"], report["failed"]) == ("report", 1, 1)
    second = musicu(*go)
    assert (second.code, second.records[-1]["remembered"]) == (0, 1)
    assert musicu(*go, "--retry-failed").code == 1
    (tmp_path / "music/b.flac").unlink()
    third = musicu(*go)
    assert (third.code, third.records[-1]["known"]) == (0, 1)


def test_embed_reads_paths_from_standard_input(demo_music: Path, tmp_path: Path) -> None:
    paths = sorted(demo_music.rglob("*.flac"))[:2]
    command = [sys.executable, "-m", "musicu", "embed", "-", "-o", str(tmp_path / "c"), "--json"]
    command += ["-m", "musicu-stats-v1", "-j", "1"]
    given = b"\0".join(str(path).encode() for path in paths)
    done = subprocess.run(command, input=given, capture_output=True, check=True)
    assert json.loads(done.stdout)["embedded"] == 2


def test_similar_prints_json_lines_with_falling_scores(
    musicu: Command, demo_catalog: Path, seed: str
) -> None:
    done = musicu("similar", demo_catalog, seed, "-k", 3, "--json")
    assert done.code == 0
    assert [row["rank"] for row in done.records] == [1, 2, 3]
    scores = [row["score"] for row in done.records]
    assert scores == sorted(scores, reverse=True)
    assert seed not in [row["track_id"] for row in done.records]


def test_similar_takes_words_and_filters(musicu: Command, demo_catalog: Path) -> None:
    row = Catalog.open(demo_catalog).tracks().to_pylist()[-1]
    words = f"{row['artists'][0]} - {row['title']} {row['album']}"
    done = musicu("similar", demo_catalog, words, "--artist", row["artists"][0], "--json")
    assert done.code == 0
    assert done.records
    assert all(row["artists"][0] in found["artists"] for found in done.records)


def test_a_name_that_fits_several_tracks_lists_them(musicu: Command, demo_catalog: Path) -> None:
    row = Catalog.open(demo_catalog).tracks().to_pylist()[0]
    done = musicu("similar", demo_catalog, row["artists"][0])
    assert (done.code, done.out) == (1, "")
    assert done.err.count(row["artists"][0]) >= 2
    assert row["track_id"] in done.err


def test_shelf_writes_table_page_and_playlist(
    musicu: Command, demo_catalog: Path, seed: str, tmp_path: Path
) -> None:
    page, playlist = tmp_path / "shelf.html", tmp_path / "shelf.m3u8"
    done = musicu("shelf", demo_catalog, "--like", seed, "--html", page, "--to", playlist)
    assert done.code == 0
    assert "More like" in done.out
    assert "<audio" in page.read_text("utf-8")
    assert playlist.read_text("utf-8").startswith("#EXTM3U")
    document = json.loads(musicu("shelf", demo_catalog, "--like", seed, "--json").out)
    assert all(item["reason"] for item in document["items"])


def test_info_and_failures_speak_json(musicu: Command, demo_catalog: Path) -> None:
    (told,) = musicu("info", demo_catalog, "--json").records
    assert (told["tracks"], told["failures"], told["gone"]) == (7, 0, 0)
    assert told["models"][0]["vectors"] == 7
    assert musicu("failures", demo_catalog, "--json").out == ""
    assert "no failures" in musicu("failures", demo_catalog).err


def test_info_counts_albums_by_title_and_artist(musicu: Command, tmp_path: Path) -> None:
    albums = [
        ("Greatest Hits", ["Ann"], None),
        ("Greatest Hits", ["Ann"], None),
        ("Greatest Hits", ["Bo"], None),
        ("Greatest Hits", ["Bo"], "Various Artists"),
        ("Greatest Hits", ["Cy"], "Various Artists"),
        ("First", ["Ann"], None),
        (None, ["Ann"], None),
    ]
    rows = [
        {"track_id": f"t{n}", "album": title, "artists": artists, "album_artist": owner}
        for n, (title, artists, owner) in enumerate(albums)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    musicu("scan", tmp_path / "t.parquet", "-o", tmp_path / "catalog")
    (told,) = musicu("info", tmp_path / "catalog", "--json").records
    assert told["albums"] == 4


@pytest.mark.parametrize("ending", ["parquet", "csv", "npz", "safetensors"])
def test_export_holds_the_vectors(
    musicu: Command, demo_catalog: Path, tmp_path: Path, ending: str
) -> None:
    ids, values = Catalog.open(demo_catalog).vectors()
    path = tmp_path / f"all.{ending}"
    assert musicu("export", demo_catalog, "-o", path).code == 0
    if ending == "parquet":
        table = pq.read_table(path)
        assert table["track_id"].to_pylist() == list(ids)
        np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), values)
    elif ending == "csv":
        rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        assert len(rows) == len(ids) + 1
        assert rows[0][-1] == f'"vector_{values.shape[1] - 1}"'
        np.testing.assert_allclose([float(row[-1]) for row in rows[1:]], values[:, -1], rtol=1e-6)
    elif ending == "npz":
        with np.load(path) as arrays:
            assert arrays["ids"].tolist() == list(ids)
            np.testing.assert_array_equal(arrays["vectors"], values)
    else:
        np.testing.assert_array_equal(load_file(path)["vectors"], values)


def test_export_refuses_an_unknown_ending(
    musicu: Command, demo_catalog: Path, tmp_path: Path
) -> None:
    done = musicu("export", demo_catalog, "-o", tmp_path / "all.xls")
    assert done.code == 1
    assert ".parquet, .csv, .npz, .safetensors" in done.err


def test_models_lists_and_shows_cards(musicu: Command) -> None:
    names = [record["name"] for record in musicu("models", "--json").records]
    assert "musicu-stats-v1" in names
    card = musicu("models", "musicu-stats-v1")
    assert "Weaknesses" in card.out
    credits = re.search(r"^  (.*credits\.csv): every recording", card.out, re.MULTILINE)
    assert credits is not None
    assert "licen" in Path(credits[1]).read_text("utf-8").splitlines()[0]
    told = json.loads(musicu("models", "musicu-stats-v1", "--json").out)["about"]["scores"]
    assert not {"{", "}", '"'} & set(card.out.split("Scores")[1].split("Weaknesses")[0])
    assert all(name in re.sub(r"\s+", " ", card.out) for name in told)
    assert max(map(len, card.out.split("Beside")[0].splitlines())) <= 100
    assert musicu("models", "no-such").code == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(musicu: Command, shell: str) -> None:
    assert "_MUSICU_COMPLETE" in musicu("completion", shell).out


@pytest.mark.slow
def test_demo_makes_music_a_catalog_and_a_page(musicu: Command, tmp_path: Path) -> None:
    done = musicu("demo", "--out", tmp_path / "demo", "--no-open")
    assert done.code == 0
    assert (tmp_path / "demo/shelf.html").as_uri() in done.out
    assert len(Catalog.open(tmp_path / "demo/catalog").vectors().ids) == 49
