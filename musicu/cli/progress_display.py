"""Progress on standard error: a bar on a terminal, a line now and then where it is redirected.

A thread of its own draws, so that a stage that computes for long at a time shows too; it sleeps
while nothing is in progress. Commands with --json or --quiet show nothing.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import click

from musicu.catalog.words import clock
from musicu.progress import Progress

_FIRST_SECONDS = 1.0  # what is done sooner needs no progress
_REDRAW_SECONDS = 0.25
_LINE_SECONDS = 10.0  # between two lines where standard error is redirected
_BAR = 24  # characters


class ProgressDisplay:
    """Shows the latest progress that it was told of."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._latest: Progress | None = None
        self._began = self._stage_began = self._written = 0.0
        self._first = 0  # what was done when the stage began
        self._drawn = False
        self._thread: threading.Thread | None = None

    def __call__(self, now: Progress) -> None:
        """Take in how far the work is."""
        if _silent():
            return
        with self._changed:
            moment = time.monotonic()
            if self._latest is None:
                self._began, self._written = moment, 0.0
                if self._thread is None:
                    self._thread = threading.Thread(target=self._draw_all, daemon=True)
                    self._thread.start()
                self._changed.notify()
            if self._latest is None or self._latest.stage != now.stage:
                self._stage_began, self._first = moment, now.done
            self._latest = now

    def clear(self) -> None:
        """Take the bar away before something else is written; it comes back with more progress."""
        with self._changed:
            self._latest = None
            if self._drawn:
                _write("\r\x1b[2K")
                self._drawn = False

    def _draw_all(self) -> None:
        while True:
            with self._changed:
                while self._latest is None:
                    self._changed.wait()
                if (moment := time.monotonic()) - self._began >= _FIRST_SECONDS:
                    self._draw(self._latest, moment)
            time.sleep(_REDRAW_SECONDS)

    def _draw(self, now: Progress, moment: float) -> None:
        line = progress_line(now, now.done - self._first, moment - self._stage_began)
        if sys.stderr.isatty():
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            _write("\r\x1b[2K" + f"{_bar(now)}{line}"[: max(20, width - 1)])
            self._drawn = True
        elif not self._written or moment - self._written >= _LINE_SECONDS:
            _write(line + "\n")
            self._written = moment


def progress_line(now: Progress, gained: int, seconds: float) -> str:
    """Progress in a line: stage, count, rate, remaining time.

    gained: what was done in `seconds`, which the rate is taken from.
    """
    unit = f" {now.unit}" if now.unit else ""
    parts = [now.stage]
    if now.total is not None:
        parts.append(f"{now.done:,} of {now.total:,}{unit}")
    elif now.done:
        parts.append(f"{now.done:,}{unit}")
    if gained > 0 and seconds > 0:
        rate = gained / seconds
        parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s")
        if now.total is not None and now.total > now.done:
            parts.append(f"{clock((now.total - now.done) / rate)} left")
    elif seconds >= 1:
        parts.append(f"for {clock(seconds)}")
    if now.failed:
        parts.append(f"{now.failed:,} failed")
    return ", ".join(parts)


def _bar(now: Progress) -> str:
    if not now.total:
        return ""
    full = min(_BAR, _BAR * now.done // now.total)
    return f"[{'#' * full}{'.' * (_BAR - full)}] "


def _silent() -> bool:
    """Whether the command that runs was told to print JSON, or nothing but its result."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(
        context.params.get("as_json") or context.meta.get("musicu.quiet")
    )


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


#: The one display of the process.
DISPLAY = ProgressDisplay()
