"""`musicu info`, `failures`, `export` and `models`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from musicu.catalog.catalog import Catalog
from musicu.catalog.summary import summary
from musicu.cli.options import AS_JSON, CATALOG, FILE, MODEL
from musicu.cli.output import duration, note, print_json, print_table, print_text
from musicu.errors import MusicuError
from musicu.records import counted


@click.command()
@CATALOG
@AS_JSON
def info(catalog: Path, as_json: bool) -> None:
    """Say what is in CATALOG."""
    told = summary(Catalog.open(catalog))
    if as_json:
        print_json(told)
        return
    print_table(["", ""], _info_rows(told))


def _info_rows(told: dict[str, Any]) -> list[tuple[str, str]]:
    """A summary in words."""
    tracks = told["tracks"]
    shares = {name: 100 * n / max(tracks, 1) for name, n in told["known"].items()}
    known = ", ".join(f"{name} {share:.0f} %" for name, share in shares.items())
    rows = [
        ("catalog", told["path"]),
        ("tracks", f"{tracks:,} ({duration(told['hours'] * 3600)} of music)"),
        ("artists, albums", f"{told['artists']:,}, {told['albums']:,}"),
        ("formats", ", ".join(f"{codec} {n:,}" for codec, n in told["codecs"].items())),
        ("tags known", known),
        ("heard in part", f"{told['incomplete']:,}"),
        ("failures", f"{told['failures']:,}"),
        ("gone", f"{told['gone']:,}"),
        ("on disk", f"{told['bytes_on_disk'] / 1e6:,.1f} MB"),
    ]
    for model in told["models"]:
        vectors = counted(model["vectors"], "vector")
        text = f"{vectors} of {model['dim']} numbers ({model['fingerprint']})"
        rows.append((model["name"], text))
    return rows


@click.command()
@CATALOG
@AS_JSON
def failures(catalog: Path, as_json: bool) -> None:
    """Say which tracks of CATALOG failed, at which stage, and why."""
    rows = Catalog.open(catalog).failures().to_pylist()
    if as_json:
        for row in rows:
            print_json(row)
    elif rows:
        columns = ["path", "stage", "reason"]
        print_table(columns, [[row[name] for name in columns] for row in rows])
    else:
        note("no failures")


@click.command()
@CATALOG
@click.option(
    "-o",
    "--out",
    required=True,
    type=FILE,
    help="The file; its ending chooses the format: .parquet, .csv, .npz or .safetensors.",
)
@MODEL
def export(catalog: Path, out: Path, model: str | None) -> None:
    """Write the tracks of CATALOG and their vectors as one file."""
    from musicu.catalog import export as exporting

    opened = Catalog.open(catalog)
    count = exporting.export(opened, out, model=model)
    note(f"{out}: {counted(count, 'track')}")
    if missing := len(opened) - count:
        note(f"warning: {counted(missing, 'track')} without a vector: left out")


@click.command()
@click.argument("model", required=False)
@AS_JSON
def models(model: str | None, as_json: bool) -> None:
    """List the installed models, or show the card of MODEL, a name or a folder."""
    from musicu.embeddings.cards import DEFAULT_MODEL, MODELS, card_text, find_model

    if model:
        card = find_model(model)
        if as_json:
            print_json(card.document())
        else:
            print_text(card_text(card))
        return
    cards = []
    for name in MODELS.names():
        try:
            cards.append(find_model(name))
        except MusicuError as error:  # of one package; the others can be listed
            note(f"warning: {error}")
    if as_json:
        for card in cards:
            print_json(card.document())
        return
    rows = [
        [c.name + (" (default)" if c.name == DEFAULT_MODEL else ""), c.dim, c.about.get("summary")]
        for c in cards
    ]
    print_table(["model", "numbers", "what it is"], rows)
