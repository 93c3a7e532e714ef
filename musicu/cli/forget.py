"""`musicu forget`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from musicu.cli.options import AS_JSON, CATALOG, EXISTING
from musicu.cli.output import note, print_json, print_table, warn
from musicu.errors import BusyCatalogError, CatalogError, MusicuError
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.privacy import Forgotten
    from musicu.privacy.trained_models import TrainedModel


#: Options of training commands that name tables of listeners.
_TABLES = ("--listens", "--playlists", "--exposures", "--outcomes")


@click.command()
@CATALOG
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@click.option(
    "--also",
    multiple=True,
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="A table (Parquet, CSV, TSV) outside CATALOG, such as listens, candidates or results of "
    "an experiment, or a folder of them; repeat for several.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="NAME",
    help="A column of listeners under an unusual name; repeat for several.",
)
@click.option(
    "--refit", is_flag=True, help="Train models that learned from USER again, without USER."
)
@click.option("--key", type=EXISTING, help="File with the key of the listeners' pseudonyms.")
@AS_JSON
def forget(
    catalog: Path,
    users: tuple[str, ...],
    also: tuple[Path, ...],
    columns: tuple[str, ...],
    refit: bool,
    key: Path | None,
    as_json: bool,
) -> int:
    """Remove listeners from CATALOG: feedback, tables in its folder, and what models know.

    \b
    Example: musicu forget catalog NAME --also listens.parquet --refit

    USER is a name or a pseudonym. Rows are removed from exposures, outcomes and every table with a
    column of listeners in the folder of CATALOG and under --also; the files are written again.
    Models that were trained with USER are listed, and trained again (--refit) or marked. The exit
    code is 1 if a file still holds the id. Running again finishes what was stopped.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.privacy import forget as forget_listeners

    opened = Catalog.open(catalog)
    try:
        done = forget_listeners(
            opened,
            users,
            also,
            columns=columns,
            key_file=key,
            retrain=_retrainer(users, opened, key) if refit else None,
        )
    except BusyCatalogError as error:
        raise CatalogError(f"{error}. A service forgets by DELETE /listeners/NAME") from error
    if as_json:
        print_json(_document(done))
    else:
        _tell(done)
    warn(f"{path} still holds the id of the listener: delete it" for path in done.leftovers)
    return 1 if done.leftovers else 0


def _retrainer(
    users: tuple[str, ...], catalog: object, key: Path | None
) -> Callable[[TrainedModel], bool]:
    """Trains a model again by the command that it remembers."""
    from musicu.catalog.catalog import Catalog
    from musicu.listening.pseudonyms import KEY_FILE, listener_ids
    from musicu.privacy.forgetting import holds_listeners

    assert isinstance(catalog, Catalog)
    ids = listener_ids(users, key or catalog.path / KEY_FILE)

    def retrain(model: TrainedModel) -> bool:
        from musicu.cli.app import app

        if not model.command:
            note(f"{model.name}: nobody knows how it was trained, so it is marked")
            return False
        tables = [
            Path(word.partition("=")[2])
            for word in model.command
            if word.partition("=")[0] in _TABLES
        ]
        for table in tables:
            if not table.is_file():
                note(f"{model.name}: {table} is not there any more, so it is marked")
                return False
            if holds_listeners(table, ids):
                note(f"{model.name}: {table} still holds the listener: give it with --also")
                return False
        note(f"{model.name}: training again")
        try:
            command = _of_catalog(model.command, catalog.path)
            app.main(command, prog_name="musicu", standalone_mode=False)
        except (MusicuError, click.ClickException) as error:
            note(f"{model.name}: cannot be trained again, so it is marked: {error}")
            return False
        return True

    return retrain


def _of_catalog(command: tuple[str, ...], catalog: Path) -> list[str]:
    """A training command for this catalog, which may be a copy of the one that it was for."""
    group, kind, *words = command
    return [
        *(group, kind),
        *(word if word.startswith("-") else str(catalog.absolute()) for word in words),
    ]


def _document(done: Forgotten) -> dict[str, object]:
    return {
        "feedback_rows": done.feedback_rows,
        "tables": {str(path): rows for path, rows in done.tables.items()},
        "models": [asdict(model) for model in done.models],
        "leftovers": [str(path) for path in done.leftovers],
    }


def _tell(done: Forgotten) -> None:
    """What was removed and what was found, for people."""
    rows: list[tuple[str, str]] = []
    if done.feedback_rows:
        rows.append(("feedback", f"{counted(done.feedback_rows, 'row')} removed"))
    rows += [(str(path), f"{counted(gone, 'row')} removed") for path, gone in done.tables.items()]
    rows += [(f"model {model.name}", _fate(model)) for model in done.models]
    if rows:
        print_table(["what", ""], rows)
    else:
        note("no file and no model knows this listener")


def _fate(model: TrainedModel) -> str:
    if model.retrained:
        return "trained again without the listener"
    if model.certain:
        return "was trained with the listener: marked; train it again"
    return "may have been trained with the listener: train it again"
