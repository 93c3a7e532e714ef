"""The reference of public names, from the packages that export them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

#: Packages whose public names are on the page of names.
PACKAGES = (
    "musicu",
    "musicu.audio",
    "musicu.audit",
    "musicu.candidates",
    "musicu.candidates.sources",
    "musicu.datasets",
    "musicu.embeddings",
    "musicu.evaluation",
    "musicu.evaluation.off_policy",
    "musicu.evaluation.recommendation",
    "musicu.experiments",
    "musicu.features",
    "musicu.judge",
    "musicu.listening.feedback",
    "musicu.pipeline.watching",
    "musicu.players",
    "musicu.playlists",
    "musicu.privacy",
    "musicu.ranking",
    "musicu.retrieval",
    "musicu.rewards",
    "musicu.sequences",
    "musicu.shelves",
    "musicu.shelves.recipes",
    "musicu.shelves.map",
)


def page() -> str:
    """The page of public names, from the packages."""
    lines = ["# Public names", "", _API_HEAD, ""]
    for package in PACKAGES:
        module = importlib.import_module(package)
        lines += [f"## {package}", "", inspect.cleandoc(module.__doc__ or ""), ""]
        for name in module.__all__:
            lines += _name(package, name, getattr(module, name))
    return "\n".join(lines)


_API_HEAD = (
    "These names are public: they keep their meaning within a version, as "
    "[deprecation.md](deprecation.md) says. Everything else is private."
)


def _name(package: str, name: str, found: Any) -> Iterator[str]:
    if inspect.ismodule(found):
        return
    home = getattr(found, "__module__", None)
    if inspect.isclass(found) or inspect.isfunction(found):
        yield from (f"::: {home}.{found.__qualname__}", "    options:")
        yield from (f"      heading: {package}.{name}", "")
    else:
        yield from (f"### {package}.{name} {{ #{package}.{name} }}", "")
        yield from (f"A constant: {type(found).__name__}.", "")
