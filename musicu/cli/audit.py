"""`musicu audit`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.audit.findings import KINDS
from musicu.cli.interrupt import if_interrupted
from musicu.cli.options import CATALOG, FILE, JOBS, MODEL, PATH, QUIET, page_of
from musicu.cli.output import note, print_result, print_table, write_page
from musicu.cli.working import EXECUTOR
from musicu.pipeline.describe import FillOptions
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.audit.auditing import Audit

_SHOWN = 10


def _kinds(_: click.Context, option: click.Parameter, value: str | None) -> frozenset[str]:
    """The kinds that an option names, parted by commas."""
    named = frozenset(filter(None, (word.strip() for word in (value or "").split(","))))
    if "any" in named:
        return frozenset(KINDS) - {"versions", "alike"}
    if unknown := sorted(named - KINDS.keys()):
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(KINDS)}, any", param=option)
    return named


@click.command()
@CATALOG
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
@click.option("--html", type=PATH, callback=page_of("audit"), help="Write a page.")
@click.option(
    "--fix",
    metavar="OUT.parquet",
    type=FILE,
    help="Write a cleaned table, which `musicu embed` accepts as a source. No audio file is "
    "changed.",
)
@click.option(
    "--fail-on",
    metavar="KINDS",
    callback=_kinds,
    help="Exit with 1 if there are findings of these kinds, such as duplicates,corrupt or any.",
)
@click.option("-v", "--verbose", is_flag=True, help="List every finding.")
@MODEL
@JOBS
@EXECUTOR
@click.option("--retry-failed", is_flag=True, help="Retry files that failed before.")
@QUIET
def audit(
    catalog: Path,
    as_json: bool,
    html: Path | None,
    fix: Path | None,
    fail_on: frozenset[str],
    verbose: bool,
    model: str | None,
    jobs: int | None,
    executor: str,
    retry_failed: bool,
) -> int:
    """Check CATALOG for duplicates, damaged files and wrong tags.

    \b
    Example: musicu audit catalog --html audit.html

    Two files are the same recording if they differ only in codec, level or trimming. An
    instrumental version, another lead vocal or another mix is a different recording.

    Each recording is read once and its fingerprint is stored. Shelves and candidates then know
    which tracks are the same recording or work, and conditions can use recording_id and work_id.
    """
    from musicu.audit import audit as examine

    options = FillOptions(jobs=jobs, executor=executor, retry_failed=retry_failed)
    if_interrupted(f"the files read are kept in {catalog}: run the same command again to go on")
    found = examine(catalog, model=model, options=options)
    print_result(found, as_json, partial(_print, verbose=verbose))
    write_page(found, html)
    if fix:
        from musicu.audit.clean import write_clean

        kept = write_clean(found, fix)
        copies = sum(len(finding.track_ids) - 1 for finding in found.of("duplicates"))
        alike = counted(len(found.of("alike")), "pair")
        note(
            f"{fix}: {kept} of {len(found.rows)} tracks; {copies} left out as certain copies, "
            f"both kept of {alike} that are only probably one"
        )
        if names := len(found.of("names")):
            note(f"of {counted(names, 'recording')} the tags contradict each other: see `names`")
    return 1 if fail_on & found.counts().keys() else 0


def _print(found: Audit, verbose: bool) -> None:
    """The audit for people."""
    counts = found.counts()
    tracks = counted(len(found.rows), "track")
    note(f"{found.path}: {tracks}, {counted(found.fingerprinted.done, 'recording')} read now")
    if not counts:
        note("nothing found")
        return
    print_table(["", "found", ""], [[kind, n, KINDS[kind]] for kind, n in counts.items()])
    rows: list[list[Any]] = []
    for kind in counts:
        findings = found.of(kind)
        shown = findings if verbose else findings[:_SHOWN]
        for finding in shown:
            paths = [found.rows[i]["path"] for i in finding.track_ids]
            rows.append([kind, finding.text, "; ".join(paths)])
        if len(findings) > len(shown):
            rows.append([kind, f"… and {len(findings) - len(shown)} more: --verbose", ""])
    print_table(["", "what", "where"], rows)
