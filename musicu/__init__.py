"""musicu listens to a music catalog and says what belongs together.

    import musicu

    catalog = musicu.embed("~/Music", "catalog").catalog  # or musicu.Catalog.open("catalog")
    catalog.similar(catalog.vectors().ids[0], k=10)        # a pyarrow table
    musicu.describe("song.flac").tempo_bpm                 # tempo, key, loudness and more

Rooms: `musicu.candidates` finds tracks for listeners, `musicu.ranking` orders them,
`musicu.shelves` builds pages, `musicu.sequences` says what comes next, `musicu.rewards`,
`musicu.policies` and `musicu.experiments` learn from outcomes, `musicu.evaluation` measures,
`musicu.embeddings` and `musicu.retrieval` hold encoders and indexes. `dir()` of each shows what
is public; all else is internal. Wrong input raises a `MusicuError` that says what to write.

Names are loaded when they are first used, so that `import musicu` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicu.public_names import loaded_when_used

if TYPE_CHECKING:
    from musicu import candidates as candidates
    from musicu import embeddings as embeddings
    from musicu import evaluation as evaluation
    from musicu import features as features
    from musicu import ranking as ranking
    from musicu import retrieval as retrieval
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

__version__ = "0.2.0"
_HOMES = {
    "Audio": "musicu.records",
    "Catalog": "musicu.catalog.catalog",
    "Embedder": "musicu.embeddings.embedder",
    "MusicuError": "musicu.errors",
    "Vectors": "musicu.records",
    "candidates": "musicu.candidates",
    "describe": "musicu.features.describing",
    "embed": "musicu.pipeline.run",
    "embeddings": "musicu.embeddings",
    "evaluate": "musicu.evaluation.vectors.vector_evaluation",
    "evaluation": "musicu.evaluation",
    "features": "musicu.features",
    "ranking": "musicu.ranking",
    "read_audio": "musicu.audio",
    "retrieval": "musicu.retrieval",
    "scan": "musicu.pipeline.run",
    "shelves": "musicu.shelves",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = loaded_when_used(__name__, _HOMES)
