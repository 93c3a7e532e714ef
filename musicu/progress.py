"""How far long work is: whoever does it tells, and whoever wants to know listens.

Work of any depth calls `tell` or goes through `tracked`; `reporting` says who is told. Without a
listener both cost next to nothing. Threads that the work starts do not tell.

    with reporting(print):
        embed("~/Music", "catalog")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is: so many units done, of how many (None: unknown), and how many failed."""

    stage: str
    done: int = 0
    total: int | None = None
    unit: str = ""
    failed: int = 0


_listener: ContextVar[Callable[[Progress], None] | None] = ContextVar("listener", default=None)


@contextmanager
def reporting(report: Callable[[Progress], None]) -> Iterator[None]:
    """Have `report` called with the progress of all work inside the block."""
    token = _listener.set(report)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(
    stage: str, done: int = 0, total: int | None = None, unit: str = "", failed: int = 0
) -> None:
    """Say how far a stage is. stage: what is being done, such as "reading listens"."""
    report = _listener.get()
    if report is not None:
        report(Progress(stage, done, total, unit, failed))


def tracked(
    items: Iterable[Item],
    stage: str,
    total: int | None = None,
    unit: str = "",
    size: Callable[[Item], int] = lambda item: 1,
) -> Iterator[Item]:
    """The items, telling of each that is done. size: how many units an item is."""
    done = 0
    tell(stage, 0, total, unit)
    for item in items:
        yield item
        done += size(item)
        tell(stage, done, total, unit)
