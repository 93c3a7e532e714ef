"""Imports run one way through the house, and `import musicu` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "musicu"
LAYERS = [
    {"records", "errors", "registry", "threads"},
    {"audio", "tags"},
    {"catalog"},
    {"pages"},
    {"ingest"},
    {"features"},
    {"embeddings"},
    {"pipeline"},
    {"retrieval"},
    {"audit", "playlists"},
    {"items"},
    {"listening"},
    {"ranking"},
    {"candidates"},
    {"shelves"},
    {"datasets"},
    {"evaluation", "judge"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
#: Doors up the house, opened when they are used: the catalog's face leads to its search.
DOORS = {("catalog/catalog.py", "retrieval")}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            if node.module == "musicu":
                yield from (f"musicu.{alias.name}" for alias in node.names)


def room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "musicu" and len(parts) > 1 else None


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE)
    rank = RANK.get(own.parts[0].removesuffix(".py"))
    if rank is None:
        return  # __init__.py and __main__.py stand at the door
    for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
        target = room(name)
        if target in RANK and (own.as_posix(), target) not in DOORS:
            assert RANK[target] <= rank, f"{own} imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_torch_is_imported_only_among_the_embeddings(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] != "embeddings":
        names = {name.split(".")[0] for name in imported(ast.parse(path.read_text("utf-8")))}
        assert not names & {"torch", "torchaudio", "librosa"}


def loaded_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_musicu_loads_nothing_heavy() -> None:
    heavy = {"torch", "librosa", "numpy", "scipy", "pyarrow", "click", "rich", "soundfile"}
    assert not loaded_after("import musicu") & heavy


def test_using_the_library_loads_neither_torch_nor_librosa() -> None:
    code = "import musicu\nmusicu.Catalog\nmusicu.embed\nmusicu.Embedder.load('musicu-stats-v1')"
    assert not loaded_after(code) & {"torch", "librosa"}


def test_help_imports_no_command() -> None:
    code = "import sys\nsys.argv = ['musicu', '--help']\nfrom musicu.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit:\n    pass"
    assert not loaded_after(code) & {"numpy", "pyarrow", "rich", "scipy"}


def test_every_public_name_is_there() -> None:
    import musicu

    for name in musicu.__all__:
        assert getattr(musicu, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = musicu.nothing  # type: ignore[attr-defined]
