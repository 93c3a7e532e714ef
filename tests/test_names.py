"""One name, one thing: no class is defined twice, no module is mistaken for another or long."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "musicu"
MODULES = sorted(PACKAGE.rglob("*.py"))
#: `__init__` is every package's; `musicu.catalog.catalog` holds the one class of its package.
GENERIC_MODULES = {"__init__", "catalog"}


def class_names(module: Path) -> list[str]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def doubled(names: list[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def test_no_class_is_defined_twice() -> None:
    assert doubled([name for module in MODULES for name in class_names(module)]) == set()


def test_no_module_is_called_as_another() -> None:
    """The modules of `cli` are named by their commands, which are named by what they run."""
    names = [module.stem for module in MODULES if module.parent != PACKAGE / "cli"]
    packages = [module.parent.name for module in MODULES if module.stem == "__init__"]
    found = doubled([*names, *packages]) - GENERIC_MODULES
    assert found == set()


def test_no_module_has_more_than_400_lines() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert [path for path, count in lines.items() if count > 400] == []
