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
    {
        "records",
        "errors",
        "normalisation",
        "object_store",
        "public_names",
        "bootstrap",
        "progress",
        "registry",
        "threads",
    },
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
    {"joining"},
    {"listening"},
    {"players"},
    {"sequences"},
    {"rewards"},
    {"ranking", "policies"},
    {"candidates"},
    {"shelves"},
    {"datasets"},
    {"evaluation", "judge"},
    {"experiments"},
    {"privacy"},
    {"serving"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
#: Doors up the house, opened when they are used: the catalog's face leads to its search, and a
#: descriptor comes from a model's network.
DOORS = {
    ("catalog/catalog.py", "retrieval"),
    ("catalog/catalog.py", "ingest"),
    ("features/describing.py", "embeddings"),
}
MODULES = sorted(PACKAGE.rglob("*.py"))
#: What trains outside the embeddings, and is imported when it is called.
SEQUENCE_TRAINING = {"transformer_network.py", "transformer_training.py", "transformer_graph.py"}
#: What stands above all rooms.
ENTRANCE = {"__init__", "__main__"}


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


def test_every_room_has_a_layer() -> None:
    inside = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert inside - ENTRANCE == set(RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    own = path.relative_to(PACKAGE)
    if own.stem in ENTRANCE and len(own.parts) == 1:
        return
    rank = RANK[own.parts[0].removesuffix(".py")]
    for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
        target = room(name)
        if target in RANK and (own.as_posix(), target) not in DOORS:
            assert RANK[target] <= rank, f"{own} imports {name}"


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below a node, but for what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield other
                yield from executed(other)
        else:
            yield child
            yield from executed(child)


def import_graph(package: Path) -> dict[str, set[str]]:
    """The modules of a package that each of them imports, at once or when a function runs."""
    names: dict[str, Path] = {}
    for path in package.rglob("*.py"):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        names[".".join(parts).removesuffix(".__init__")] = path
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        found = set()
        for node in executed(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                inside = {f"{node.module}.{alias.name}" for alias in node.names} & set(names)
                found |= inside or {node.module}
        graph[name] = found & set(names) - {name}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules that reach each other."""
    reached = {name: set(targets) for name, targets in graph.items()}
    for middle in graph:  # Warshall's transitive closure
        for targets in reached.values():
            if middle in targets:
                targets |= reached[middle]
    found = {
        frozenset(o for o in targets if name in reached[o]) for name, targets in reached.items()
    }
    return sorted((set(group) for group in found if group), key=sorted)


def test_modules_do_not_import_each_other() -> None:
    assert cycles(import_graph(PACKAGE)) == []


def test_a_cycle_is_found(tmp_path: Path) -> None:
    package = tmp_path / "house"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("def f():\n    from house import two\n")
    (package / "two.py").write_text("import house.three\n")
    (package / "three.py").write_text("from house.one import f\n")
    assert cycles(import_graph(package)) == [{"house.one", "house.two", "house.three"}]
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.one import f\n"
    (package / "three.py").write_text(typed)
    assert cycles(import_graph(package)) == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_torch_is_imported_only_by_what_trains(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] != "embeddings" and path.name not in SEQUENCE_TRAINING:
        names = {name.split(".")[0] for name in imported(ast.parse(path.read_text("utf-8")))}
        assert not names & {"torch", "torchaudio", "librosa"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_the_package_needs_none_of_its_recipes(path: Path) -> None:
    names = imported(ast.parse(path.read_text("utf-8")))
    assert "recipes" not in {name.split(".")[0] for name in names}


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
