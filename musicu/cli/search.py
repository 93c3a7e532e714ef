"""`musicu similar`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from musicu.catalog.catalog import Catalog
from musicu.cli.options import AS_JSON, CATALOG, COUNT, MODEL, filters
from musicu.cli.output import note, print_lines, print_table
from musicu.retrieval import find_track, label


@click.command()
@filters
@CATALOG
@click.argument("tracks", nargs=-1, metavar="TRACK...")
@click.option(
    "--text",
    metavar="WORDS",
    help="Find what these words describe instead of a TRACK, under a --model with a text tower.",
)
@click.option("-k", type=COUNT, default=20, help="Number of tracks to list for each TRACK.")
@click.option(
    "--no-versions",
    is_flag=True,
    help="Leave out copies and versions of the TRACK itself: remasters, single versions.",
)
@click.option(
    "--index",
    default="exact",
    metavar="NAME",
    help="The index that searches: exact, disk (see `musicu index`), or an installed package's.",
)
@MODEL
@AS_JSON
def similar(
    catalog: Path,
    tracks: tuple[str, ...],
    text: str | None,
    k: int,
    no_versions: bool,
    index: str,
    model: str | None,
    where: Any,
    as_json: bool,
) -> None:
    """List the tracks of CATALOG that are most similar to each TRACK.

    \b
    Example: musicu similar catalog "Artist - Title" -k 10 --genre jazz

    A TRACK is an id, a path, or words such as "Artist - Title". Copies and versions of the TRACK
    itself are marked "same work". With --text "slow piano, rain", tracks are found by description,
    where the catalog has vectors of a model with a text tower, such as CLAP (--model hf:/path).
    """
    if bool(tracks) == (text is not None):
        raise click.UsageError("give a TRACK, or --text WORDS")
    opened = Catalog.open(catalog)
    if text is not None:
        found = _described_by(opened, text, k, where, model)
        if as_json:
            print_lines(found.to_pylist())
        else:
            _print_hits(found)
        return
    everything = opened.tracks()
    seeds = [find_track(everything, words) for words in tracks]
    found = opened.similar(
        seeds, k=k, where=where, model=model, versions=not no_versions, index=index
    )
    if as_json:
        print_lines(found.to_pylist())
        return
    for seed in seeds:
        note(f"nearest to {label(opened.track(seed))}:")
        _print_hits(found.filter(pc.equal(found["query_id"], seed)))


def _described_by(catalog: Catalog, text: str, k: int, where: Any, model: str | None) -> pa.Table:
    """The tracks nearest to what words describe."""
    from musicu.embeddings.embedder import Embedder
    from musicu.errors import ModelError
    from musicu.retrieval.similar import similar_to_vector

    embedder = Embedder.load(model or catalog.model_entry()[0])
    entry = catalog.model_entry(embedder.name)[1]
    if entry.fingerprint != embedder.fingerprint:
        raise ModelError(
            f"{catalog.path} has vectors of another {embedder.name} than this model: embed with it"
        )
    vector = embedder.embed_texts([text])[0]
    return similar_to_vector(catalog, vector, k=k, where=where, model=embedder.name)


def _print_hits(found: pa.Table) -> None:
    """What was found for one track, for people."""
    shown = ("rank", "title", "artists", "album", "score", "track_id")
    rows = [{**row, "title": row["title"] or row["path"] or ""} for row in found.to_pylist()]
    if rows:
        heads = ["", "title", "artist", "album", "score", "id", ""]
        marks = ["same work" if row["same_work"] else None for row in rows]
        table = [[*(row[n] for n in shown), m] for row, m in zip(rows, marks, strict=True)]
        kept = len(heads) if any(marks) else -1
        print_table(heads[:kept], [row[:kept] for row in table])
    else:
        note("no track meets the conditions")
