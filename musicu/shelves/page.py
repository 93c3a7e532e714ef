"""A shelf as one page: it works offline, from the disk, and runs nothing that a tag says."""

from __future__ import annotations

from pathlib import Path

from musicu.catalog.files import write_atomically
from musicu.catalog.locations import absolute
from musicu.catalog.words import one_line
from musicu.shelves.rendering import (
    AudioPlacing,
    Placing,
    asset,
    bar,
    filled,
    page_track,
    problems_of,
)
from musicu.shelves.shelf import Shelf

#: The hue of a page without tracks.
PLAIN_HUE = 220


def write_page(shelf: Shelf, path: Path, audio: AudioPlacing, embed_limit_bytes: int) -> list[str]:
    """Write the page; returns a sentence for each track that cannot be played on it."""
    text, problems = render_page(shelf, absolute(path).parent, audio, embed_limit_bytes)
    write_atomically(path, lambda to: to.write_text(text, encoding="utf-8", newline="\n"))
    return problems


def render_page(
    shelf: Shelf, folder: Path, audio: AudioPlacing, embed_limit_bytes: int
) -> tuple[str, list[str]]:
    """The page's text, to lie in `folder`, and what cannot be played on it."""
    placing = Placing(audio, folder, embed_limit_bytes)
    seed = page_track(shelf.seed, placing) if shelf.seed else None
    scores = [item.score for item in shelf]
    items = [page_track(item, placing, bar(item.score, scores)) for item in shelf]
    shown = [track for track in (seed, *items) if track is not None]
    problems = problems_of(shown)
    text = filled(
        "page.html.jinja",
        asset("base.css").replace("__HUE__", str(shown[0].cover.hue if shown else PLAIN_HUE))
        + asset("page.css"),
        asset("position.js") + asset("page.js"),
        title=one_line(shelf.title),
        about=one_line(shelf.about),
        eyebrow=_eyebrow(shelf),
        seed=seed,
        items=items,
        notes=[one_line(note) for note in shelf.notes],
        problems=problems,
    )
    return text, problems


def _eyebrow(shelf: Shelf) -> str:
    """The line above the title: how many tracks, and what they are to the track shown."""
    count = f"{len(shelf)} track{'' if len(shelf) == 1 else 's'}"
    if shelf.seed is None:
        return f"{count}, {one_line(shelf.about)}" if shelf.about else count
    plain = shelf.title == f"More like {shelf.seed.title}"
    return f"{count} like" if plain else f"{one_line(shelf.title)}: {count}"
