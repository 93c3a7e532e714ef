"""`musicu describe`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from musicu.catalog.manifest import NAME as MANIFEST
from musicu.catalog.schema import DESCRIPTOR_SET
from musicu.catalog.words import clock
from musicu.cli.interrupt import if_interrupted
from musicu.cli.options import PATH
from musicu.cli.output import note, print_json, print_text, safe
from musicu.cli.working import print_report, sentence_of, told, work_options
from musicu.errors import MusicuError
from musicu.pipeline.describe import FillOptions, FillReport, describe_catalog
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.pages.page_audio import PageAudio

_EMBED_BYTES = 40_000_000  # a page holds sound up to this size itself


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="CATALOG|FILE...", type=PATH)
@click.option("--html", is_flag=True, help="Write a page with curves and a player for each FILE.")
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="With --html: the page, or a folder for several pages. Default: NAME.html in the "
    "current folder.",
)
@click.option(
    "--set",
    "descriptor_set",
    metavar="NAME",
    default=DESCRIPTOR_SET,
    help="The descriptor set: musicu-descriptors-v2, -v1, or one of an installed package.",
)
@click.option(
    "--force", is_flag=True, help="Compute descriptors again that the catalog already has."
)
@work_options(FillOptions().timeout_seconds)
def describe(
    paths: tuple[Path, ...],
    as_json: bool,
    html: bool,
    out: Path | None,
    descriptor_set: str,
    **options: Any,
) -> int:
    """Measure tempo, key, loudness and more of each FILE, or of all tracks of a CATALOG.

    \b
    Example: musicu describe song.flac --html song.html

    With --html, a page plays the file and shows waveform, loudness, beats, pitches and spectrum.

    A catalog is a folder written by `musicu embed` or `musicu scan`. Recordings that already have
    descriptors are skipped. Afterwards `--where` can use the columns. docs/descriptors.md lists
    them.
    """
    if out is not None and not html:
        raise click.UsageError("--out needs --html")
    if len(paths) == 1 and (paths[0] / MANIFEST).is_file():
        if html:
            raise click.UsageError("--html shows FILEs, not a CATALOG")
        return _describe_catalog(paths[0], descriptor_set, as_json, FillOptions(**options))
    if html and descriptor_set != DESCRIPTOR_SET:
        raise click.UsageError(f"--html shows {DESCRIPTOR_SET} alone")
    return _describe_files(paths, descriptor_set, as_json, _pages(paths, out) if html else {})


def _pages(paths: tuple[Path, ...], out: Path | None) -> dict[Path, Path]:
    """The page of each file: no two of them the same."""
    if out is not None and not out.is_dir() and out.suffix:
        if len(paths) > 1:
            raise click.UsageError(f"--out {safe(out)} is one page: several FILEs need a folder")
        return {paths[0]: out}
    pages = {path: (out or Path()) / f"{path.name}.html" for path in paths}
    if len(set(pages.values())) < len(pages):
        raise click.UsageError("two FILEs of one name would share a page: describe them apart")
    return pages


def _describe_files(
    paths: tuple[Path, ...], descriptor_set: str, as_json: bool, pages: dict[Path, Path]
) -> int:
    """Cards, or JSON lines, of the files, and their pages; the exit code."""
    from musicu.features.descriptor_sets import extract_row, load_descriptor_set

    failed, described = 0, load_descriptor_set(descriptor_set)
    for number, path in enumerate(paths):
        try:
            row = _draw(path, pages[path]) if pages else extract_row(described, path)
        except MusicuError as error:
            note(f"failed: {safe(path)}: {safe(error)}")
            failed += 1
            continue
        if as_json:
            print_json({"path": str(path), **row})
        else:
            print_text(("\n" if number else "") + _card(path.name, descriptor_set, row))
    return 1 if failed else 0


def _card(name: str, descriptor_set: str, row: dict[str, Any]) -> str:
    """A file's descriptors for people."""
    if descriptor_set == DESCRIPTOR_SET:
        return _default_card(name, row)
    values = [f"  {column:<24} {_short(value)}" for column, value in row.items()]
    return "\n".join([safe(name), *values])


def _default_card(name: str, row: dict[str, Any]) -> str:
    """The default set as a line for each side of the sound; what is unknown is not told."""
    from musicu.features.descriptors import Descriptors
    from musicu.features.formatting import format_descriptors

    found = Descriptors(**row)
    part = "" if found.complete else ", only part can be heard"
    lines = [f"{safe(name)}  ({clock(found.heard_seconds)}{part})"]
    sides = format_descriptors(found)
    lines += [f"  {title:<12}{', '.join(parts)}" for title, parts in sides if parts]
    return "\n".join(lines + (["  silent"] if found.true_peak_dbtp is None else []))


def _short(value: Any) -> str:
    """A value in a line."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(plain, list | tuple):
        return f"{len(plain)} values"
    if isinstance(plain, float):
        return f"{plain:.6g}"
    return "unknown" if plain is None else safe(plain)


def _draw(path: Path, page: Path) -> dict[str, Any]:
    """Write the page of a file; its descriptors."""
    from musicu.features.picture import picture_of
    from musicu.features.recording_page import write_recording
    from musicu.pages.document import refuse_other_page

    refuse_other_page(page, "recording")
    seen = picture_of(path)
    write_recording(seen, path.name, _sound(path, page), page)
    note(f"page: {safe(page)}")
    return seen.descriptors.document()


def _sound(path: Path, page: Path) -> PageAudio:
    """The sound itself where it is small, else the address of its file."""
    from musicu.catalog.locations import absolute
    from musicu.pages.page_audio import AudioPlaces

    small = path.stat().st_size <= _EMBED_BYTES
    folder = absolute(page).parent
    places = AudioPlaces(
        "embedded" if small else "relative", folder, embed_limit_bytes=_EMBED_BYTES
    )
    return places.find(path, path.name)


def _describe_catalog(
    catalog: Path, descriptor_set: str, as_json: bool, options: FillOptions
) -> int:
    if_interrupted(f"what is finished is kept in {catalog}: run the same command again to go on")
    report = describe_catalog(catalog, descriptor_set, options=options)
    if as_json:
        print_report(report)
    else:
        for failure in itertools.islice(report.failures, 10):
            note(f"failed: {safe(failure['path'])}: {safe(failure['reason'])}")
        note(_sentence(report, catalog))
    return 1 if report.failed > report.remembered else 0


def _sentence(report: FillReport, catalog: Path) -> str:
    """The report in a line."""
    parts = told(
        (report.done, "described"),
        (report.known, "described before"),
        (report.missing, "not where they were: run `musicu embed` on their source"),
    )
    return sentence_of(catalog, report, [counted(report.recordings, "recording"), *parts])
