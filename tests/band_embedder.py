"""An embedder of another package for tests of batches: quick, and bad in every way it is told.

It is installed as a package of its own (`install_bands`), so that worker processes find it too.
Files are told apart by their length: those of MISBEHAVIOUR do what it says.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from packages import install, write_model

from musicu.embeddings.cards import ModelCard
from musicu.embeddings.embedder import Embedder
from musicu.records import Audio

#: Seconds of a recording → what its embedding does.
MISBEHAVIOUR = {1.25: "die", 1.5: "hang", 1.75: "raise", 2.25: "nan"}
LOG = "MUSICU_TEST_BATCHES"


class BandEmbedder(Embedder):
    """The shares of eight bands; notes its process and the size of each batch where LOG says."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def embed_batch(self, audios: Sequence[Audio]) -> Any:
        self.check(audios)
        if LOG in os.environ:
            with Path(os.environ[LOG]).open("a") as log:
                log.write(f"{os.getpid()} {len(audios)}\n")
        rows = [self._one(audio) for audio in audios]
        return np.array(rows, dtype=np.float32).reshape(len(rows), self.dim)

    def _one(self, audio: Audio) -> Any:
        fault = MISBEHAVIOUR.get(round(audio.duration_seconds, 3))
        if fault == "die":
            os._exit(3)
        if fault == "hang":
            time.sleep(600)
        if fault == "raise":
            raise ValueError("a bug of another package")
        power = np.abs(np.fft.rfft(audio.samples.astype(np.float64))) ** 2
        edges = np.linspace(0, len(power), self.dim + 1).astype(int)
        sums = np.array([power[a:b].sum() for a, b in pairwise(edges)]) + 1e-12
        return sums / np.linalg.norm(sums) * (np.nan if fault == "nan" else 1.0)


def install_bands(site: Path, **card: Any) -> Path:
    """Install the kind "test-bands" into a folder on the path; returns a model's folder."""
    code = f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n"
    code += "from band_embedder import BandEmbedder\n"
    points = {"musicu.embedders": ["test-bands = bands_package:BandEmbedder"]}
    install(site, "bands_package", code, points)
    return write_model(site / "bands-v1", kind="test-bands", **card)
