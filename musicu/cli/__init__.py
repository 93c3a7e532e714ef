"""The command line: parse, one library call, print."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run `musicu` and end the process with its exit code: 0 done, 1 not all of it, 2 wrong usage.

    Whatever goes wrong is told in one line; the traceback shows with MUSICU_TRACEBACK=1.
    """
    import warnings

    import click

    from musicu.cli.app import app
    from musicu.cli.output import note, use_known_letters
    from musicu.errors import MusicuError

    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    use_known_letters()
    try:
        sys.exit(app.main(prog_name="musicu", standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        note("stopped; what was finished is kept, run the same command again to go on")
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output has left
        sys.exit(1)
    except MusicuError as error:
        note(f"error: {error}")
        sys.exit(1)
    except OSError as error:  # a disk or a permission that nobody has named before
        if os.environ.get("MUSICU_TRACEBACK"):
            raise
        note(f"error: {error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(1)
    except Exception as error:
        if os.environ.get("MUSICU_TRACEBACK"):
            raise
        note(
            f"error: musicu has a bug, {type(error).__name__}: {error}\n"
            "Please report it with the output of the same command under MUSICU_TRACEBACK=1."
        )
        sys.exit(1)
