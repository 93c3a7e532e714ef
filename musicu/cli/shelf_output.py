"""What `musicu shelf` and `musicu shelves` print and write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicu.catalog.catalog import Catalog
from musicu.cli.listeners import known_as
from musicu.cli.output import note, print_document, print_table, print_text

if TYPE_CHECKING:
    from musicu.shelves import Shelf


def show_page(
    built: list[Shelf],
    out: Path,
    title: str,
    audio: Any,
    policy: str | None,
    chance: tuple[int, str | None],
) -> None:
    """Print what is on the page, and write it; chance: the seed, and whom the page is for."""
    from musicu.catalog.files import write_atomically
    from musicu.shelves.page_exploration import explore_page

    explored = None if policy is None else explore_page(built, policy, *chance)
    if explored is not None:
        built = explored.shelves
    rows = [[place + 1, shelf.title, shelf.about, len(shelf)] for place, shelf in enumerate(built)]
    if rows:
        print_table(["", "shelf", "", "tracks"], rows)
    write_pages(built, out, title, audio)
    if explored is not None:
        import pyarrow.parquet as pq

        write_atomically(
            out / "shelves.parquet", lambda to: pq.write_table(explored.to_table(), to)
        )
        note(f"propensities: {out / 'shelves.parquet'}")


def shelves_given(
    candidates: Path, catalog: Path, user: str | None, size: int | None
) -> list[Shelf]:
    """The shelves of a table of candidates, of one listener."""
    from musicu.ingest.table import read_table
    from musicu.shelves import shelves_of_candidates

    opened, table = Catalog.open(catalog), read_table(candidates)
    held = set(table["user_id"].to_pylist()) if "user_id" in table.column_names else set()
    ids = () if user is None else known_as([user], opened)
    named = next((each for each in ids if each in held), user)
    return shelves_of_candidates(table, opened.tracks(), user_id=named, size=size)


def write_pages(built: list[Shelf], out: Path, title: str, audio: Any) -> None:
    """Write the folder of pages, and say where."""
    from musicu.pages.document import INDEX
    from musicu.shelves.gallery import write_gallery

    for problem in write_gallery(built, out, title=title, audio=audio):
        note(problem)
    note(f"page: {out / INDEX}")


def print_shelves(built: list[Shelf], as_json: bool) -> None:
    """The shelves for people, or for programs: one as itself, several as a list."""
    if as_json:
        texts = [shelf.to_json() for shelf in built]
        print_document(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
        return
    for shelf in built:
        rows = [[item.position, item.title, item.artist, item.score, item.reason] for item in shelf]
        print_text(f"{shelf.title} ({shelf.about})" if shelf.about else shelf.title)
        print_table(["", "title", "artist", "score", "why"], rows)
        for text in shelf.notes:
            note(text)
