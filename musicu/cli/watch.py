"""`musicu watch`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from musicu.cli.interrupt import if_interrupted
from musicu.cli.options import CONFIRM_PRUNE, FOLDER, JOBS, PATH, PRUNE, QUIET, page_of
from musicu.cli.output import note, print_json, warn
from musicu.cli.progress_display import DISPLAY
from musicu.cli.working import told, totals
from musicu.embeddings.cards import DEFAULT_MODEL
from musicu.errors import MusicuError
from musicu.pipeline.run import EmbedOptions, EmbedReport
from musicu.pipeline.watching import FolderNotifications, WatchOptions
from musicu.records import counted


@click.command()
@click.argument("source", type=FOLDER)
@click.argument("catalog", type=FOLDER)
@click.option(
    "--recipes", type=PATH, help="A TOML file of recipes, whose shelves are kept up to date."
)
@click.option(
    "--shelves", type=PATH, callback=page_of("gallery"), help="The folder for the page of shelves."
)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=WatchOptions().interval_seconds,
    help="Seconds between two scans while files arrive, or always with --poll.",
)
@click.option(
    "--poll",
    is_flag=True,
    help="Scan the folder again and again instead of waiting for the system's notifications, "
    "which network disks do not send.",
)
@PRUNE
@CONFIRM_PRUNE
@click.option("-m", "--model", default=DEFAULT_MODEL, help="Name or folder of the model.")
@JOBS
@click.option("--json", "as_json", is_flag=True, help="Print each change as a JSON line.")
@QUIET
def watch(
    source: Path,
    catalog: Path,
    recipes: Path | None,
    shelves: Path | None,
    interval: float,
    poll: bool,
    prune: bool,
    confirm_prune: bool,
    model: str,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Keep CATALOG up to date with the folder SOURCE, until Ctrl-C.

    \b
    Example: musicu watch ~/Music catalog --recipes shelves.toml --shelves page

    New and changed files are embedded within seconds of being completely written. With --recipes
    and --shelves, the page of shelves is rewritten after each change.
    """
    from musicu.pipeline import watching

    if (recipes is None) != (shelves is None):
        raise click.UsageError("--recipes and --shelves go together")
    stop = threading.Event()
    embed = EmbedOptions(jobs=jobs, prune=prune, confirm_prune=confirm_prune)
    options = WatchOptions(interval, model=model, embed=embed)
    refresh = _refresher(catalog, model, recipes, shelves)

    def changed(report: EmbedReport) -> None:
        _print(report, as_json)
        refresh()

    notifications = None if poll else _notifications(source)

    def wait(seconds: float) -> bool:
        DISPLAY.clear()
        if notifications is None:
            return stop.wait(seconds)
        notifications.wait(seconds)
        return False

    if_interrupted(f"what is finished is kept in {catalog}")
    signal.signal(signal.SIGTERM, _end)
    note(f"watching {source}; Ctrl-C ends it")
    watching.watch(
        source,
        catalog,
        options=options,
        wait=wait,
        notified=notifications is not None,
        changed=changed,
        trouble=lambda text: note(f"later: {text}"),
    )
    return 0


def _notifications(source: Path) -> FolderNotifications | None:
    """The system's notifications of a folder; None where it has none, which is said."""
    from musicu.pipeline.watching import FolderNotifications

    try:
        return FolderNotifications(source) if source.is_dir() else None
    except OSError as error:
        note(f"the system sends no notifications ({error.strerror or error}): scanning instead")
        return None


def _end(*_: object) -> None:
    """End as a service does that is told to."""
    raise SystemExit(0)


def _refresher(
    catalog: Path, model: str, recipes: Path | None, shelves: Path | None
) -> Callable[[], None]:
    """What writes the shelves anew; nothing where none are asked for."""
    if recipes is None or shelves is None:
        return lambda: None
    from musicu.shelves import load_recipes

    load_recipes(recipes)  # a mistake in it is told now, not at the first change

    def refresh() -> None:
        try:
            _write_shelves(catalog, model, recipes, shelves)
        except MusicuError as error:
            note(f"no shelves this time: {error}")

    return refresh


def _write_shelves(catalog: Path, model: str, recipes: Path, shelves: Path) -> None:
    """Build the shelves of a file of recipes and write their page."""
    from musicu.catalog.catalog import Catalog
    from musicu.pages.document import INDEX
    from musicu.shelves import ShelfContext, load_recipes
    from musicu.shelves.gallery import write_gallery

    opened = Catalog.open(catalog)
    name = model if model in opened.models() else None
    context = ShelfContext(opened, model=name)
    built = [shelf for recipe in load_recipes(recipes) for shelf in recipe.shelves(context)]
    write_gallery([shelf for shelf in built if len(shelf)], shelves)
    note(f"page: {shelves / INDEX}")


def _print(report: EmbedReport, as_json: bool) -> None:
    """One change."""
    warn(report.warnings)
    if as_json:
        print_json({"event": "change", **totals(report)})
        return
    parts = told(
        (report.embedded, "embedded"),
        (report.reused, "known by their sound"),
        (report.updated, "read again, of the same sound"),
        (report.failed, "failed"),
        (report.gone, "gone"),
        (report.pruned, "pruned"),
    )
    note(f"{datetime.now():%H:%M:%S} {counted(report.tracks, 'track')}: {', '.join(parts)}")
