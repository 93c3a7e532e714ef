"""What commands that talk to a music server share: who asks, and `musicu scan` of one."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import click

from musicu.cli.output import note, print_json, warn
from musicu.errors import PlayerError

if TYPE_CHECKING:
    from musicu.players import JellyfinServer, SubsonicClient

_JELLYFIN = "MUSICU_JELLYFIN_API_KEY"
_USER, _PASSWORD, _KEY = (f"MUSICU_SUBSONIC_{name}" for name in ("USER", "PASSWORD", "API_KEY"))


def client_of(url: str) -> SubsonicClient:
    """A client of the server at an address, with what the environment says or people type in.

    The name may also stand in the address (http://name@host); a password may not, as addresses are
    kept in the shell's history. Raises PlayerError where nobody can be asked.
    """
    from musicu.players import Credentials, SubsonicClient

    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.password:
        raise click.UsageError(
            f"a password in the address stays in the shell's history: set {_PASSWORD}, or leave it "
            "out and type it in when asked"
        )
    key = os.environ.get(_KEY, "")
    if key:
        return SubsonicClient(url, Credentials(api_key=key))
    user = unquote(parts.username or "") or os.environ.get(_USER, "") or _asked("User", _USER)
    password = os.environ.get(_PASSWORD) or _asked("Password", _PASSWORD)
    return SubsonicClient(url, Credentials(user, password))


def jellyfin_of(url: str) -> JellyfinServer:
    """A Jellyfin server at an address, with the key of the environment; a user stands in front."""
    from musicu.players import JellyfinServer

    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.password:
        raise click.UsageError("a Jellyfin server takes an API key and no password")
    key = os.environ.get(_JELLYFIN) or _asked("API key", _JELLYFIN)
    return JellyfinServer(url, key, unquote(parts.username or ""))


def scan_music_server(
    server: SubsonicClient | JellyfinServer,
    out: Path,
    maps: tuple[str, ...],
    download: bool,
    as_json: bool,
    **rest: Any,
) -> int:
    """Read a server, report it, and choose the exit code."""
    from musicu.pipeline.run import EmbedOptions
    from musicu.players import RootMap, ServerScanOptions, scan_server
    from musicu.players.subsonic_scan import report_sentence, report_warnings

    roots = [RootMap.parse(text) for text in maps]
    names = {field.name for field in dataclasses.fields(EmbedOptions)}
    own = ServerScanOptions(
        roots=roots,
        download=download,
        force=rest["force"],
        retry_failed=rest["retry_failed"],
        embed=EmbedOptions(**{k: v for k, v in rest.items() if k in names and k != "force"}),
    )
    report = scan_server(server, out, own)
    if as_json:
        print_json({"event": "report", **_plain(report)})
    else:
        warn(report_warnings(report))
        note(report_sentence(report))
        if report.listens:
            note(f"listens: {report.listens_file}")
    return 1 if report.failed else 0


def _asked(what: str, variable: str) -> str:
    if not sys.stdin.isatty():
        raise PlayerError(f"no {what.lower()} for the server: set {variable}")
    found: str = click.prompt(what, hide_input=what != "User", err=True)
    return found


def _plain(report: Any) -> dict[str, Any]:
    found = {f.name: getattr(report, f.name) for f in dataclasses.fields(report)}
    return {k: str(v) if isinstance(v, Path) else v for k, v in found.items()}
