"""`musicu train tracks`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.cli.default_model import telling_default
from musicu.cli.interrupt import if_interrupted
from musicu.cli.options import (
    CATALOG,
    COUNT,
    EXISTING,
    LEARNED_LISTENS,
    LEARNED_PLAYLISTS,
    QUIET,
    SESSION_GAP,
)
from musicu.cli.output import note, print_json, warn
from musicu.cli.training_record import keep_record
from musicu.records import counted

if TYPE_CHECKING:
    import pyarrow as pa


@click.command()
@CATALOG
@click.option("--pairs", type=EXISTING, help="A table of track_a, track_b and optionally weight.")
@LEARNED_LISTENS
@LEARNED_PLAYLISTS
@click.option(
    "--audio-model",
    help="The audio model whose vectors are an input. Default: the catalog's default model, "
    "or its first audio model if that is a track encoder.",
)
@click.option("--name", default="tracks-v1", help="The name of the new model.")
@click.option("--dim", type=click.IntRange(min=3), help="Dimension of the vectors.")
@click.option("--steps", type=COUNT, help="Training steps.")
@SESSION_GAP
@click.option("--seed", type=click.IntRange(min=0), help="Random seed.")
@click.option("--keep-default", is_flag=True, help="Do not change the catalog's default model.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON lines.")
@QUIET
def tracks(
    catalog: Path,
    pairs: Path | None,
    listens: Path | None,
    playlists: Path | None,
    audio_model: str | None,
    name: str,
    keep_default: bool,
    as_json: bool,
    **recipe: Any,
) -> None:
    """Train a track encoder on metadata, numeric columns and audio vectors of CATALOG.

    \b
    Example: musicu train tracks catalog --playlists playlists.csv

    Tracks of one pair, listener or playlist are trained to be close; several tables are combined.
    Without a table, tracks of one artist or album are. The vectors also cover tracks that nobody
    has played. The model is stored in the catalog and becomes its default model, so that
    `similar`, `shelf`, `candidates` and other commands use it. Training again under the same name
    replaces the model and leaves the default as it is. Tables are Parquet or CSV.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.embeddings.tracks.config import TrackConfig
    from musicu.embeddings.tracks.fit import fit_tracks
    from musicu.embeddings.tracks.refresh import add_track_model

    if_interrupted(f"{catalog} is as it was: training begins anew")
    recipe["session_gap_minutes"] = recipe.pop("session_gap")
    told = {option: value for option, value in recipe.items() if value is not None}
    opened = Catalog.open(catalog)
    heard, listed = _listens(listens), _table(playlists)
    encoder = fit_tracks(
        opened,
        pairs=_table(pairs),
        listens=heard,
        playlists=listed,
        config=TrackConfig(**told),
        name=name,
        audio_model=audio_model,
        progress=print_json if as_json else _tell,
    )
    if_interrupted(f"{catalog} may hold the new model or not yet: run the same command again")
    with telling_default(catalog):
        card = add_track_model(catalog, encoder, make_default=not keep_default)
    if listeners := _listeners(heard, listed):
        keep_record(opened, name, listeners, audio_model=encoder.audio_model)
    learned = encoder.about["training"]
    if unknown := learned["unknown_rows"]:
        note(f"warning: {counted(unknown, 'row')} of tracks that {catalog} does not have: left out")
    if idle := learned["idle_rows"]:
        note(
            f"warning: {counted(idle, 'row')} pairing a track with itself, repeating a track of a "
            "playlist or without a playlist: left out"
        )
    note(f"{card.name}: {card.dim} numbers, kept in {catalog}; use it with --model {card.name}")


def _table(path: Path | None) -> pa.Table | None:
    from musicu.ingest.table import read_table

    return None if path is None else read_table(path)


def _listens(path: Path | None) -> pa.Table | None:
    """Listens without what cannot be worked with, which is said."""
    from musicu.candidates import check_listens

    table = _table(path)
    if table is None:
        return None
    checked = check_listens(table)
    warn(checked.warnings())
    # a column that was not there must not look as if it were: sessions need moments
    return checked.listens.select(
        [n for n in checked.listens.column_names if n in table.schema.names]
    )


def _listeners(listens: pa.Table | None, playlists: pa.Table | None) -> list[str]:
    """Whom the tables are of; a playlist counts as a listener."""
    from musicu.ingest.playlist_tables import playlist_rows

    found: list[str] = [] if listens is None else listens["user_id"].unique().to_pylist()
    if playlists is not None:
        found += playlist_rows(playlists)["playlist_id"].drop_null().unique().to_pylist()
    return found


def _tell(event: dict[str, Any]) -> None:
    """One event of the training, for people."""
    numbers = {name: value for name, value in event.items() if name != "event"}
    if event["event"] == "held out":
        count = numbers.pop("tracks")
        ways = _listed(list(numbers.items()))
        note(f"recall@10 of {count} held-out tracks without learning: {ways}")
    else:
        note(f"step {numbers.pop('step')}: {_listed(list(numbers.items()))}")


def _listed(numbers: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in numbers)
