"""`musicu taste`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.listeners import (
    HALF_LIFE,
    INTERESTS,
    LIKE,
    LISTENS,
    NEWCOMER,
    NOW,
    heard_by,
    known_as,
    one_of,
    seeded,
)
from musicu.cli.options import CATALOG, MODEL, QUIET
from musicu.cli.output import note, print_text
from musicu.errors import QueryError

_FIRST = 10  # listeners shown where none is named


@click.command()
@CATALOG
@LISTENS
@LIKE
@click.option(
    "--user",
    "users",
    multiple=True,
    help="A listener, by name or id; repeat for several. Default: the first ten.",
)
@NOW
@HALF_LIFE
@INTERESTS
@MODEL
@QUIET
def taste(
    catalog: Path,
    listens: Path | None,
    like: tuple[str, ...],
    users: tuple[str, ...],
    **options: Any,
) -> None:
    """Describe listeners' interests in words, each by its most typical track.

    \b
    Example: musicu taste catalog --listens listens.parquet --user NAME
    """
    one_of(listens, like)
    opened = Catalog.open(catalog)
    for number, (user_id, found) in enumerate(_tastes(opened, listens, like, users, options)):
        if number == _FIRST and not users:
            note("and more; name those you mean with --user")
            break
        print_text(f"{user_id}\n{found.describe(opened)}\n")


def _tastes(
    catalog: Catalog,
    listens: Path | None,
    like: tuple[str, ...],
    users: tuple[str, ...],
    options: dict[str, Any],
) -> Iterator[tuple[str, Any]]:
    """Listeners with their tastes."""
    from musicu.candidates import TasteOptions, tastes

    model, now, half_life = options["model"], options["now"], options["half_life"]
    most = options["max_interests"]
    if listens is None:
        settings = {"now": now, "half_life_days": half_life, "max_interests": most}
        yield NEWCOMER, seeded(catalog, like, model, **settings)
        return
    names = known_as(users, catalog)
    chosen = names or _first_of(listens)
    heard = heard_by(listens, catalog, chosen, now)
    if not heard.num_rows:
        raise QueryError(
            f"{listens} holds no listen of {_whom(users)} that can be used: compare its user_id "
            f"with --user, and its track_id with that of {catalog.path}"
        )
    for user_id, found in tastes(
        heard,
        catalog.vectors(model),
        now=now,
        half_life_days=half_life,
        options=TasteOptions(most),
    ):
        yield names.get(user_id, user_id), found


def _first_of(listens: Path) -> list[str]:
    """The first listeners of a table, rising, and one more, which says that there are others."""
    from musicu.listening.sharding import batches, open_listens

    names: list[str] = []
    for table in batches(open_listens(listens)):
        names = sorted({*names, *table["user_id"].unique().to_pylist()})[: _FIRST + 1]
    return names


def _whom(users: tuple[str, ...]) -> str:
    return ", ".join(users) if users else "anybody"
