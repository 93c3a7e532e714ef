"""`musicu train`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.interrupt import if_interrupted
from musicu.cli.options import CATALOG, EXISTING, FOLDER
from musicu.cli.output import note, print_json, safe
from musicu.cli.train_next import next_model
from musicu.cli.train_ranker import ranker
from musicu.cli.train_tracks import tracks
from musicu.errors import MissingExtraError, SourceError
from musicu.ingest.table import read_table

if TYPE_CHECKING:
    from musicu.embeddings.training.gains import Gain


@click.group()
def train() -> None:
    """Train models on your own music.

    \b
    Example: musicu train tracks catalog --playlists playlists.csv
    """


train.add_command(tracks)
train.add_command(next_model)
train.add_command(ranker)


@train.command()
@CATALOG
@click.option(
    "-o",
    "--out",
    required=True,
    type=FOLDER,
    help="The folder of the run: checkpoint, log, learning curves, and the model in OUT/model.",
)
@click.option(
    "--config",
    type=EXISTING,
    help="The training recipe, a TOML file; missing settings keep their defaults.",
)
@click.option("--init", help="Fine-tune this model, by name or folder.")
@click.option(
    "--made",
    type=FOLDER,
    help="A folder of synthetic music, for recipes that train on it. `python -m "
    "recipes.render_training_music` in the source repository renders one.",
)
@click.option(
    "--listens",
    type=EXISTING,
    help="A table of user_id and track_id. Tracks that share listeners become positive "
    "pairs, weighted by `listens` under [pairs] in the recipe (default: 1).",
)
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON lines.")
def audio(
    catalog: Path,
    out: Path,
    config: Path | None,
    init: str | None,
    made: Path | None,
    listens: Path | None,
    as_json: bool,
) -> None:
    """Train or fine-tune an audio encoder on the recordings of CATALOG (needs `musicu[train]`).

    \b
    Example: musicu train audio catalog --init musicu-audio-v2 -o run

    The same command resumes a run that was stopped. --init fine-tunes a model: it trains the
    network further, refits the projection by artists or albums, where tags or folders name them,
    and smooths vectors with their nearest neighbours. Each change is kept only if it is clearly
    better on held-out artists or albums. If none are known, only neighbour smoothing is applied,
    unless halves of recordings show that it harms. If nothing helps, OUT/model is a copy. Use the
    result with `musicu embed --model OUT/model`.

    For several GPUs, run the same command with `torchrun --nproc-per-node N -m musicu`.
    """
    try:
        from musicu.embeddings.training.from_catalog import tracks_of
        from musicu.embeddings.training.train_audio import train_audio
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchaudio", "onnx", "onnxscript"):
            raise
        raise MissingExtraError("training", "train") from None
    from musicu.embeddings.training.recipe import TrainingRecipe, read_recipe

    usual = TrainingRecipe.fine_tuning() if init else TrainingRecipe()
    recipe = read_recipe(config) if config else usual
    if listens is not None and recipe.pairs.listens == 0:
        recipe = replace(recipe, pairs=replace(recipe.pairs, listens=1.0))
    if_interrupted(f"the last checkpoint is kept in {out}: run the same command again to go on")
    tracks = tracks_of(Catalog.open(catalog), _listeners(listens))
    report = print_json if as_json else _tell
    result = train_audio(tracks, recipe, out, init=init, made=made, report=report)
    if os.environ.get("RANK", "0") != "0":
        return  # of several processes one speaks
    for path, reason in result.failures.items():
        note(f"left out: {safe(path)}: {safe(reason)}")
    if result.score is not None:
        note(f"held out: {result.score.words()}")
    if result.gain is not None:
        note(_said(result.kept, result.gain))
    note(f"the model: {result.model}")


def _said(kept: str, gain: Gain) -> str:
    """What fine-tuning gained, for people."""
    if gain.queries == 0:
        return "too few recordings to judge a change by, so the model stays as it was"
    if kept == "unchanged":
        return f"nothing was clearly gained, so the model stays as it was; at best {gain.words()}"
    if not gain.real:
        return (
            "vectors are smoothed with those of your recordings; names to measure a gain by are "
            f"missing, but no harm was seen: {gain.words()}"
        )
    what = "the projection was refit" if kept == "refitted" else "the network learned on"
    return f"gained: {what}; {gain.words()} (95 % interval)"


def _listeners(listens: Path | None) -> dict[str, list[str]]:
    """Who listened to each track."""
    if listens is None:
        return {}
    table = read_table(listens)
    missing = [name for name in ("user_id", "track_id") if name not in table.column_names]
    if missing:
        raise SourceError(f"{listens} has no column {missing[0]!r}, only {table.column_names}")
    found: dict[str, list[str]] = {}
    for user, track in zip(
        table["user_id"].to_pylist(), table["track_id"].to_pylist(), strict=True
    ):
        found.setdefault(str(track), []).append(str(user))
    return found


def _tell(event: dict[str, Any]) -> None:
    """One event of a training run, for people; what was gained is said at the end."""
    if event.get("event") == "gain":
        return
    numbers = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in event.items()
        if name != "event"
    )
    note(f"{event.get('event', 'event')}: {numbers}")
