"""The manifest: which files make up a catalog, and which models spoke in it.

`manifest.json` is replaced in one step, and that step is the commit: a Parquet file that it does
not list is not part of the catalog.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musicu.catalog.files import write_atomically
from musicu.errors import CatalogError

FORMAT_VERSION = 2
NAME = "manifest.json"
CONTENT_KEY, TRACK_KEY = "content_hash", "track_id"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model whose vectors a catalog holds.

    key: the column that its vectors are kept by: "content_hash" where they come from the sound
    alone, "track_id" where two tracks of one recording may differ.
    """

    fingerprint: str
    dim: int
    key: str = CONTENT_KEY


@dataclass(slots=True)
class Manifest:
    """The state of a catalog folder.

    tables: files of each table, relative to the folder, in the order they were written.
    models: by name, as they were added; their vectors are the table `vectors/<name>`.
    default_model: the model that is meant where none is named; None before there is any.
    compacted: how many of a table's files, the first ones, are in final form (see `compaction`).
    sequence: grows by one with every file, so that a name is never used twice.
    """

    tables: dict[str, list[str]] = field(default_factory=dict)
    models: dict[str, ModelEntry] = field(default_factory=dict)
    default_model: str | None = None
    compacted: dict[str, int] = field(default_factory=dict)
    sequence: int = 0

    def model_names(self) -> list[str]:
        """The models: the default first, the others as they were added."""
        return sorted(self.models, key=lambda name: name != self.default_model)

    def write(self, folder: Path) -> None:
        """Commit this state to the folder."""
        document = {
            "format": FORMAT_VERSION,
            "tables": self.tables,
            "models": {
                name: {"fingerprint": m.fingerprint, "dim": m.dim, "key": m.key}
                for name, m in self.models.items()
            },
            "default_model": self.default_model,
            "compacted": self.compacted,
            "sequence": self.sequence,
        }
        text = json.dumps(document, indent=1) + "\n"
        write_atomically(folder / NAME, lambda path: path.write_text(text, encoding="utf-8"))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a catalog folder; raises CatalogError where there is none to be trusted."""
    path = folder / NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CatalogError(
            f"{folder} is not a catalog: make one with `musicu embed FOLDER -o {folder}`"
        ) from None
    except OSError as error:
        raise CatalogError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CatalogError(f"{path} is damaged ({error}): restore it or embed anew") from error
    return _parse(document, path)


def _parse(document: object, path: Path) -> Manifest:
    """A manifest from its JSON; raises CatalogError where it is newer or makes no sense."""
    found = document.get("format") if isinstance(document, dict) else None
    if isinstance(found, int) and found > FORMAT_VERSION:
        raise CatalogError(
            f"{path} has format {found}, this version of musicu reads up to {FORMAT_VERSION}: "
            "pip install --upgrade musicu"
        )
    try:
        if not isinstance(document, dict) or not isinstance(found, int) or found < 1:
            raise ValueError(f"format {found!r}")
        if found < 2:
            document = _migrated(document)
        default = document["default_model"]
        return Manifest(
            tables={str(k): [_inside(f) for f in v] for k, v in document["tables"].items()},
            models={
                str(k): ModelEntry(str(v["fingerprint"]), int(v["dim"]), _key(v))
                for k, v in document["models"].items()
            },
            default_model=None if default is None else str(default),
            compacted={str(k): int(v) for k, v in document["compacted"].items()},
            sequence=int(document["sequence"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CatalogError(f"{path} is damaged ({error}): restore it or embed anew") from error


def _migrated(document: dict[str, Any]) -> dict[str, Any]:
    """A document of format 1 as format 2 has it; the next commit writes it so.

    Format 1 had no default model: the one last added stood for it, and the others followed in the
    same order, so they come in that order here.
    """
    models = dict(reversed(document["models"].items()))
    settled = document.get("settled", {})
    return {**document, "models": models, "default_model": next(iter(models), None),
            "compacted": settled}  # fmt: skip


def _key(entry: dict[str, object]) -> str:
    """What a model's vectors are kept by; catalogs of before there was a choice do not say."""
    key = str(entry.get("key", CONTENT_KEY))
    if key not in (CONTENT_KEY, TRACK_KEY):
        raise ValueError(f"key {key!r}")
    return key


def _inside(name: object) -> str:
    """A file name of the manifest; raises ValueError where it would lead out of the folder."""
    parts = Path(str(name)).parts
    if not parts or ".." in parts or Path(str(name)).is_absolute():
        raise ValueError(f"file {name!r}")
    return str(name)
