"""The package of docs/extending.md is installed from that page, used, and keeps the contracts."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from contract_descriptor_set import DescriptorSetContract
from contract_embedder import EmbedderContract
from contract_executor import ExecutorContract
from contract_index import IndexContract
from contract_policy import PolicyContract
from music import write
from packages import install

from musicu.embeddings.embedder import Embedder

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
FILES = re.compile(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RECIPES = re.compile(r"`recipes.toml`:\n\n```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def write_package(folder: Path) -> Path:
    """The files of the page, as it names them."""
    for name, text in FILES.findall(PAGE.read_text(encoding="utf-8")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and its metadata as pip would leave them there."""
    folder = write_package(tmp_path_factory.mktemp("site"))
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    install(folder, "plain_ears_metadata", "", project["entry-points"])
    return folder


@pytest.fixture(autouse=True)
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


class TestEmbedder(EmbedderContract):
    @pytest.fixture
    def model(self) -> Embedder:
        return Embedder.load("plain-ears-v1")


class TestDescriptorSet(DescriptorSetContract):
    name = "plain-ears-crossings-v1"


class TestExecutor(ExecutorContract):
    name = "threads"


class TestIndex(IndexContract):
    name = "one-product"


class TestPolicy(PolicyContract):
    name = "swap"


def musicu(words: list[str], folder: Path, site: Path) -> str:
    """Run a command in a folder, with the packages of another; its standard output."""
    path = os.pathsep.join([str(site), str(Path(__file__).parent.parent)])
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env={**os.environ, "PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_commands(folder: Path, site: Path) -> None:
    """Run the commands of the page, and look at what they leave."""
    for i in range(3):
        write(folder / f"Music/{i}.flac", i, seconds=4.0, title=f"Tune {i}", artist=f"Artist {i}")
    text = PAGE.read_text(encoding="utf-8")
    (commands,) = COMMANDS.findall(text)
    (recipes,) = re.findall(
        r"`recipes.toml`:\n\n```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    (folder / "recipes.toml").write_text(recipes)
    told = [
        musicu(shlex.split(line), folder, site)
        for line in commands.splitlines()
        if line.startswith("musicu")
    ]
    assert "plain-ears-v1" in told[0]
    similar, shelf, page = told[-3:]
    assert "Tune 2" in similar
    assert shelf.index("Tune 0") < shelf.index("Tune 1") < shelf.index("Tune 2")
    assert "Number 3 of the alphabet." in shelf
    places = pq.read_table(folder / "page/shelves.parquet").to_pylist()
    assert len(places) == 2
    given = [(0.8, "From TUNE 1 on"), (0.2, "From A on")]  # the shorter shelf was ranked first
    assert (places[0]["propensity"], places[0]["shelf"]) in given
    assert [row["propensity"] for row in places[1:]] == [1.0]
    assert all(row["shelf"] in page for row in places)
    assert (folder / "page/index.html").is_file()
    catalog = folder / "catalog"
    assert list(json.loads((catalog / "manifest.json").read_text())["models"]) == ["plain-ears-v1"]
    rows = pq.read_table(next((catalog / "descriptors/plain-ears-crossings-v1").iterdir()))
    assert rows.num_rows == 3
    assert min(rows["crossing_rate"].to_pylist()) > 0


def test_the_commands_of_the_page_work(tmp_path: Path, site: Path) -> None:
    check_commands(tmp_path, site)


def test_the_package_of_the_page_can_be_built_and_installed(tmp_path: Path) -> None:
    """By pip, without network: with the setuptools that is here."""
    setuptools = pytest.importorskip("setuptools", minversion="70.1", reason="builds the package")
    assert setuptools
    source, site = write_package(tmp_path / "plain-ears"), tmp_path / "site"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    command = [sys.executable, "-m", "pip", "install", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    check_commands(tmp_path, site)


def test_json_lines_of_a_set_of_another_package(tmp_path: Path, site: Path) -> None:
    write(tmp_path / "a.flac", 1)
    command = "musicu describe a.flac --json --set plain-ears-crossings-v1"
    told = json.loads(musicu(shlex.split(command), tmp_path, site))
    assert told.keys() == {"path", "crossing_rate"}
    assert "crossing_rate" in musicu(shlex.split(command.replace("--json ", "")), tmp_path, site)
