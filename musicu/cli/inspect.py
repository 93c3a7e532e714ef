"""`musicu info`, `failures`, `export`, `models` and `completion`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class

from musicu.catalog.catalog import Catalog
from musicu.catalog.incomplete import incomplete_tracks
from musicu.catalog.manifest import NAME as MANIFEST
from musicu.catalog.summary import summary
from musicu.catalog.words import clock
from musicu.cli.default_model import telling_default
from musicu.cli.options import AS_JSON, CATALOG, FILE, MODEL, PATH, QUIET
from musicu.cli.output import note, print_json, print_lines, print_table, print_text, warn
from musicu.errors import ModelError, MusicuError
from musicu.records import counted

if TYPE_CHECKING:
    from musicu.embeddings.cards import ModelCard


@click.command()
@CATALOG
@AS_JSON
def info(catalog: Path, as_json: bool) -> None:
    """Summarise CATALOG: tracks, tags, models, failures, size.

    \b
    Example: musicu info catalog
    """
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
        ("tracks", f"{tracks:,} ({clock(told['hours'] * 3600)} of music)"),
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
        is_default = model["name"] == told["default_model"]
        rows.append((_marked(model["name"], is_default), text))
    return rows


@click.command()
@CATALOG
@AS_JSON
def failures(catalog: Path, as_json: bool) -> None:
    """List the tracks of CATALOG that failed, at which stage, and why.

    \b
    Example: musicu failures catalog

    Files that are cut off or damaged, of which only a part could be read, follow in a table of
    their own, with the seconds that were read; in JSON their stage is "part".
    """
    opened = Catalog.open(catalog)
    rows, in_part = opened.failures().to_pylist(), incomplete_tracks(opened)
    if as_json:
        print_lines([*rows, *in_part])
        return
    if rows:
        columns = ["path", "stage", "reason"]
        print_table(columns, [[row[name] for name in columns] for row in rows])
    if in_part:
        columns = ["read only in part", "seconds read", "reason"]
        print_table(columns, [_in_part(row) for row in in_part])
    if not rows and not in_part:
        note("no failures")


def _in_part(row: dict[str, Any]) -> list[Any]:
    seconds = row["heard_seconds"]
    return [row["path"], "not known" if seconds is None else f"{seconds:.1f}", row["reason"]]


@click.command()
@CATALOG
@click.option(
    "-o",
    "--out",
    required=True,
    type=FILE,
    help="The file to write; the ending sets the format: .parquet, .csv, .npz or .safetensors.",
)
@MODEL
@click.option(
    "--semantic-ids",
    is_flag=True,
    help="Write semantic ids in place of vectors: codes by residual k-means, in which like tracks "
    "begin alike. Tracks keep theirs when others are added. Parquet or CSV.",
)
@QUIET
def export(catalog: Path, out: Path, model: str | None, semantic_ids: bool) -> None:
    """Write the tracks of CATALOG and their vectors to one file.

    \b
    Example: musicu export catalog -o tracks.parquet
    """
    from musicu.catalog import export as exporting

    opened = Catalog.open(catalog)
    if semantic_ids:
        _export_semantic_ids(opened, out, model)
        return
    count = exporting.export(opened, out, model=model)
    note(f"{out}: {counted(count, 'track')}")
    if missing := len(opened) - count:
        note(f"warning: {counted(missing, 'track')} without a vector: left out")


def _export_semantic_ids(catalog: Catalog, out: Path, model: str | None) -> None:
    import pyarrow.csv as pv
    import pyarrow.parquet as pq

    from musicu.catalog.files import write_atomically
    from musicu.sequences.semantic_ids import catalog_semantic_ids

    if out.suffix not in {".parquet", ".csv"}:
        raise click.UsageError(f"{out}: semantic ids are written as .parquet or .csv")
    found = catalog_semantic_ids(catalog, model)
    if out.suffix == ".csv":
        table = found.table().drop_columns(["codes"])
        write_atomically(out, lambda path: pv.write_csv(table, path))
    else:
        write_atomically(out, lambda path: pq.write_table(found.table(), path))
    alike = f"{found.collisions:.1%} share their code before its last digit"
    note(f"{out}: {counted(len(found.ids), 'track')}, of which {alike}")


@click.command()
@click.argument("words", metavar="[export] [MODEL|CATALOG]", nargs=-1)
@click.option("--default", "name", help="Make this model the default model of CATALOG.")
@click.option(
    "--fetch", is_flag=True, help="Download MODEL, such as hf:owner/name, from Hugging Face."
)
@click.option(
    "--hf",
    "folder",
    type=PATH,
    metavar="FOLDER",
    help="With `export`: write the model, and the vectors of CATALOG, as a Hugging Face folder.",
)
@click.option(
    "-m",
    "--model",
    help="With `export CATALOG`: the model, by its name or place. Default: the default model.",
)
@AS_JSON
def models(
    words: tuple[str, ...],
    name: str | None,
    fetch: bool,
    folder: Path | None,
    model: str | None,
    as_json: bool,
) -> None:
    """List the installed models, show the card of MODEL, or list the models of CATALOG.

    \b
    Example: musicu models catalog --default musicu-audio-v2

    MODEL is a name, a folder, an .onnx file with a card.json beside it, or hf:owner/name or
    hf:/path for a model of Hugging Face. `musicu models export CATALOG --hf FOLDER` writes a folder
    that works without musicu. Commands use the default model of a catalog if --model is not
    given. It is the first model that the catalog got, until --default or `musicu train tracks`
    sets another.
    """
    from musicu.embeddings.cards import card_text, find_model

    if words[:1] == ("export",) or folder is not None:
        _export_model(words, folder, model)
        return
    if model is not None:
        raise click.UsageError("--model goes with `export CATALOG`")
    if len(words) > 1:
        raise click.UsageError(f"one MODEL or CATALOG, not {len(words)}")
    what = words[0] if words else None
    if fetch:
        _fetch(what)
    if what and (Path(what) / MANIFEST).is_file():
        _catalog_models(Path(what), name, as_json)
    elif name:
        raise click.UsageError("--default needs a catalog: musicu models CATALOG --default MODEL")
    elif not what:
        _installed_models(as_json)
    elif as_json:
        print_json(find_model(what).document())
    else:
        print_text(card_text(find_model(what)))


def _fetch(model: str | None) -> None:
    from musicu.embeddings.hf_cards import PREFIX, hub_fetch

    if model is None or not model.startswith(PREFIX):
        raise click.UsageError("--fetch needs a model of Hugging Face, such as hf:owner/name")
    note(f"{model}: {hub_fetch(model)}")


def _export_model(words: tuple[str, ...], folder: Path | None, model: str | None) -> None:
    from musicu.embeddings.cards import find_model
    from musicu.embeddings.hf_export import export_folder

    if len(words) != 2 or words[0] != "export" or folder is None:
        raise click.UsageError("write: musicu models export MODEL|CATALOG --hf FOLDER")
    catalog = Catalog.open(words[1]) if (Path(words[1]) / MANIFEST).is_file() else None
    if model is not None and catalog is None:
        raise click.UsageError(f"--model goes with a catalog, and {words[1]} is none")
    card = find_model(words[1]) if catalog is None else _card_of_catalog(catalog, model)
    count = export_folder(card, folder, catalog)
    note(f"{folder}: {card.name}, {counted(count, 'vector')}")


def _card_of_catalog(catalog: Catalog, model: str | None) -> ModelCard:
    """The card of a catalog's model: a track encoder lies in the catalog itself."""
    from musicu.embeddings.cards import MODELS, find_model

    name = model or catalog.model_entry()[0]
    own = catalog.path / "models" / name
    if own.is_dir():
        return find_model(own)
    if model is None and name not in MODELS.names():
        raise ModelError(
            f"{catalog.path} does not say where its default model {name!r} lies: give its folder, "
            ".onnx file or hf: name with --model"
        )
    return find_model(name)


def _catalog_models(folder: Path, name: str | None, as_json: bool) -> None:
    """The models of a catalog, after its default was changed where that is asked for."""
    from musicu.privacy.trained_models import notes_of_forgotten

    catalog = Catalog.open(folder)
    warn(notes_of_forgotten(catalog))
    if name:
        with telling_default(folder):
            catalog.set_default_model(name)
    rows: list[dict[str, Any]] = []
    for each in catalog.models():
        entry = catalog.model_entry(each)[1]
        about = {"name": each, "dim": entry.dim, "vectors": catalog.vector_count(each)}
        is_default = each == catalog.default_model
        rows.append({**about, "fingerprint": entry.fingerprint, "default": is_default})
    if as_json:
        print_lines(rows)
        return
    numbers = ("dim", "vectors", "fingerprint")
    shown = [[_marked(row["name"], row["default"]), *(row[n] for n in numbers)] for row in rows]
    print_table(["model", "numbers", "vectors", "fingerprint"], shown)


def _installed_models(as_json: bool) -> None:
    from musicu.embeddings.cards import DEFAULT_MODEL, MODELS, find_model

    cards = []
    for name in MODELS.names():
        try:
            cards.append(find_model(name))
        except MusicuError as error:  # of one package; the others can be listed
            note(f"warning: {error}")
    if as_json:
        print_lines(card.document() for card in cards)
        return
    rows = [
        [_marked(card.name, card.name == DEFAULT_MODEL), card.dim, card.about.get("summary")]
        for card in cards
    ]
    print_table(["model", "numbers", "what it is"], rows)


def _marked(name: str, is_default: bool) -> str:
    return f"{name} (default)" if is_default else name


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell completion script for your shell.

    \b
    Example: musicu completion bash

    \b
    bash: echo 'eval "$(musicu completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(musicu completion zsh)"' >> ~/.zshrc
    fish: musicu completion fish > ~/.config/fish/completions/musicu.fish
    """
    from musicu.cli.app import app

    found = get_completion_class(shell)
    assert found is not None
    print_text(found(app, {}, "musicu", "_MUSICU_COMPLETE").source())
