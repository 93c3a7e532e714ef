"""`musicu train next`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.cli.listeners import heard_by
from musicu.cli.options import (
    AS_JSON,
    CATALOG,
    LEARNED_LISTENS,
    LEARNED_PLAYLISTS,
    MODEL,
    QUIET,
    SEED,
    SESSION_GAP,
)
from musicu.cli.output import note, print_json
from musicu.cli.training_record import keep_record
from musicu.errors import QueryError
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.catalog.catalog import Catalog


@click.command("next")
@CATALOG
@LEARNED_LISTENS
@LEARNED_PLAYLISTS
@SESSION_GAP
@click.option(
    "--kind",
    type=click.Choice(("auto", "rules", "ease", "transformer")),
    default="auto",
    show_default=True,
    help="The model: auto mixes sequential rules, EASE and session neighbours.",
)
@click.option(
    "--repeats/--no-repeats",
    default=None,
    help="Whether tracks of a session may come again. Default: as held-out sessions do.",
)
@click.option("--no-content", is_flag=True, help="Learn from sessions alone, without vectors.")
@MODEL
@SEED
@AS_JSON
@QUIET
def next_model(
    catalog: Path,
    listens: Path | None,
    playlists: Path | None,
    session_gap: float | None,
    kind: str,
    repeats: bool | None,
    no_content: bool,
    model: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Train a model that says which track comes next, from listens or playlists.

    \b
    Example: musicu train next catalog --listens listens.parquet

    Listens are cut into sessions at pauses of 30 minutes unless --session-gap is given. Settings
    and the mixture are chosen by sessions that are held out. A transformer (the extra `train`) is
    trained where --kind asks for it; `auto` leaves it out, since it was behind where it was
    measured. Tracks that nobody has played are placed by their vectors. The model is kept in
    CATALOG, for `musicu next`, the source `next` of `musicu candidates`, and the recipes radio
    and fill-playlist.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.sequences import fit
    from musicu.sequences.catalog_models import store_next_model

    if (listens is None) == (playlists is None):
        raise click.UsageError("say what to learn from: either --listens FILE or --playlists FILE")
    opened = Catalog.open(catalog)
    listeners, sessions, times = _sessions(opened, listens, playlists, session_gap)
    name = None if no_content or not opened.models() else model or opened.default_model
    vectors = None if name is None else opened.vectors(name)
    content = None if vectors is None else (vectors.ids, vectors.values)
    fitted = fit(sessions, times=times, content=content, kind=kind, seed=seed, repeats=repeats)
    store_next_model(opened, fitted, name)
    keep_record(opened, "next", listeners, model=name)
    if as_json:
        print_json({"sessions": len(sessions), "tracks": len(fitted.items), **fitted.report})
    else:
        _tell(catalog, len(sessions), fitted)


def _sessions(
    catalog: Catalog, listens: Path | None, playlists: Path | None, gap: float | None
) -> tuple[list[str], list[list[str]], list[float] | None]:
    """Whose the sessions are (a playlist counts as a listener), the sessions, and their times."""
    from musicu.ingest.playlist_tables import playlist_rows
    from musicu.ingest.table import read_table
    from musicu.sequences.listening_sessions import (
        GAP_MINUTES,
        listening_sessions,
        playlist_sessions,
    )

    listeners: list[str] = []
    sessions: list[list[str]] = []
    times: list[float] | None = None
    if listens is not None:
        heard = heard_by(listens, catalog, None, None)
        listeners = heard["user_id"].unique().to_pylist()
        sessions, times = listening_sessions(heard, gap or GAP_MINUTES)
    if playlists is not None:
        known = set(catalog.tracks()["track_id"].to_pylist())
        rows = playlist_rows(read_table(playlists))
        sessions = playlist_sessions(rows, known)
        listeners = rows["playlist_id"].drop_null().unique().to_pylist()
    if not sessions:
        raise QueryError(f"{listens or playlists} holds no track of {catalog.path}")
    return listeners, sessions, times


def _tell(catalog: Path, sessions: int, fitted: Any) -> None:
    """What was measured and chosen, for people."""
    report = fitted.report
    what = f"{counted(sessions, 'session')} of {counted(len(fitted.items), 'track')}"
    if report["targets"]:
        note(f"{what}; NDCG@20 of {report['targets']:,} held-out tracks: {_listed(report['ndcg'])}")
    else:
        note(f"{what}; too few come again to hold any out, so settings and mixture are not chosen")
    note(f"mixture: {_listed(report['weights'])}")
    if found := report.get("content"):
        note(f"with vectors: {_listed(found['weights'])}; not yet played: x {found['level']:.3g}")
    again = "may" if fitted.settings.repeats else "do not"
    if report["targets"]:
        share = f"{report['repeat_share']:.1%} of held-out tracks are repeats"
        note(f"{share}, so tracks {again} come again")
    note(f'kept in {catalog}; use it with `musicu next {catalog} --after "Artist - Title"`')


def _listed(numbers: Any) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
