"""`musicu candidates`."""

from __future__ import annotations

import re
import tempfile
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from musicu.catalog.catalog import Catalog
from musicu.catalog.files import write_atomically
from musicu.cli.interrupt import NOTHING_KEPT, if_interrupted
from musicu.cli.listeners import (
    HALF_LIFE,
    INTERESTS,
    LIKE,
    LISTENS,
    NEWCOMER,
    NOW,
    days,
    known_as,
    one_of,
    opened_ranker,
    seeded,
)
from musicu.cli.options import (
    AS_JSON,
    BLOCK_ARTIST,
    CATALOG,
    COUNT,
    EXISTING,
    FLOORS,
    MODEL,
    PATH,
    QUIET,
    SEED,
    filters,
    floors_given,
)
from musicu.cli.output import note, print_lines, print_table, warn
from musicu.errors import QueryError
from musicu.records import counted
from musicu.retrieval import find_track, label


def _shares(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, float]]:
    """Sources, each maybe with its share: new-releases=0.7."""
    from musicu.candidates.request import SOURCES

    found = []
    for value in values:
        name, _, share = value.partition("=")
        if name not in SOURCES.names():
            raise click.BadParameter(f"{name!r} is none of {', '.join(SOURCES.names())}")
        if not re.fullmatch(r"(\d+(\.\d*)?|\.\d+)?", share):
            raise click.BadParameter(f"{share!r} is not a share like 0.7")
        found.append((name, float(share or 1)))
    return found


@click.command()
@filters
@CATALOG
@LISTENS
@LIKE
@click.option(
    "--source",
    "sources",
    callback=_shares,
    metavar="NAME[=SHARE]",
    multiple=True,
    help="A candidate source: new-releases, deep-catalog, for-you, artist-adjacent, "
    "popular, next (by `musicu train next`), random, or one of an installed package. Repeat for "
    "several, each with its share, "
    "such as new-releases=0.7. Default: new-releases.",
)
@click.option(
    "--more-like",
    multiple=True,
    metavar="TRACK",
    help="One more source: tracks similar to this one; repeat for several.",
)
@click.option(
    "--ranker",
    metavar="NAME",
    help="The ranker for all sources: taste, source (the source's own scores), learned (by "
    "`musicu train ranker`), or one of an installed package. Default: the ranker of each source.",
)
@click.option(
    "--window",
    callback=days,
    metavar="TIME",
    default="28d",
    help="New releases: released within this time before --now.",
)
@click.option(
    "--popularity-below",
    type=click.FloatRange(0, 100),
    default=50.0,
    metavar="PERCENTILE",
    help="Deep catalog: below this popularity percentile.",
)
@click.option(
    "--older-than",
    callback=days,
    metavar="TIME",
    default="2y",
    help="Deep catalog: released at least this long ago.",
)
@click.option("-k", type=COUNT, default=100, help="Candidates for each listener at most.")
@click.option(
    "--users",
    type=EXISTING,
    metavar="FILE",
    help="Only the listeners in this file: a Parquet table with user_id, or one name or id a line.",
)
@NOW
@click.option("--clean", is_flag=True, help="Leave out tracks marked explicit.")
@BLOCK_ARTIST
@click.option(
    "--max-per-artist", type=COUNT, default=4, help="Tracks that credit the same artist at most."
)
@click.option("--max-per-album", type=COUNT, default=2, help="Tracks of the same album at most.")
@click.option(
    "--explore",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Share of the candidates, 0 to 1, for artists with little exposure.",
)
@click.option(
    "--exposure-below",
    type=COUNT,
    default=10,
    help="An artist with fewer listens than this has little exposure.",
)
@FLOORS
@HALF_LIFE
@INTERESTS
@SEED
@MODEL
@click.option(
    "-o",
    "--out",
    type=PATH,
    metavar="FILE",
    help="Write Parquet, for any number of listeners; the same command resumes a run that "
    "was stopped.",
)
@AS_JSON
@QUIET
def candidates(
    catalog: Path,
    listens: Path | None,
    like: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find tracks of CATALOG for listeners: new releases, deep catalog, and other sources.

    \b
    Example: musicu candidates catalog --listens listens.parquet --source for-you -o found.parquet

    Each candidate has a score, its source and a reason. Tracks that the listener has heard are
    left out.
    """
    from musicu.candidates import floor_counts, write_candidates

    one_of(listens, like)
    if listens is not None and out is not None:
        if_interrupted(partial(kept_in, out.with_name(out.name + ".work")))
    opened = Catalog.open(catalog)
    settings = _settings(opened, options)
    with tempfile.TemporaryDirectory() as folder:
        target = out or Path(folder) / "candidates.parquet"
        if listens is not None:
            report = write_candidates(opened, listens, target, settings)
            warn(report.warnings())
            floors = report.floors
        else:
            made = _for_seeds(opened, like, settings)
            floors = tuple(floor_counts(made))
            write_atomically(target, partial(pq.write_table, made))
        for count in floors:
            note(count.words())
        if out is not None:
            note(f"{out}: {counted(pq.read_metadata(out).num_rows, 'candidate')}")
            return
        table = pq.ParquetFile(target).read()
    if as_json:
        print_lines(table.to_pylist())
    else:
        _print(opened, table)


def kept_in(work: Path) -> str:
    """What a run that is interrupted leaves behind in its folder."""
    if not any(work.glob("candidates-*.parquet")):
        return NOTHING_KEPT
    return (
        f"listeners done some thousand at a time are kept in {work}: run the same command again "
        "to go on"
    )


def _settings(catalog: Catalog, options: dict[str, Any]) -> Any:
    """The options as the library takes them."""
    from musicu.candidates import CandidateOptions, Constraints, TasteOptions

    constraints = Constraints(
        where=options["where"],
        explicit=not options["clean"],
        blocked_artists=frozenset(options["block_artist"]),
        max_per_artist=options["max_per_artist"],
        max_per_album=options["max_per_album"],
        explore=options["explore"],
        exposure_below=options["exposure_below"],
        floors=floors_given(options),
    )
    users = options["users"]
    ranker = options.pop("ranker")
    return CandidateOptions(
        ranker=None if ranker is None else opened_ranker(ranker, catalog),
        sources=_sources(catalog, options),
        constraints=constraints,
        users=None if users is None else _listed(users, catalog),
        half_life_days=options["half_life"],
        taste=TasteOptions(options["max_interests"]),
        **{name: options[name] for name in ("k", "now", "seed", "model")},
    )


def _listed(users: Path, catalog: Catalog) -> list[str]:
    """The ids under which the listeners of a file may stand in a table."""
    if users.suffix.lower() == ".parquet":
        from musicu.ingest.table import read_table

        table = read_table(users)
        if "user_id" not in table.column_names:
            raise QueryError(f"{users} has no column user_id: give one, or a text of names")
        names = [str(name) for name in table["user_id"].to_pylist() if name is not None]
    else:
        names = users.read_text("utf-8", "replace").splitlines()
    return list(known_as((name.strip() for name in names if name.strip()), catalog))


def _sources(catalog: Catalog, options: dict[str, Any]) -> list[Any]:
    from musicu.candidates import sources as known
    from musicu.candidates.request import SOURCES

    more_like = options["more_like"]
    chosen = options["sources"] or ([] if more_like else [("new-releases", 1.0)])
    made: dict[str, Any] = {
        "new-releases": lambda: known.NewReleases(int(options["window"])),
        "deep-catalog": lambda: known.DeepCatalog(
            options["popularity_below"], int(options["older_than"])
        ),
        "next": lambda: known.NextItem.of(catalog),
    }
    found: list[Any] = [(made.get(n, SOURCES.load(n))(), share) for n, share in chosen]
    tracks = catalog.tracks() if more_like else None
    return found + [(known.MoreLike(find_track(tracks, words)), 1.0) for words in more_like]


def _for_seeds(catalog: Catalog, like: tuple[str, ...], settings: Any) -> pa.Table:
    """Candidates for somebody who likes some tracks."""
    from musicu.candidates import find_candidates
    from musicu.items.exposure_floors import FloorWarning

    taste = seeded(
        catalog,
        like,
        settings.model,
        now=settings.now,
        half_life_days=settings.half_life_days,
        max_interests=settings.taste.max_interests,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FloorWarning)  # what floors did is said of all of them
        return find_candidates(
            catalog,
            {NEWCOMER: taste},
            settings.sources,
            k=settings.k,
            constraints=settings.constraints,
            now=settings.now,
            seed=settings.seed,
            model=settings.model,
            ranker=settings.ranker,
        )


def _print(catalog: Catalog, table: pa.Table) -> None:
    """The candidates for people, a table a listener."""
    tracks = catalog.tracks()
    rows = pc.index_in(table["track_id"], value_set=tracks["track_id"].combine_chunks())
    named = tracks.select(["track_id", "title", "artists", "album", "path"]).take(rows).to_pylist()
    by_user: dict[str, list[list[object]]] = {}
    for row, track in zip(table.to_pylist(), named, strict=True):
        shown = by_user.setdefault(row["user_id"], [])
        shown.append([label(track), row["score"], row["source"], row["reason"]])
    for user_id, shown in by_user.items():
        note(f"for {user_id}:")
        print_table(["track", "score", "source", "why"], shown)
    if not by_user:
        note("no candidate: no track passes")
