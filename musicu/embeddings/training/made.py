"""Pieces made by rules, whose bands and instruments are known: training material.

`python -m recipes.render_training_music FOLDER` makes such a folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.training.pairs import Grouping, as_numbers
from musicu.errors import ModelError

FORMAT_VERSION = 1
INDEX = "rendered.json"
N_FAMILIES = 18  # the 16 families of General MIDI, drums, voice


@dataclass(frozen=True, slots=True)
class MadePiece:
    """A file and what is known of it. families: instrument families, below N_FAMILIES."""

    path: Path
    band: int
    style: str
    families: tuple[int, ...]


def read_made(folder: Path) -> list[MadePiece]:
    """The pieces of a folder; ModelError where its index is missing or damaged."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != FORMAT_VERSION:
            raise ModelError(f"{path} has format {index['format']}; this reads {FORMAT_VERSION}")
        pieces = [
            MadePiece(folder / p["file"], int(p["band"]), str(p["style"]), tuple(p["families"]))
            for p in index["pieces"]
        ]
        instrument_families(pieces)
        return pieces
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(
            f"{path} is no index of made pieces ({error!r}): "
            "`python -m recipes.render_training_music` writes one"
        ) from error


def group_made(pieces: Sequence[MadePiece]) -> Grouping:
    """A piece's band is its artist; its style stands as its source, never pushed apart."""
    band = np.array([p.band for p in pieces], dtype=np.int64)
    style = as_numbers([p.style for p in pieces])
    return Grouping(band, np.full(len(pieces), -1, np.int64), style)


def instrument_families(pieces: Sequence[MadePiece]) -> NDArray[np.float32]:
    """Which instrument families sound in each piece, 0 or 1, float32 [pieces, families]."""
    known = np.zeros((len(pieces), N_FAMILIES), dtype=np.float32)
    for row, piece in enumerate(pieces):
        known[row, list(piece.families)] = 1.0
    return known
