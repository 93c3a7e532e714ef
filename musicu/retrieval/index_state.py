"""What an index on the disk keeps beside its rows: its state, its sketcher and its centroids."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicu.errors import QueryError
from musicu.retrieval.sketches import Sketcher

Floats = NDArray[np.float32]

FORMAT = 2
STATE = "index.json"
SKETCHER = "sketcher.safetensors"
#: Its files of rows: the name of each, and the type of a value.
ROW_FILES: dict[str, np.dtype[Any]] = {
    "vectors": np.dtype("<f4"),
    "first": np.dtype("<u8"),
    "rest": np.dtype("<u8"),
    "second": np.dtype("<u8"),
    "factors": np.dtype("<f2"),
    "groups": np.dtype("<u2"),
}


@dataclass(frozen=True, slots=True)
class IndexState:
    """What an index on the disk says of itself.

    rows: that are committed; files may hold more. fingerprint: of the model whose vectors it holds,
    "" where that is not known. margin: deviations by which an estimate may be too low. reach: of
    `coarse_groups`, None where they are not used. recall: the share of the true 100 nearest that it
    found, of `queries` of its own rows when it had `verified_rows`.
    """

    rows: int
    dim: int
    fingerprint: str = ""
    margin: float = 4.0
    reach: float | None = None
    recall: float = 1.0
    queries: int = 0
    verified_rows: int = 0
    format: int = FORMAT

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1) + "\n"


def read_state(folder: Path) -> IndexState:
    """What the index in a folder says of itself; raises QueryError where there is none."""
    path = folder / STATE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if said.get("format", 0) > FORMAT:
            raise QueryError(
                f"{path} has format {said['format']}, this version of musicu reads up to {FORMAT}: "
                "pip install --upgrade musicu"
            )
        if said["format"] < FORMAT:
            raise QueryError(
                f"{path} has format {said['format']}, which had no groups: delete {folder}, and "
                "build the index anew"
            )
        return IndexState(**{field.name: said[field.name] for field in fields(IndexState)})
    except FileNotFoundError:
        raise QueryError(
            f"{folder} has no index: build one with `musicu index CATALOG`, or `build_index`"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise QueryError(f"{path} is damaged ({error}): delete {folder}, build it anew") from None


def read_sketcher(folder: Path) -> Sketcher:
    """The sketcher of an index; raises QueryError where it is damaged."""
    held = _held(folder)
    first, signs, steps = held["spread"].tolist()
    return Sketcher(held["centre"], held["rotation"], (first, signs, steps))


def read_centroids(folder: Path) -> Floats:
    """The centroids of an index's groups; raises as `read_sketcher` does."""
    found: Floats = _held(folder)["centroids"]
    return found


def _held(folder: Path) -> dict[str, NDArray[Any]]:
    from safetensors.numpy import load_file

    path = folder / SKETCHER
    try:
        held: dict[str, NDArray[Any]] = load_file(path)
    except Exception as error:  # noqa: BLE001 - safetensors has errors of its own
        raise QueryError(f"{path} is damaged ({error}): delete {folder}, build it anew") from None
    missing = {"spread", "centre", "rotation", "centroids"} - set(held)
    if missing:
        raise QueryError(f"{path} is damaged (no {min(missing)}): delete {folder}, build it anew")
    return held
