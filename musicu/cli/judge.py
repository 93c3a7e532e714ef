"""`musicu judge`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.cli.options import CATALOG, COUNT, PATH, SEED, audio_option
from musicu.cli.output import note, print_json, print_table, print_text
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.judge import Verdict


@click.group()
def judge() -> None:
    """Compare two models in a blind listening test.

    \b
    Example: musicu judge make catalog -m musicu-audio-v2 --against musicu-stats-v1 -o test.html
    """


@judge.command()
@CATALOG
@click.option(
    "-m", "--model", "first", required=True, help="The first model, or a file of results."
)
@click.option("--against", "second", required=True, help="The second model, or a file of results.")
@click.option("-o", "--out", required=True, type=PATH, help="The page to write.")
@click.option("-n", "--questions", type=COUNT, default=30, help="Questions at most.")
@SEED
@click.option(
    "--same-artist", is_flag=True, help="Also show tracks by the artist of the query track."
)
@audio_option("relative", "absolute", "copied")
def make(
    catalog: Path,
    first: str,
    second: str,
    out: Path,
    questions: int,
    seed: int,
    same_artist: bool,
    audio: Any,
) -> None:
    """Write a page that plays a track of CATALOG and asks which of two results fits it better.

    \b
    Example: musicu judge make catalog -m musicu-audio-v2 --against results.csv -o test.html

    A file of results is CSV or Parquet with query_id, track_id and score, so any two systems can
    be compared. The page does not show which system a result is from.
    """
    from musicu.catalog.catalog import Catalog
    from musicu.judge import answers_needed, make_trials, write_test

    opened = Catalog.open(catalog)
    trials = make_trials(
        opened, first, second, count=questions, seed=seed, other_artists=not same_artist
    )
    page = out / "judge.html" if out.is_dir() or not out.suffix else out
    write_test(opened, first, second, trials, page, audio=audio)
    note(f"page: {page}, {counted(len(trials), 'question')}")
    note(f"to tell a preference of 65 % from chance takes about {answers_needed(0.65)} answers")


@judge.command()
@click.argument("answers", nargs=-1, required=True, type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line.")
def read(answers: tuple[Path, ...], as_json: bool) -> None:
    """Report which model the saved ANSWERS prefer, with a confidence interval.

    \b
    Example: musicu judge read answers.json

    If a listener saved several times, the last file counts.
    """
    from musicu.judge import read_answers

    found = read_answers(answers)
    if as_json:
        print_json(_document(found))
        return
    if found.repeated:
        note(f"left out: {counted(found.repeated, 'file')} of listeners who saved again later")
    told = found.preference
    rows = [
        [found.first, told.wins],
        [found.second, told.losses],
        ["no difference", found.same],
    ]
    print_table(["preferred", "answers"], rows)
    print_text(_sentence(found))


def _sentence(found: Verdict) -> str:
    """The verdict in a line or two."""
    told = found.preference
    answers = told.wins + told.losses
    if not answers:
        return "Nobody preferred either: there is nothing to tell yet."
    percent = f"{100 * told.share:.0f} % [{100 * told.low:.0f}, {100 * told.high:.0f}]"
    asked = counted(answers, "answer")
    text = f"{found.first} is preferred in {percent} of {asked} (p = {told.p_value:.2g})."
    if told.told:
        better = found.first if told.share > 0.5 else found.second
        return f"{text}\n{better} is preferred."
    if found.more is None:
        return (
            f"{text}\nNo difference can be told; at this share 20,000 answers would not tell one."
        )
    return (
        f"{text}\nThat can be chance. If the share is right, about {found.more} more answers tell."
    )


def _document(found: Verdict) -> dict[str, Any]:
    own = {name: getattr(found, name) for name in ("first", "second", "same", "listeners")}
    own |= {"repeated": found.repeated, "more_answers": found.more}
    return {**own, **asdict(found.preference), "told": found.preference.told}
