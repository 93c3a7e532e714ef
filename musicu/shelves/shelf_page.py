"""A shelf as one page, every track with all of its reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from musicu.catalog.locations import absolute
from musicu.catalog.words import one_line
from musicu.pages.document import render, write_page
from musicu.pages.page_audio import AudioPlacing
from musicu.records import counted
from musicu.shelves.rendering import PLAIN_HUE, TrackRenderer, problems_of

if TYPE_CHECKING:
    from musicu.shelves.shelf import Shelf


def write_shelf(shelf: Shelf, path: Path, audio: AudioPlacing, embed_limit_bytes: int) -> list[str]:
    """Write the page; returns a sentence for each track that cannot be played on it."""
    text, problems = render_shelf(shelf, absolute(path).parent, audio, embed_limit_bytes)
    write_page(path, "shelf", text)
    return problems


def render_shelf(
    shelf: Shelf, folder: Path, audio: AudioPlacing, embed_limit_bytes: int
) -> tuple[str, list[str]]:
    """The page's text, to lie in `folder`, and what cannot be played on it."""
    renderer = TrackRenderer(audio, folder, embed_limit_bytes=embed_limit_bytes)
    seed = renderer.track(shelf.seed) if shelf.seed else None
    items = renderer.items(shelf.items)
    shown = [track for track in (seed, *items) if track is not None]
    problems = problems_of(shown)
    text = render(
        "shelf",
        hue=shown[0].cover.hue if shown else PLAIN_HUE,
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
    count = counted(len(shelf), "track")
    if shelf.seed is None:
        return f"{count}, {one_line(shelf.about)}" if shelf.about else count
    plain = shelf.title == f"More like {shelf.seed.title}"
    return f"{count} like" if plain else f"{one_line(shelf.title)}: {count}"
