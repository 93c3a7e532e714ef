"""musicu listens to a music catalog and says what belongs together.

Names are loaded when they are first used, so that `import musicu` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu import candidates as candidates
    from musicu import features as features
    from musicu import shelves as shelves
    from musicu.audio import read_audio as read_audio
    from musicu.catalog.catalog import Catalog as Catalog
    from musicu.embeddings.embedder import Embedder as Embedder
    from musicu.errors import MusicuError as MusicuError
    from musicu.evaluation.vectors.vector_evaluation import evaluate as evaluate
    from musicu.features.describing import describe as describe
    from musicu.pipeline.run import embed as embed
    from musicu.pipeline.run import scan as scan
    from musicu.records import Audio as Audio
    from musicu.records import Vectors as Vectors

__version__ = "0.1.0"

_HOMES = {
    "Audio": "musicu.records",
    "Vectors": "musicu.records",
    "evaluate": "musicu.evaluation.vectors.vector_evaluation",
    "Catalog": "musicu.catalog.catalog",
    "Embedder": "musicu.embeddings.embedder",
    "MusicuError": "musicu.errors",
    "describe": "musicu.features.describing",
    "embed": "musicu.pipeline.run",
    "read_audio": "musicu.audio",
    "scan": "musicu.pipeline.run",
}
_ROOMS = {"candidates", "features", "shelves"}

__all__ = sorted([*_HOMES, *_ROOMS])


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"musicu.{name}")
    raise AttributeError(f"module 'musicu' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
