"""`musicu serve`."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import click

from musicu.cli import interrupt
from musicu.cli.options import CATALOG, EXISTING
from musicu.cli.output import note
from musicu.errors import MissingExtraError


@click.command()
@CATALOG
@click.option("--host", help="Address to listen on. Default: 127.0.0.1, this computer alone.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port. Default: 8765.")
@click.option("--token", help="What clients must show to write. Default: one is made and printed.")
@click.option("--config", type=EXISTING, help="TOML file with settings.")
@click.option("--read-only", is_flag=True, default=None, help="Write nothing, as a replica.")
@click.option("-m", "--model", help="Model whose vectors to use. Default: the catalog's default.")
@click.option(
    "--upload-root",
    "upload_roots",
    multiple=True,
    help="Folder whose files may be named in an upload; repeat for several.",
)
def serve(catalog: Path, config: Path | None, **given: Any) -> None:
    """Serve CATALOG over HTTP, and learn from what listeners do.

    \b
    Example: musicu serve catalog --port 8765 --token SECRET

    The environment (MUSICU_SERVE_TOKEN) and a TOML file (--config) set what no option does. Ctrl-C
    or SIGTERM stops it after the open requests are answered.
    """
    try:
        from musicu.serving.running import serve as run
        from musicu.serving.service_config import ServiceConfig
    except ModuleNotFoundError as error:
        raise MissingExtraError("the service", "serve") from error

    settings = ServiceConfig.read(config, os.environ, given)
    if not settings.token and not settings.read_only:
        made = secrets.token_urlsafe(24)
        settings = ServiceConfig.read(config, os.environ, {**given, "token": made})
        note(f"token: {made}")
    run(catalog, settings, interrupt.ignore_further)
