"""Registries find the implementations of musicu and of other packages, and say what fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packages import install

from musicu.errors import ModelError, RegistryError
from musicu.registry import Registry

GROUP = "musicu.test_role"
ROLE: Registry[Any] = Registry("test role", GROUP, {"own": "musicu.errors:ModelError"})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_an_own_implementation_is_loaded_by_name() -> None:
    assert ROLE.load("own") is ModelError


def test_a_package_adds_an_implementation(site: Path) -> None:
    install(site, "stranger_a", "class Thing:\n    size = 3", {GROUP: ["thing = stranger_a:Thing"]})
    assert ROLE.names() == ["own", "thing"]
    assert ROLE.load("thing").size == 3


def test_nothing_is_imported_before_it_is_loaded(site: Path) -> None:
    install(site, "stranger_b", "class Thing: ...", {GROUP: ["thing = stranger_b:Thing"]})
    assert "thing" in ROLE.names()
    assert ROLE.load("own") is ModelError
    assert "stranger_b" not in sys.modules


def test_an_unknown_name_is_an_error_that_lists_the_known(site: Path) -> None:
    install(site, "stranger_c", "", {GROUP: ["thing = stranger_c:Thing"]})
    with pytest.raises(RegistryError, match=r"no test role 'nothing': known are own, thing"):
        ROLE.load("nothing")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise OSError('no such library')", "OSError: no such library"),
        ("import nowhere_to_be_found", "nowhere_to_be_found"),
        ("other = 3", "has no attribute 'Thing'"),
        ("def broken(:", "SyntaxError"),
        ("Thing = 3", "is 3, neither a class nor a function"),
    ],
)
def test_a_broken_package_is_named_and_stops_no_other(site: Path, code: str, words: str) -> None:
    install(
        site,
        f"stranger_{abs(hash(code))}",
        code,
        {GROUP: [f"thing = stranger_{abs(hash(code))}:Thing"]},
    )
    assert ROLE.load("own") is ModelError
    with pytest.raises(RegistryError, match=rf"'thing' of the package stranger_\d+ 1.0.*{words}"):
        ROLE.load("thing")


def test_what_another_package_raises_is_told_with_its_name(site: Path) -> None:
    code = "class Thing:\n    def __init__(self, size): self.size = 1 / size"
    install(site, "stranger_j", code, {GROUP: ["thing = stranger_j:Thing"]})
    assert ROLE.make("thing", size=2).size == 0.5
    with pytest.raises(RegistryError, match=r"'thing' \(stranger_j\) failed: ZeroDivisionError"):
        ROLE.make("thing", size=0)


def test_a_package_with_damaged_metadata_stops_nothing(site: Path) -> None:
    install(site, "stranger_d", "", {GROUP: ["no equals sign"]})
    assert ROLE.load("own") is ModelError


def test_two_packages_of_one_name_are_both_named(site: Path) -> None:
    install(site, "stranger_e", "class Thing: ...", {GROUP: ["thing = stranger_e:Thing"]})
    install(site, "stranger_f", "class Thing: ...", {GROUP: ["thing = stranger_f:Thing"]})
    with pytest.raises(RegistryError, match=r"stranger_e 1\.0 .* and stranger_f 1\.0"):
        ROLE.load("thing")


def test_a_package_that_takes_an_own_name_is_named(site: Path) -> None:
    install(site, "stranger_g", "class Thing: ...", {GROUP: ["own = stranger_g:Thing"]})
    assert ROLE.names() == ["own"]
    with pytest.raises(RegistryError, match=r"musicu \(musicu.errors:ModelError\) and stranger_g"):
        ROLE.load("own")


def test_a_package_that_lies_on_the_path_twice_counts_once(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (site, site / "again"):
        install(folder, "stranger_h", "class Thing: ...", {GROUP: ["thing = stranger_h:Thing"]})
    monkeypatch.syspath_prepend(str(site / "again"))
    assert ROLE.load("thing").__name__ == "Thing"


def test_other_groups_are_no_concern(site: Path) -> None:
    install(site, "stranger_i", "", {"musicu.other_role": ["thing = stranger_i:Thing"]})
    assert ROLE.names() == ["own"]


def test_the_registry_loads_nothing_heavy() -> None:
    code = "import musicu.registry, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "importlib.metadata", "scipy"} & set(done.stdout.split())
