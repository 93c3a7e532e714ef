"""`musicu shelf` and `musicu shelves`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.listeners import LISTENS, heard_by, known_as, opened_page_ranker, opened_ranker
from musicu.cli.options import (
    BLOCK_ARTIST,
    CATALOG,
    COUNT,
    EXISTING,
    FILE,
    FLOORS,
    MODEL,
    PATH,
    QUIET,
    audio_option,
    filters,
    floors_given,
    page_of,
    together,
)
from musicu.cli.output import note
from musicu.cli.playlist import gather
from musicu.cli.publish import TO_PLAYERS, PlayerTargets, made_of_shelves, publish
from musicu.cli.shelf_output import print_shelves, shelves_given, show_page, write_pages
from musicu.errors import QueryError
from musicu.progress import tracked

if TYPE_CHECKING:
    from musicu.shelves import Recipe, Shelf, ShelfContext

_USER = click.option(
    "--user",
    help="The listener to use, by name or id. Needed if the listens are of several listeners.",
)
_TODAY = click.option(
    "--today",
    metavar="DATE",
    help="The day from which new releases are counted back. Default: today.",
)
_RANKER = click.option(
    "--ranker",
    metavar="NAME",
    help="The ranker of a listener's candidates: learned (by `musicu train ranker`), taste, or one "
    "of an installed package. Default: the ranker of each source.",
)

#: The options that constraints are made of.
_LIMITS = together(
    click.option(
        "--max-per-artist",
        type=COUNT,
        help="Tracks that credit the same artist at most. Default: 4.",
    ),
    click.option(
        "--max-per-album", type=COUNT, help="Tracks of the same album at most. Default: 2."
    ),
    click.option(
        "--diversity",
        type=click.FloatRange(0, 1),
        help="0 takes the best scores, 1 prefers variety. Default: the recipe's own.",
    ),
    click.option(
        "--min-score",
        type=float,
        help="The lowest score that may stand on a shelf, such as 0.3: a short shelf, and no track "
        "that is hardly similar. Default: the recipe's own.",
    ),
    BLOCK_ARTIST,
)


@click.command()
@filters
@CATALOG
@click.option("--like", metavar="TRACK", help='The seed track: an id, a path, or "Artist - Title".')
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="A recipe, or a TOML file of recipes. Default: more-like-track.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help='An option of the recipe, such as start="Artist - Title", shape=peak or days=30; '
    "repeat for several.",
)
@click.option("--playlist", type=FILE, help="Continue this playlist, by the recipe fill-playlist.")
@LISTENS
@_USER
@_TODAY
@_RANKER
@click.option("-n", "--size", type=COUNT, help="Tracks on a shelf at most. Default: 20.")
@_LIMITS
@click.option(
    "--html", type=PATH, help="Write a page with players: a file, or a folder for several shelves."
)
@audio_option("relative", "absolute", "embedded", "copied")
@click.option(
    "--to",
    type=PATH,
    help="Write a playlist; the ending sets the format: .m3u8, .xspf, .jspf or .csv.",
)
@click.option("--copy-to", type=PATH, help="Copy the audio files into this folder.")
@click.option("--link-to", type=PATH, help="Link the audio files into this folder.")
@TO_PLAYERS
@MODEL
@click.option("--json", "as_json", is_flag=True, help="Print the shelf as JSON.")
@QUIET
def shelf(
    catalog: Path,
    model: str | None,
    html: Path | None,
    audio: Any,
    to: Path | None,
    copy_to: Path | None,
    link_to: Path | None,
    as_json: bool,
    listens: Path | None,
    user: str | None,
    today: str | None,
    ranker: str | None,
    **options: Any,
) -> None:
    """Build a shelf from CATALOG: tracks similar to a seed track, or another recipe.

    \b
    Example: musicu shelf catalog --like "Artist - Title" --html shelf.html

    Each work appears once, caps limit tracks per artist and album, and every track has a reason.
    Recipes: more-like-track, more-like-artist, because-you-listened, new-for-you, deep-cuts,
    daily-mixes, journey, arc, harmonic-mix, fill-playlist, radio, around-the-catalog, or one of
    an installed package. If a recipe makes several shelves, --html is a folder.
    """
    from musicu.playlists import check_ending

    if to:
        check_ending(to)  # before anything is printed
    targets = PlayerTargets.taken(options)
    context = _context(catalog, model, listens, user, today, ranker)
    recipes = _recipes(context, **options)
    made = [(recipe.name, recipe.shelves(context)) for recipe in recipes]
    built = [shelf for _, shelves in made for shelf in shelves]
    print_shelves(built, as_json)
    publish(catalog, targets, lambda: made_of_shelves(made))
    if html and len(built) == 1:
        for problem in built[0].to_html(html, audio=audio):
            note(problem)
        note(f"page: {html}")
    elif html:
        write_pages(built, html, "Shelves", audio)
    if (to or copy_to or link_to) and len(built) != 1:
        raise QueryError(f"{len(built)} shelves are not one playlist: leave out --to and its kin")
    if to:
        built[0].to_playlist(to)
        note(f"playlist: {to}")
    if copy_to or link_to:
        gather(built[0].playlist(), copy_to, link_to)


@click.command()
@filters
@CATALOG
@click.option(
    "-o",
    "--out",
    type=PATH,
    required=True,
    callback=page_of("gallery"),
    help="The folder to write the page to.",
)
@LISTENS
@_USER
@_TODAY
@_RANKER
@click.option(
    "--candidates",
    type=EXISTING,
    metavar="FILE",
    help="Show the candidates that `musicu candidates -o FILE` wrote: the same tracks in "
    "the same order.",
)
@click.option("--recipes", type=PATH, help="A TOML file of recipes, one [[shelf]] table each.")
@click.option(
    "--page-ranker",
    default="given",
    metavar="NAME",
    help="Orders the shelves on the page: given (in the order of the recipes), learned (by "
    "`musicu train ranker`), or a page ranker of an installed package.",
)
@click.option(
    "--policy",
    metavar="NAME",
    help="Explore the order of the shelves: epsilon-greedy, random, given, or a policy of an "
    "installed package. shelves.parquet beside the page has the propensity of each place.",
)
@click.option("--seed", type=int, default=0, help="Random seed of the policy.")
@click.option("--title", default="Shelves", help="The page's title.")
@click.option(
    "-n",
    "--size",
    type=COUNT,
    help="Tracks on a shelf at most. Default: 20; with --candidates, all.",
)
@_LIMITS
@FLOORS
@audio_option("relative", "absolute", "copied")
@TO_PLAYERS
@MODEL
@QUIET
def shelves(
    catalog: Path,
    model: str | None,
    out: Path,
    listens: Path | None,
    user: str | None,
    today: str | None,
    ranker: str | None,
    recipes: Path | None,
    candidates: Path | None,
    page_ranker: str,
    policy: str | None,
    seed: int,
    title: str,
    audio: Any,
    size: int | None,
    where: Any,
    **limits: Any,
) -> None:
    """Build a page of shelves from CATALOG, in one folder that works offline.

    \b
    Example: musicu shelves catalog --listens listens.parquet --user NAME -o page

    With --listens: daily mixes, because you listened to …, new for you, deep cuts. Without: new
    releases, and a shelf for each region of the catalog. --recipes builds the shelves of a file,
    --candidates shows candidates found before. A shelf whose data the catalog lacks is left out
    with a message. --exposure-floor holds on every shelf.
    """
    from musicu.items.exposure_floors import summed
    from musicu.shelves import Constraints, load_recipes
    from musicu.shelves.page_rankers import order_page
    from musicu.shelves.shelf import named_shelves

    targets = PlayerTargets.taken(limits)
    floors = floors_given(limits)
    if candidates is not None and floors is not None:
        raise click.UsageError(
            "--candidates is shown as it is: give --exposure-floor to `musicu candidates`"
        )
    if candidates is not None:
        given = shelves_given(candidates, catalog, user, size)
        publish(catalog, targets, lambda: made_of_shelves([("candidates", given)]))
        show_page(order_page(given, None, page_ranker), out, title, audio, policy, (seed, user))
        return
    context = _context(catalog, model, listens, user, today, ranker)
    wanted = load_recipes(recipes) if recipes else _usual(context, size or 20, where, **limits)
    if floors is not None:
        floors.masks(context.items, Constraints().exposure_below)  # groups that are not there
        wanted = [replace(r, rules=replace(r.rules, floors=floors)) for r in wanted]
    made: list[tuple[str, list[Shelf]]] = []
    for recipe in tracked(wanted, "building shelves", len(wanted), "recipes"):
        try:
            made.append((recipe.name, named_shelves(recipe.name, recipe.shelves(context))))
        except QueryError as error:
            note(f"{recipe.name}: {error}")
    built = [shelf for _, shelves in made for shelf in shelves]
    for count in summed(each for shelf in built for each in shelf.floors):
        note(count.words())
    publish(catalog, targets, lambda: made_of_shelves(made))
    profile = context.profile if context.has_profile else None
    ordered = order_page(built, profile, opened_page_ranker(page_ranker, catalog, context))
    show_page(ordered, out, title, audio, policy, (seed, user))


def _context(
    catalog: Path,
    model: str | None,
    listens: Path | None,
    user: str | None,
    today: str | None,
    ranker: str | None,
) -> ShelfContext:
    """The catalog, the listener, the day and the ranker."""
    from musicu.candidates import TasteProfile
    from musicu.shelves import ShelfContext
    from musicu.tags.dates import parse_date

    opened = Catalog.open(catalog)
    day = parse_date(today) if today else None
    if today and (day is None or day.day is None):
        raise QueryError(f"--today is {today!r}: give a day, as 2026-05-21")
    now = datetime.fromisoformat(f"{day.text}T23:59:59+00:00") if day else None
    profile = None
    if listens is not None:
        own = _own(listens, opened, user, now)
        profile = TasteProfile.from_listens(own, opened.vectors(model), now=now)
    return ShelfContext(
        opened,
        model=model,
        profile=profile,
        today=day.first_day if day else None,
        ranker=None if ranker is None else opened_ranker(ranker, opened),
    )


def _own(listens: Path, catalog: Catalog, user: str | None, now: datetime | None) -> Any:
    """One listener's listens."""
    ids = None if user is None else known_as([user], catalog)
    own = heard_by(listens, catalog, ids, now)
    users = len(own["user_id"].unique())
    if users > 1:
        raise QueryError(f"the listens are of {users:,} listeners: name one with --user")
    if user is not None and not users:
        raise QueryError(
            f"no listens of tracks in the catalog are by {user!r}: `musicu taste` with the same "
            "--listens says whose are"
        )
    return own


def _recipes(
    context: ShelfContext,
    like: str | None,
    recipe: str | None,
    playlist: Path | None,
    settings: tuple[str, ...],
    size: int | None,
    where: Any,
    **limits: Any,
) -> list[Recipe]:
    """What is asked for; a file of recipes stands as it is."""
    from musicu.shelves import load_recipes, recipe_of
    from musicu.shelves.recipes.load import typed

    if recipe and Path(recipe).suffix == ".toml":
        return load_recipes(recipe)
    given = typed({"recipe": recipe or "more-like-track", **_settings(settings)})
    if like is not None:
        given["track"] = like
    if playlist is not None:
        given |= {"recipe": recipe or "fill-playlist", "tracks": _listed(playlist, context)}
    elif recipe is None and like is None:
        raise click.UsageError("give --like TRACK, --playlist FILE or --recipe NAME")
    if size is not None:
        given["size"] = size
    return [_constrained(replace(recipe_of(given), where=where), **limits)]


def _listed(playlist: Path, context: ShelfContext) -> list[str]:
    """The ids of a playlist's tracks; what the catalog does not have is said."""
    from musicu.playlists import match_playlist, read_playlist

    found = match_playlist(read_playlist(playlist), context.tracks)
    ids = [each.row["track_id"] for each in found if each.row is not None]
    if len(ids) < len(found):
        note(f"not in the catalog: {len(found) - len(ids)} of {len(found)} tracks of {playlist}")
    return ids


def _settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """NAME=VALUE pairs as text; those of one name as a list where there are several."""
    found: dict[str, Any] = {}
    for text in settings:
        name, mark, value = text.partition("=")
        if not mark:
            raise click.UsageError(f"--set takes NAME=VALUE, not {text!r}")
        found[name] = [*found.get(name, []), value]
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _usual(context: ShelfContext, size: int, where: Any, **limits: Any) -> list[Recipe]:
    """The shelves of a start page, for a listener or for anybody."""
    from musicu.shelves import RECIPES

    names = ["new-for-you", "around-the-catalog"]
    if context.has_profile:
        names = ["daily-mixes", "because-you-listened", "new-for-you", "deep-cuts"]
    usual = [RECIPES.load(name)(size=size, where=where) for name in names]
    return [_constrained(recipe, **limits) for recipe in usual]


def _constrained(recipe: Recipe, block_artist: tuple[str, ...], **limits: Any) -> Recipe:
    """The recipe with the constraints that were given, and its own where an option was not."""
    given = {name: value for name, value in limits.items() if value is not None}
    return replace(
        recipe, rules=replace(recipe.rules, blocked_artists=frozenset(block_artist), **given)
    )
