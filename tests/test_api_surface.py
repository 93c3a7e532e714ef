"""What is public is documented, shown, and runs; nothing else is."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import musicu
from musicu import Audio, Catalog, Embedder, Vectors
from musicu.shelves import Shelf, more_like

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/python.md").read_text("utf-8")
PACKAGES = ["candidates", "embeddings", "evaluation", "features", "ranking", "retrieval", "shelves"]
DOCS = PAGE + "".join(
    (ROOT / "docs" / f"{name}.md").read_text("utf-8")
    for name in ("recommending", "deciding", "shelves", "extending", "descriptors", "tables")
)
#: Names that say what another call takes or gives.
EXAMPLES = "\n".join(re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)) + "".join(
    path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")
)


def names() -> list[tuple[str, str]]:
    every = [("musicu", name) for name in musicu.__all__]
    for package in PACKAGES:
        module = importlib.import_module(f"musicu.{package}")
        every += [(module.__name__, name) for name in module.__all__]
    return every


def test_the_first_names_are_these() -> None:
    first = ["Audio", "Catalog", "Embedder", "MusicuError", "Vectors", "describe", "embed"]
    assert musicu.__all__ == sorted([*first, "evaluate", "read_audio", "scan", *PACKAGES])


@pytest.mark.parametrize("package", ["musicu", *(f"musicu.{name}" for name in PACKAGES)])
def test_completion_shows_what_is_public(package: str) -> None:
    code = f"import {package} as p; [getattr(p, n) for n in p.__all__]; print(*dir(p))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(importlib.import_module(package).__all__)


@pytest.mark.parametrize(("package", "name"), names())
def test_what_is_public_is_documented(package: str, name: str) -> None:
    found = getattr(importlib.import_module(package), name)
    assert re.search(rf"\b{name}\b", DOCS), f"{package}.{name} stands on no page of docs"
    assert inspect.getdoc(found)


@pytest.mark.parametrize(("package", "name"), names())
def test_what_is_called_has_an_example_that_runs(package: str, name: str) -> None:
    found = getattr(importlib.import_module(package), name)
    if inspect.isfunction(found):
        assert re.search(rf"\b{name}\(", EXAMPLES), f"no example calls {package}.{name}"


@pytest.mark.parametrize("kind", [Audio, Catalog, Embedder, Vectors])
def test_every_public_method_is_on_the_page(kind: type) -> None:
    own = [name for name in dir(kind) if not name.startswith("_")]
    assert [name for name in own if not re.search(rf"\b{name}\b", PAGE)] == []


def test_a_shelf_is_short_in_a_notebook(demo_catalog: Path) -> None:
    catalog = Catalog.open(demo_catalog)
    shelf = more_like(catalog, catalog.tracks()["track_id"][0].as_py(), size=3)
    assert repr(shelf) == f"Shelf({shelf.title!r}, 3 tracks)"
    assert len(repr(shelf.items[0])) < 150
    page = shelf._repr_html_()
    assert page.count("<tr>") == 4
    hostile = Shelf("<script>", shelf.items, shelf.rules)._repr_html_()
    assert "<script>" not in hostile


SCRIPT = """
import musicu
import pandas as pd
from musicu.candidates import ForYou, find_candidates
from musicu.retrieval import similar

catalog = musicu.Catalog.open("catalog")
plays = pd.DataFrame({{"user_id": ["a"], "track_id": ["b"]}})
table = catalog.similar("t", where={where})
more = similar(catalog, ["t"], where={where})
shelf = musicu.shelves.more_like(catalog, "t", where={where})
found = find_candidates(catalog, plays, [ForYou()], k=3)
report = musicu.embed("music", "catalog", jobs=1)
print(report.catalog.vectors().values.shape, shelf.title)
"""


@pytest.mark.parametrize(
    ("where", "wrong"),
    [('"genres = jazz"', 0), ("None", 0), ("2024", 3), ('["genres = jazz"]', 3), ("{}", 3)],
)
def test_mypy_strict_catches_a_wrong_where_in_a_users_script(
    where: str, wrong: int, tmp_path: Path
) -> None:
    script = (
        f"{tmp_path.name}.py"  # of its own: the cache tells files apart by name, size and second
    )
    (tmp_path / script).write_text(SCRIPT.format(where=where))
    plain = "[mypy]\nstrict = true\nignore_missing_imports = true\n"
    (tmp_path / "mypy.ini").write_text(f"{plain}[mypy-musicu.*]\nignore_errors = true\n")
    cache = str(tmp_path.parent / "mypy-cache")
    command = [sys.executable, "-m", "mypy", "--cache-dir", cache, script]
    environment: dict[str, Any] = {"MYPYPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(errors) == wrong, done.stdout
    assert all("where" in line for line in errors)
