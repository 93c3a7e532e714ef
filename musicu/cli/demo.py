"""`musicu demo`."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click

from musicu.cli.options import FOLDER
from musicu.cli.output import note, print_table, print_text
from musicu.embeddings.cards import DEFAULT_MODEL
from musicu.pipeline.run import run


@click.command()
@click.option(
    "-o",
    "--out",
    type=FOLDER,
    default=Path("musicu-demo"),
    help="The folder for the music, the catalog and the shelf.",
)
@click.option("--open/--no-open", "show", default=True, help="Open the shelf in a browser.")
def demo(out: Path, show: bool) -> None:
    """Make a small catalog of synthetic music and a shelf, to try musicu.

    \b
    Example: musicu demo --no-open

    Renders a few dozen short tracks by a dozen invented artists, embeds them, and builds the shelf
    of one track. Needs neither network nor files; running it again is safe.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.datasets import make_demo_music
    from musicu.shelves import more_like

    music, folder, page = out / "music", out / "catalog", out / "shelf.html"
    note("composing and playing the music …")
    truth = make_demo_music(music)
    report = run(music, folder, model=DEFAULT_MODEL)
    note(f"{truth.num_rows} tracks in {music}, {report.embedded} embedded into {folder}")
    catalog = Catalog.open(folder)
    tracks = catalog.tracks()
    seed = tracks["track_id"][tracks["path"].index(truth["path"][0]).as_py()].as_py()
    shelf = more_like(catalog, seed, size=10)
    shelf.to_html(page)
    rows = [[item.position, item.title, item.artist, item.score, item.reason] for item in shelf]
    print_text(shelf.title)
    print_table(["", "title", "artist", "score", "why"], rows)
    print_text(f"Listen to it: {page.resolve().as_uri()}")
    if show and _has_screen():
        webbrowser.open(page.resolve().as_uri())


def _has_screen() -> bool:
    """Whether a browser would have a window to open, rather than take over the terminal."""
    windowed = "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    return windowed or sys.platform in ("darwin", "win32")
