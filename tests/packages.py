"""Other people's packages, installed into a folder as pip would leave them there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def install(
    folder: Path, package: str, code: str, points: Mapping[str, Sequence[str] | Mapping[str, str]]
) -> None:
    """A module, and metadata with entry points: group → lines "name = module:object", or names."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = []
    for group, told in points.items():
        named = [f"{k} = {v}" for k, v in told.items()] if isinstance(told, Mapping) else told
        lines += [f"[{group}]", *named]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (folder / f"{package}.py").write_text(code)


def write_model(folder: Path, **card: Any) -> Path:
    """A model folder with nothing but a card; returns the folder."""
    folder.mkdir(parents=True)
    told = {
        "format": 1,
        "name": folder.name,
        "dim": 8,
        "sample_rate": 8000,
        "windows": {"seconds": 5.0, "count": 2},
        "files": [],
        "about": {"summary": "of a test"},
    }
    (folder / "card.json").write_text(json.dumps({**told, **card}))
    return folder
