"""A progress bar for runs over a source."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from musicu.pipeline.loop import Progress


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A progress bar on standard error, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("{task.fields[failed]}", style="red"),
    )
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("looking", total=None, rate="", failed="")

        def show(now: Progress) -> None:
            elapsed = bar.tasks[line].elapsed or 0.0
            rate = now.done / elapsed if elapsed else 0.0
            bar.update(
                line,
                description="listening",
                completed=now.done,
                total=now.todo,
                rate=f"{rate:.1f} tracks/s",
                failed=f"{now.failed} failed" if now.failed else "",
            )

        yield show
