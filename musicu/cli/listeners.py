"""Options and words that commands for listeners share: whose listens, when, and how they fade."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from musicu.catalog.catalog import Catalog
from musicu.cli.options import COUNT, PATH
from musicu.cli.output import note, warn
from musicu.retrieval import find_track

if TYPE_CHECKING:
    from musicu.shelves import ShelfContext

#: Who somebody is that only names tracks.
NEWCOMER = "you"


def days(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """A length of time in days: 28, 28d, 4w or 2y."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([dwy]?)\s*", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a length of time like 28d, 4w or 2y")
    return float(match[1]) * {"": 1, "d": 1, "w": 7, "y": 365}[match[2]]


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A day or moment, in UTC where it says no zone."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a moment like 2026-05-21 or 2026-05-21T08:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


LISTENS = click.option(
    "--listens",
    type=PATH,
    metavar="FILE",
    help="Listening history: a table written by `musicu listens`, or any Parquet or CSV "
    "file with user_id, track_id, timestamp and weight.",
)
LIKE = click.option(
    "--like",
    multiple=True,
    metavar="TRACK",
    help="Instead of --listens: a track that a new listener likes; repeat for several.",
)
NOW = click.option(
    "--now",
    callback=moment,
    metavar="MOMENT",
    help="The date or time to compute for, in UTC. Default: now.",
)
HALF_LIFE = click.option(
    "--half-life",
    callback=days,
    metavar="TIME",
    default="69d",
    help="Half-life of a listen's weight.",
)
INTERESTS = click.option(
    "--max-interests", type=COUNT, default=5, help="Interests of a listener at most."
)


def known_as(names: Iterable[str], catalog: Catalog) -> dict[str, str]:
    """The ids under which listeners may stand in a table, each with the name that was given."""
    from musicu.listening.pseudonyms import KEY_FILE, listener_ids

    return listener_ids(names, catalog.path / KEY_FILE)


def heard_by(
    listens: Path, catalog: Catalog, ids: Collection[str] | None, now: datetime | None
) -> pa.Table:
    """The listens of a table that count, of some listeners or of all; what does not is said."""
    from musicu.candidates import LISTENS as LISTENS_SCHEMA
    from musicu.candidates import check_listens
    from musicu.listening.sharding import batches, open_listens

    found = batches(open_listens(listens), ids)
    table = pa.concat_tables([LISTENS_SCHEMA.empty_table(), *found])
    checked = check_listens(table, catalog.tracks()["track_id"].combine_chunks(), now=now)
    warn(checked.warnings())
    return checked.listens


def opened_ranker(name: str, catalog: Catalog) -> Any:
    """A ranker by name; where the learned one ranks by taste, why is said."""
    from musicu.ranking.ranker_storage import ranker_of

    found = ranker_of(name, catalog)
    if reason := getattr(found, "note", ""):
        warn([reason])
    return found


def one_of(listens: Path | None, like: tuple[str, ...]) -> None:
    """Refuse a command that is told both, or neither."""
    if (listens is None) == (not like):
        raise click.UsageError("say for whom: either --listens FILE or --like TRACK")


def seeded(catalog: Catalog, like: tuple[str, ...], model: str | None, **options: Any) -> Any:
    """The taste of somebody who likes some tracks."""
    from musicu.candidates import TasteProfile

    tracks = catalog.tracks()
    seeds = [find_track(tracks, words) for words in like]
    return TasteProfile.from_seeds(seeds, catalog.vectors(model), **options)


def opened_page_ranker(name: str, catalog: Path, context: ShelfContext) -> Any:
    """A page ranker by name; where the learned one leaves the order, why is said."""
    from musicu.shelves.learned_page_ranker import LearnedPageRanker, open_page_ranker

    if name != LearnedPageRanker.name:
        return name
    found = open_page_ranker(Catalog.open(catalog), context.items)
    if found.note:
        note(found.note)
    return found
