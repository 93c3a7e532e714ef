"""Registries: the implementations of a role by name, musicu's own and those of other packages.

A role (embedder, ranker, executor, …) has one `Registry`. musicu's own implementations stand in
its table as "module:object"; another package adds one as an entry point of the role's group:

    [project.entry-points."musicu.rankers"]
    my-ranker = "my_package.ranking:MyRanker"

Nothing is imported before it is loaded. docs/extending.md has a complete example.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from musicu.errors import MusicuError, RegistryError

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

#: What is registered: a class, or a function that makes an implementation.
T = TypeVar("T", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class _Registration:
    """A name as one package registers it; package: its name and version, or "musicu"."""

    name: str
    target: str
    package: str


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The implementations of one role.

    role: for error messages, "ranker". group: of entry points, "musicu.rankers". builtins: name →
    "module:object" of musicu's own, where an object is a class or a function.
    """

    role: str
    group: str
    builtins: Mapping[str, str]

    def names(self) -> list[str]:
        """All names: musicu's own in the order of their table, then others by name."""
        added = {found.name for found in self._added()} - self.builtins.keys()
        return [*self.builtins, *sorted(added)]

    def load(self, name: str) -> T:
        """What is registered under a name.

        Raises RegistryError where the name is unknown, where two packages register it, and where
        another package's registration cannot be imported or is neither a class nor a function.
        """
        found = [r for r in self._registrations() if r.name == name]
        if not found:
            raise RegistryError(
                f"there is no {self.role} {name!r}: known are {', '.join(self.names()) or 'none'}"
            )
        if len(found) > 1:
            packages = " and ".join(sorted(f"{r.package} ({r.target})" for r in found))
            raise RegistryError(
                f"the {self.role} {name!r} is registered twice, by {packages}: uninstall one of "
                "the packages, or have one of the names changed"
            )
        if name in self.builtins:
            built_in: T = _resolve(found[0].target)
            return built_in
        return self._load_added(found[0])

    def make(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Load what is registered under a name and call it.

        Raises RegistryError as `load` does, and where another package's code raises anything but
        a MusicuError.
        """
        factory = self.load(name)
        if name in self.builtins:
            return factory(*arguments, **options)
        try:
            return factory(*arguments, **options)
        except MusicuError:
            raise
        except Exception as error:  # another's code may raise anything
            raise RegistryError(
                f"the {self.role} {name!r} ({factory.__module__}) failed: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _load_added(self, found: _Registration) -> T:
        """What another package registers."""
        where = f"the {self.role} {found.name!r} of the package {found.package}"
        try:
            loaded = _resolve(found.target)
        except Exception as error:  # another's module may raise anything
            raise RegistryError(
                f"{where} cannot be loaded from {found.target!r}: "
                f"{type(error).__name__}: {error}; update or uninstall that package"
            ) from error
        if not callable(loaded):
            raise RegistryError(
                f"{where} is {loaded!r}, neither a class nor a function: its entry point "
                f"{found.target!r} must name one"
            )
        added: T = loaded
        return added

    def _registrations(self) -> Iterator[_Registration]:
        """Every registration of the role."""
        for name, target in self.builtins.items():
            yield _Registration(name, target, "musicu")
        yield from self._added()

    def _added(self) -> frozenset[_Registration]:
        """What other packages register; a package that lies on the path twice counts once."""
        return _added_by_group(_path_state()).get(self.group, frozenset())


def _path_state() -> tuple[tuple[str, int], ...]:
    """The folders that packages are found in, and when something was last installed there."""
    return tuple((place, _changed(place)) for place in sys.path)


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(1)
def _added_by_group(
    state: tuple[tuple[str, int], ...],
) -> dict[str, frozenset[_Registration]]:
    """What packages register, by group; reading all of their metadata takes 25 ms."""
    from importlib.metadata import distributions

    found: dict[str, set[_Registration]] = {}
    for package in distributions():
        for point in _entry_points(package):
            if point.group.startswith("musicu."):
                told = _Registration(point.name, point.value, f"{package.name} {package.version}")
                found.setdefault(point.group, set()).add(told)
    return {group: frozenset(told) for group, told in found.items()}


def _entry_points(package: Distribution) -> list[EntryPoint]:
    """A package's entry points; none where its metadata is damaged."""
    try:
        return list(package.entry_points)
    except Exception:  # noqa: BLE001 - a damaged package that may not concern us stops nothing
        return []


def _resolve(target: str) -> Any:
    """The object that "module:object" names."""
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module.strip())
    for name in filter(None, path.strip().split(".")):
        found = getattr(found, name)
    return found
