"""`musicu train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.output import note, print_json, safe
from musicu.cli.train_tracks import tracks
from musicu.errors import MissingExtraError


@click.group()
def train() -> None:
    """Train models on one's own music."""


train.add_command(tracks)


@train.command()
@click.argument("catalog", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the run: checkpoint, log, curves, and the model in OUT/model.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The recipe, a TOML file; what it leaves out keeps its default.",
)
@click.option("--init", help="Go on from this model, a name or a folder.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON lines.")
def audio(catalog: Path, out: Path, config: Path | None, init: str | None, as_json: bool) -> None:
    """Train an audio encoder on the recordings of CATALOG (needs the extra `train`).

    A run that was stopped goes on where it was when the same command is given again. With --init
    the better of the model before and after is kept, by retrieval on recordings held out, and the
    gain is said: by artist where enough are named, by halves of recordings otherwise. Use the
    result with `musicu embed --model OUT/model`.
    """
    try:
        from musicu.embeddings.training.run import tracks_of, train_audio
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchaudio", "onnx"):
            raise
        raise MissingExtraError("training", "train") from None
    from musicu.embeddings.training.train_config import Recipe, read_recipe

    usual = Recipe.going_on() if init else Recipe()
    recipe = read_recipe(config) if config else usual
    tracks = tracks_of(Catalog.open(catalog))
    result = train_audio(tracks, recipe, out, init=init, report=print_json if as_json else _tell)
    for path, reason in result.failures.items():
        note(f"left out: {safe(path)}: {safe(reason)}")
    if result.before is not None:
        note(f"before: {result.before.words()}")
    note(f"{result.kept}: {result.score.words()}")
    note(f"the model: {result.model}")


def _tell(event: dict[str, Any]) -> None:
    """One event of a training run, for people."""
    numbers = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in event.items()
        if name != "event"
    )
    note(f"{event.get('event', 'event')}: {numbers}")
