"""`musicu index`."""

from __future__ import annotations

from pathlib import Path

import click

from musicu.catalog.catalog import Catalog
from musicu.cli.options import CATALOG, FOLDER, MODEL, QUIET
from musicu.cli.output import note, print_json
from musicu.records import counted


@click.command()
@CATALOG
@MODEL
@click.option(
    "-o",
    "--out",
    "folder",
    type=FOLDER,
    help="Folder of the index. Default: inside the catalog, where `musicu similar` finds it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was built as JSON.")
@QUIET
def index(catalog: Path, model: str | None, folder: Path | None, as_json: bool) -> None:
    """Build or update an index of CATALOG's vectors on the disk.

    \b
    Example: musicu index catalog

    For catalogs whose vectors do not fit in memory: `musicu similar --index disk` then uses it.
    Run again, it adds new tracks; where the model's vectors were replaced, it is built anew. A
    search scans two bits of each value and scores exactly what could be among the nearest. The
    share of the true 100 nearest that it finds is measured and printed; below .99 the command
    fails.
    """
    from musicu.retrieval.catalog_index import update_index

    opened = Catalog.open(catalog)
    built = update_index(opened, model, folder)
    state = built.index.state
    if as_json:
        print_json(
            {
                "folder": str(built.index.folder),
                "model": opened.model_entry(model)[0],
                "fingerprint": state.fingerprint,
                "vectors": len(built),
                "recall_at_100": state.recall,
                "queries": state.queries,
            }
        )
        return
    print(f"recall@100 {state.recall:.4f} of {state.queries:,} queries")
    note(f"{counted(len(built), 'vector')} in {built.index.folder}")
