"""Arguments and options that several commands have, and the one that says which tracks count."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
#: A file that must be there.
EXISTING = click.Path(path_type=Path, dir_okay=False, exists=True)

COUNT = click.IntRange(min=1)

CATALOG = click.argument("catalog", type=PATH)
MODEL = click.option(
    "-m", "--model", help="The model whose vectors to use. Default: the catalog's default model."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")


def _quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta["musicu.quiet"] = value


QUIET = click.option(
    "-q", "--quiet", is_flag=True, expose_value=False, callback=_quiet, help="Show no progress."
)
JOBS = click.option(
    "-j", "--jobs", type=COUNT, help="Number of worker processes. Default: one per processor core."
)
PRUNE = click.option("--prune", is_flag=True, help="Remove tracks whose files no longer exist.")
BLOCK_ARTIST = click.option(
    "--block-artist", multiple=True, help="Leave out this artist; repeat for several."
)
CONFIRM_PRUNE = click.option(
    "--confirm-prune", is_flag=True, help="Let --prune remove more than a fifth of the tracks."
)
#: What training learns from; `LISTENS` of `listeners` are whom a command is for.
LEARNED_LISTENS = click.option(
    "--listens",
    type=EXISTING,
    help="A table of user_id, track_id and optionally timestamp and weight, as `musicu listens` "
    "writes it.",
)
LEARNED_PLAYLISTS = click.option(
    "--playlists",
    type=EXISTING,
    help="A table of playlist_id and track_id, or one row per playlist with a list of tracks.",
)
SESSION_GAP = click.option(
    "--session-gap",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="A pause of this many minutes ends a session.",
)
SEED = click.option("--seed", type=click.IntRange(min=0), default=0, help="Random seed.")
BOOTSTRAP = click.option(
    "--bootstrap",
    type=click.IntRange(min=0),
    default=1000,
    help="Bootstrap resamples for the confidence intervals.",
)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order in which the help lists them."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def audio_option(*ways: str) -> Callable[[Command], Command]:
    """The option that says how a page finds the music."""
    told = {
        "relative": "by relative path",
        "absolute": "by absolute path",
        "embedded": "embedded in the page",
        "copied": "copied beside it, to send along",
    }
    *first, last = (told[way] for way in ways)
    return click.option(
        "--audio",
        type=click.Choice(ways),
        default="relative",
        help=f"How the page refers to audio files: {', '.join(first)}, or {last}.",
    )


def page_of(kind: str) -> Callable[[click.Context, click.Parameter, Path | None], Path | None]:
    """A callback for an option that names a page: refused before the work where it would
    replace another kind of page."""

    def checked(_: click.Context, __: click.Parameter, path: Path | None) -> Path | None:
        from musicu.pages.document import INDEX, refuse_other_page

        for file in () if path is None else (path, path / INDEX):
            refuse_other_page(file, kind)
        return path

    return checked


_WHERE_OPTIONS = [
    click.option("--released-after", metavar="DATE", help="Released on this day or later."),
    click.option("--released-before", metavar="DATE", help="Released before this day."),
    click.option("--genre", multiple=True, help="Genre; repeat for alternatives."),
    click.option("--artist", multiple=True, help="Artist; repeat for alternatives."),
    click.option("--album", multiple=True, help="Album; repeat for alternatives."),
    click.option("--label", multiple=True, help="Label; repeat for alternatives."),
    click.option(
        "--language", multiple=True, help="Language of the lyrics; repeat for alternatives."
    ),
    click.option(
        "--market", multiple=True, help="Available in this market; repeat for alternatives."
    ),
    click.option("--min-popularity", type=float, help="Lowest popularity."),
    click.option("--max-popularity", type=float, help="Highest popularity."),
    click.option("--min-duration", type=float, metavar="SECONDS", help="Shortest duration."),
    click.option("--max-duration", type=float, metavar="SECONDS", help="Longest duration."),
    click.option(
        "--where",
        metavar="TEXT",
        help='A condition on any column, such as "bpm_tag between 120 and 128 and genres = jazz".',
    ),
]


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which tracks may be found; they arrive as one: `where`."""
    names: list[str] = []

    @functools.wraps(command)
    def collected(**options: Any) -> Any:
        from musicu.retrieval import where_options

        where = where_options(**{name: options.pop(name) for name in names})
        return command(where=where, **options)

    decorated: Callable[..., Any] = collected
    for decorate in reversed(_WHERE_OPTIONS):
        decorated = decorate(decorated)
        names.append(decorated.__click_params__[-1].name)  # type: ignore[attr-defined]
    return decorated


def _floor(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> Any:
    """GROUP=SHARE, each group once."""
    found: list[tuple[str, float]] = []
    for value in values:
        group, _, share = value.rpartition("=")
        if not group or not re.fullmatch(r"\d+(\.\d*)?|\.\d+", share):
            raise click.BadParameter(f"{value!r}: write GROUP=SHARE, such as tail=0.1")
        found.append((group, float(share)))
    return found


#: Groups of creators that get a share of what is shown: `creators` and `exposure_floor`.
FLOORS = together(
    click.option(
        "--exposure-floor",
        metavar="GROUP=SHARE",
        multiple=True,
        callback=_floor,
        help="A group of creators gets at least this share, 0 to 1, of the tracks shown, where "
        "that costs least; repeat for several groups. Groups are those of --creators.",
    ),
    click.option(
        "--creators",
        metavar="COLUMN|FILE",
        default="popularity",
        help="The groups of --exposure-floor: popularity (head, tail, cold), emerging (emerging, "
        "established), release-age (new, recent, old), a column of the tracks, or a table of "
        "track_id and a group. Default: popularity.",
    ),
)


def floors_given(options: dict[str, Any]) -> Any:
    """The floors of the options of `FLOORS`, which are taken out; None without any."""
    from musicu.items.creator_groups import given_groups
    from musicu.items.exposure_floors import floors_of

    by, pairs = options.pop("creators"), options.pop("exposure_floor")
    return floors_of(pairs, given_groups(by)) if pairs else None
