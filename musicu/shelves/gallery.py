"""Several shelves as rows of covers: a folder with one page, which works offline from the disk.

The folder holds `index.html`, a page for each shelf with all of its reasons (`shelf-01.html`), the
covers, a playlist and a JSON file a shelf, and the music itself where it is to be copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from musicu.catalog.locations import absolute
from musicu.catalog.words import one_line
from musicu.errors import QueryError
from musicu.pages.document import INDEX, refuse_other_page, render, write_page
from musicu.pages.page_audio import COPIES, AudioPlacing, copy_name
from musicu.shelves.covers import Cover
from musicu.shelves.rendering import PLAIN_HUE, PageTrack, TrackRenderer, problems_of
from musicu.shelves.shelf import Shelf


@dataclass(frozen=True, slots=True)
class GalleryRow:
    """A shelf as a row: where its own page and its playlist are, as seen from the index."""

    number: int
    title: str
    about: str
    seed: Cover | None
    items: list[PageTrack]
    page: str
    playlist: str | None


def write_gallery(
    shelves: Sequence[Shelf],
    folder: str | Path,
    *,
    title: str = "Shelves",
    audio: AudioPlacing = "relative",
) -> list[str]:
    """Write the folder; returns a sentence for each track that cannot be played, each once.

    audio: "relative" names the files as seen from the folder, "absolute" by their full path,
    "copied" puts copies beside the pages, so that the folder can be sent to others whole.

    Raises QueryError for another placing or for no shelf at all, PageError where the folder
    holds another kind of page, CatalogError where the disk refuses.
    """
    if audio == "embedded" or not shelves:
        raise QueryError(
            "several shelves are too much for one page: audio is 'relative', 'absolute' or 'copied'"
            if shelves
            else "there is no shelf to show"
        )
    folder = absolute(Path(folder))
    refuse_other_page(folder / INDEX, "gallery")  # before anything is written
    renderer = TrackRenderer(audio, folder, folder / "covers")
    rows = [_row(shelf, place + 1, renderer) for place, shelf in enumerate(shelves)]
    problems = problems_of([item for row in rows for item in row.items])
    write_page(folder / INDEX, "gallery", _page(one_line(title), rows, problems))
    return problems


def _row(shelf: Shelf, number: int, renderer: TrackRenderer) -> GalleryRow:
    """A shelf's row; its own page, playlist and JSON are written on the way."""
    name, folder, audio = f"shelf-{number:02}", renderer.folder, renderer.audio
    shelf.to_html(folder / f"{name}.html", audio)
    shelf.to_json(folder / f"{name}.json")
    listed = all(item.file is not None for item in shelf)
    if listed:
        named = _copied(shelf, folder / COPIES) if audio == "copied" else shelf
        named.to_playlist(folder / f"{name}.m3u8")
    return GalleryRow(
        number=number,
        title=one_line(shelf.title),
        about=one_line(shelf.about),
        seed=renderer.cover(shelf.seed) if shelf.seed is not None else None,
        items=renderer.items(shelf.items),
        page=f"{name}.html",
        playlist=f"{name}.m3u8" if listed else None,
    )


def _copied(shelf: Shelf, folder: Path) -> Shelf:
    """The shelf with the copies in place of its files."""
    items = []
    for item in shelf:
        name = copy_name(item.track_id, item.file) if item.file is not None else None
        row = {**item.row, "root": str(folder), "path": name, "path_bytes": None}
        items.append(replace(item, row=row))
    return replace(shelf, items=tuple(items))


def _page(title: str, rows: Sequence[GalleryRow], problems: Sequence[str]) -> str:
    shown = [item for row in rows for item in row.items]
    return render(
        "gallery",
        hue=shown[0].cover.hue if shown else PLAIN_HUE,
        title=title,
        rows=rows,
        problems=problems,
        count=len({(t.title, t.artist) for t in shown}),
    )
