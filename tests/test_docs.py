"""What the README and the architecture page show does what they say."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "ARCHITECTURE.md",
        "docs/deciding.md",
        "docs/tables.md",
        "docs/shelves.md",
        "docs/python.md",
        "docs/measuring.md",
        "docs/joins.md",
        "docs/encoders.md",
    ],
)
def test_python_in_the_docs_runs_on_a_real_catalog(
    page: str, demo_music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("duckdb", "pandas", "polars"):
        pytest.importorskip(tool)
    monkeypatch.setenv("HOME", str(demo_music.parent))
    monkeypatch.setenv("USERPROFILE", str(demo_music.parent))
    monkeypatch.chdir(tmp_path)
    import musicu

    musicu.embed("~/Music", out="catalog")
    names: dict[str, object] = {}
    for code in blocks(page):  # one after the other, as a reader types them
        exec(compile(code, page, "exec"), names)


#: Pages whose commands and code are run as a reader types them, in one folder, in this order.
TOLD = ["tutorial", *(f"howto/{page.stem}" for page in sorted(ROOT.glob("docs/howto/*.md")))]


def type_page(page: str) -> None:
    names: dict[str, object] = {}
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    for kind, block in re.findall(r"```(python|console)\n(.*?)```", text, re.DOTALL):
        if kind == "python":
            exec(compile(block, page, "exec"), names)
            continue
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True)
            assert done.returncode == 0, f"{page}: {line}\n{done.stderr}"


@pytest.mark.skipif(sys.platform == "win32", reason="the pages are typed into a POSIX shell")
def test_what_the_pages_tell_to_type_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    for page in TOLD:
        type_page(page)
        if page == "tutorial":
            shutil.copytree("musicu-demo/music", "Music")


def test_every_engine_reads_the_same_rows(demo_catalog: Path) -> None:
    duckdb, pandas, polars = (pytest.importorskip(n) for n in ("duckdb", "pandas", "polars"))
    from musicu import Catalog

    ours = Catalog.open(demo_catalog)
    ids = ours.tracks()["track_id"].to_pylist()
    tracks = demo_catalog / "tracks"
    assert pandas.read_parquet(tracks)["track_id"].tolist() == ids
    assert polars.read_parquet(f"{tracks}/*.parquet")["track_id"].to_list() == ids
    found = duckdb.sql(f"select track_id from '{tracks}/*.parquet' order by track_id").fetchall()
    assert [row[0] for row in found] == ids
    mine = ours.vectors("musicu-stats-v1")
    vectors = polars.read_parquet(f"{demo_catalog}/vectors/musicu-stats-v1/*.parquet")
    hashes, values = vectors["content_hash"].to_list(), vectors["vector"].to_list()
    by_sound = dict(zip(hashes, values, strict=True))
    assert by_sound[ours.tracks()["content_hash"][0].as_py()] == mine.values[0].tolist()


def test_the_readme_fits_a_screen_and_names_both_commands() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) < 90
    assert "pip install . && musicu demo" in text
    assert 'pip install -e ".[dev]" && pytest' in text
    assert (ROOT / "docs/shelf.png").is_file()


def test_every_command_that_the_docs_name_exists() -> None:
    from musicu.cli.app import _COMMANDS

    pages = [ROOT / name for name in ("README.md", "CHANGELOG.md", "ARCHITECTURE.md")]
    for page in (*pages, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        named = re.findall(r"(?:`|^\$ )musicu ([a-z]+)[ `]", page.read_text("utf-8"), re.MULTILINE)
        assert set(named) <= set(_COMMANDS)


def command_lines(page: Path) -> list[list[str]]:
    """The words of each line of a page's code blocks that calls musicu, without the first."""
    code = re.findall(r"```\w*\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    lines = re.sub(r"\\\n\s*", " ", "".join(code)).splitlines()
    told = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if _MUSICU(line)]
    return [words[1:] for words in told]


_MUSICU = re.compile(r"(\$ )?musicu ").match
PAGES = [ROOT / "README.md", ROOT / "recipes/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_line_of_a_page_has_options_that_exist(page: Path) -> None:
    from musicu.cli.app import app
    from musicu.cli.evaluate_candidates import candidates
    from musicu.cli.evaluate_policy import policy

    handed = {("evaluate", "candidates"): candidates, ("evaluate", "policy"): policy}
    for words in command_lines(page):
        command: click.Command = app
        context = click.Context(app, info_name="musicu")
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            assert found is not None, words
            command, words = found, words[1:]
            context = click.Context(command, context, info_name=command.name)
        if other := handed.get((command.name or "", *words[:1])):
            command, words = other, words[1:]
        command.make_parser(context).parse_args(list(words))


def test_pages_have_command_lines() -> None:
    assert sum(len(command_lines(page)) for page in PAGES) > 60


def test_every_module_that_the_architecture_page_names_exists() -> None:
    text = re.sub(r"```.*?```", "", (ROOT / "ARCHITECTURE.md").read_text("utf-8"), flags=re.DOTALL)
    named = {word.split()[0] for word in re.findall(r"`([^`\n]+)`", text)}
    modules = {word for word in named if word.endswith(".py") or re.fullmatch(r"[\w/]+/", word)}
    assert len(modules) > 30
    assert [module for module in sorted(modules) if not _is_there(module)] == []


def _is_there(module: str) -> bool:
    places = ("", "musicu/**/", "recipes/**/")
    return any(any(ROOT.glob(place + module.rstrip("/"))) for place in places)
