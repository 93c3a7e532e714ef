"""`musicu next`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.listeners import LISTENS, NEWCOMER, heard_by, known_as
from musicu.cli.options import AS_JSON, BLOCK_ARTIST, CATALOG, COUNT, filters
from musicu.cli.output import note, print_lines, print_table
from musicu.errors import QueryError
from musicu.retrieval import find_track, label

_HISTORY = 100  # a listener's last listens


@click.command("next")
@filters
@CATALOG
@click.argument("more", nargs=-1, metavar="[TRACK...]")
@click.option(
    "--after",
    multiple=True,
    metavar="TRACK",
    help="The session so far, the latest last; further tracks may follow.",
)
@click.option("--user", metavar="NAME", help="Continue the history of this listener of --listens.")
@LISTENS
@click.option("-k", type=COUNT, default=20, show_default=True, help="Number of tracks.")
@click.option(
    "--repeats/--no-repeats",
    default=None,
    help="Whether tracks of the session may come again. Default: as the model was trained.",
)
@BLOCK_ARTIST
@click.option("--max-per-artist", type=COUNT, default=4, show_default=True, help="Per artist.")
@AS_JSON
def next(  # the command's name
    catalog: Path,
    more: tuple[str, ...],
    after: tuple[str, ...],
    user: str | None,
    listens: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """List what comes next in CATALOG: after some tracks, or in a listener's history.

    \b
    Example: musicu next catalog --after "Artist - Title" "Artist - Other title"

    A track is an id, a path, or words such as "Artist - Title". `musicu train next` trains the
    model. The conditions choose among the same scores: new releases (--released-after), deep
    catalog (--max-popularity).
    """
    if bool(after) == (user is not None) or (more and not after):
        raise click.UsageError("say what goes on: either --after TRACK... or --user NAME")
    if (user is None) != (listens is None):
        raise click.UsageError("--user NAME and --listens FILE go together")
    opened = Catalog.open(catalog)
    if listens is not None and user is not None:
        session = _history(opened, listens, user)
    else:
        tracks = opened.tracks()
        session = [find_track(tracks, words) for words in (*after, *more)]
    rows = _found(opened, tuple(session), **options)
    if as_json:
        print_lines(rows)
    else:
        _print(opened, rows)


def _history(catalog: Catalog, listens: Path, user: str) -> list[str]:
    """The last tracks that somebody played, the latest last."""
    from musicu.sequences.listening_sessions import listening_sessions

    ids = known_as([user], catalog)
    sessions, _ = listening_sessions(heard_by(listens, catalog, list(ids), None))
    history = [track for session in sessions for track in session]
    if not history:
        raise QueryError(f"{listens} has no listens of {user!r} to tracks of {catalog.path}")
    return history[-_HISTORY:]


def _found(
    catalog: Catalog,
    session: tuple[str, ...],
    k: int,
    where: Any,
    repeats: bool | None,
    block_artist: tuple[str, ...],
    max_per_artist: int,
) -> list[dict[str, Any]]:
    from dataclasses import replace

    from musicu.candidates import Constraints, NextItem, TasteProfile, find_candidates
    from musicu.sequences.catalog_models import open_next_model

    model = open_next_model(catalog)
    again = model.settings.repeats if repeats is None else repeats
    model = replace(model, settings=replace(model.settings, repeats=again), made=model.scorers)
    constraints = Constraints(
        where=where,
        blocked_artists=frozenset(block_artist),
        max_per_artist=max_per_artist,
        heard=again,
    )
    taste = TasteProfile.from_seeds(list(dict.fromkeys(session)), catalog.vectors())
    sources = [NextItem(model, session)]
    found = find_candidates(catalog, {NEWCOMER: taste}, sources, k=k, constraints=constraints)
    return [
        {name: row[name] for name in ("track_id", "score", "reason")} for row in found.to_pylist()
    ]


def _print(catalog: Catalog, rows: list[dict[str, Any]]) -> None:
    """What comes next, for people."""
    if rows:
        shown = [[label(catalog.track(r["track_id"])), r["score"], r["reason"]] for r in rows]
        print_table(["track", "score", "why"], shown)
    else:
        note("no track meets the conditions")
