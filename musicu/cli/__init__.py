"""The command line: parse, one library call, print."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `musicu` and end the process with its exit code.

    0 done, 1 not all of it, 2 wrong usage, 130 stopped by Ctrl-C. Whatever goes wrong is told in
    one line; the traceback shows with MUSICU_TRACEBACK=1.
    """
    from musicu.cli import interrupt

    # Arrow's own pool keeps a hundred megabytes of what reading a million tracks took.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    interrupt.watch_for_interrupt()
    try:
        code = _run()
    except BaseException as error:
        if interrupt.interrupted() or isinstance(error, KeyboardInterrupt):
            interrupt.end_interrupted()
        raise
    if interrupt.interrupted():
        interrupt.end_interrupted()
    interrupt.ignore_further()
    sys.exit(code)


def _run() -> int | str | None:
    """Run the command that the arguments name; its exit code."""
    import warnings

    import click

    from musicu.cli.app import app
    from musicu.cli.output import use_known_letters
    from musicu.cli.progress_display import DISPLAY
    from musicu.progress import reporting

    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    use_known_letters()
    try:
        with reporting(DISPLAY):
            return int(app.main(prog_name="musicu", standalone_mode=False) or 0)
    except click.Abort:  # a prompt that was left, or Ctrl-C
        raise KeyboardInterrupt from None
    except SystemExit as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - told in a line
        return _told(error)
    finally:
        DISPLAY.clear()


def _told(error: Exception) -> int:
    """Say what went wrong; the exit code."""
    import click

    from musicu.cli import interrupt
    from musicu.cli.output import note
    from musicu.errors import MusicuError

    if interrupt.interrupted():
        return interrupt.EXIT_CODE  # what went wrong was the interruption
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show(sys.stderr)
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has left
        return 1
    if isinstance(error, MusicuError):
        note(f"error: {error}")
        return 1
    if os.environ.get("MUSICU_TRACEBACK"):
        raise error
    if isinstance(error, OSError):  # a disk or a permission that nobody has named before
        note(f"error: {error.filename or 'the system'}: {error.strerror or error}")
        return 1
    note(
        f"error: musicu has a bug, {type(error).__name__}: {error}\n"
        "Please report it with the output of the same command under MUSICU_TRACEBACK=1."
    )
    return 1
