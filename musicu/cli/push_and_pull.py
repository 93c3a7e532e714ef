"""`musicu push` and `musicu pull`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from musicu.catalog.publishing import Transfer, pull_catalog, push_catalog
from musicu.cli.options import CATALOG, PATH, QUIET
from musicu.cli.output import note, print_json
from musicu.records import counted

_JSON = click.option("--json", "as_json", is_flag=True, help="Print what was copied as JSON.")


@click.command()
@CATALOG
@click.argument("address", type=PATH)
@click.option(
    "--force", is_flag=True, help="Overwrite a state at ADDRESS that CATALOG was not made from."
)
@_JSON
@QUIET
def push(catalog: Path, address: Path, force: bool, as_json: bool) -> None:
    """Publish CATALOG at an ADDRESS of an object store, as s3://bucket/catalog.

    \b
    Example: musicu push catalog s3://bucket/catalog

    Files that are there already are not copied again, and a reader sees the old state or the new
    one. Tables and models are published; exposures, outcomes, players and indexes are not. Needs
    the extra "cloud".
    """
    _say(push_catalog(catalog, address, force=force), as_json)


@click.command()
@click.argument("address", type=PATH)
@CATALOG
@click.option("--force", is_flag=True, help="Overwrite changes in CATALOG that were not pushed.")
@_JSON
@QUIET
def pull(address: Path, catalog: Path, force: bool, as_json: bool) -> None:
    """Bring the folder CATALOG to what was pushed to an ADDRESS of an object store.

    \b
    Example: musicu pull s3://bucket/catalog catalog

    Only files that differ are copied, and each is checked. Pulling again follows what was pushed
    since, and a pull that was stopped goes on; a service that runs on the folder takes it up.
    Needs the extra "cloud".
    """
    _say(pull_catalog(address, catalog, force=force), as_json)


def _say(done: Transfer, as_json: bool) -> None:
    if as_json:
        print_json(asdict(done))
        return
    note(
        f"{counted(done.copied, 'file')} copied ({done.bytes_copied / 1e6:,.1f} MB), "
        f"{done.known:,} there already, {done.removed:,} removed"
    )
