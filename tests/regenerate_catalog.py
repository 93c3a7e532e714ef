"""Write the small catalog that later versions must read, and the answers they must give.

    python tests/regenerate_catalog.py

Makes `catalog-<version>/` and `catalog-<version>.json` in `fixtures/`. Run it once for each
release that changes the format, with the code of that release, and never again: a catalog of
version 0.1.0 (format 1) has to be one that version 0.1.0 has written. It refuses to overwrite.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

FIXTURES = Path(__file__).parent / "fixtures"
#: What the music is made with; `tests/test_catalog_format.py` makes the same.
MUSIC = {"artists": 3, "tracks_per_artist": 2, "seconds": 6.0}
AUDIO_MODELS = ("musicu-stats-v1", "musicu-audio-v1")


def main() -> None:
    import musicu

    folder = FIXTURES / f"catalog-{musicu.__version__}"
    if folder.exists():
        sys.exit(f"{folder} is there already: it stays what {musicu.__version__} wrote")
    with tempfile.TemporaryDirectory(prefix="musicu-") as scratch:
        made = Path(scratch) / "catalog"
        make_catalog(Path(scratch) / "Music", made)
        (made / ".lock").unlink(missing_ok=True)
        shutil.copytree(made, folder)
    text = json.dumps(answers(folder), indent=1, ensure_ascii=False)
    folder.with_name(f"{folder.name}.json").write_text(text + "\n", encoding="utf-8")


def make_catalog(music: Path, out: Path) -> None:
    """Tracks, a failure, one that is gone, and all that a catalog can hold of them."""
    from musicu.audit import audit
    from musicu.datasets import make_demo_music
    from musicu.embeddings.tracks.config import TrackConfig
    from musicu.embeddings.tracks.fit import fit_tracks
    from musicu.embeddings.tracks.refresh import add_track_model
    from musicu.ingest.vector_import import import_vectors
    from musicu.pipeline.run import Catalog, embed

    make_demo_music(music, **MUSIC)
    (music / "no music.flac").write_bytes(b"fLaC, it says")
    shutil.copy(sorted(music.rglob("01*.flac"))[0], music / "away.flac")
    embed(music, out, model=AUDIO_MODELS[0], jobs=1, describe=True)
    (music / "away.flac").unlink()
    embed(music, out, model=AUDIO_MODELS[1], jobs=1, describe=True)
    audit(out)
    ids = Catalog.open(out).tracks()["track_id"].to_pylist()
    vectors = [[i + 1.0, i % 3.0, 1.0] for i, _ in enumerate(ids)]
    import_vectors(out, pa.table({"track_id": ids, "v": vectors}), "v", "imported")
    config = TrackConfig(dim=12, networks=1, hidden=8, factors=4, steps=20)
    encoder = fit_tracks(Catalog.open(out), config=config, audio_model=AUDIO_MODELS[0])
    add_track_model(out, encoder)


def answers(folder: Path) -> dict[str, Any]:
    """What a catalog says of itself, as plain values."""
    from musicu.catalog.catalog import Catalog

    catalog = Catalog.open(folder)
    tracks = catalog.tracks(gone=True)
    shown = ["track_id", "title", "content_hash", "gone", "recording_id", "work_id"]
    seed = catalog.tracks()["track_id"][0].as_py()
    return {
        "tracks": tracks.select(shown).to_pylist(),
        "failures": catalog.failures().select(["path", "stage", "reason"]).to_pylist(),
        "tempo": catalog.descriptors()["tempo_bpm"].to_pylist(),
        "default": catalog.model_entry()[0],
        "models": {name: _model(catalog, name, seed) for name in catalog.models()},
    }


def _model(catalog: Any, name: str, seed: str) -> dict[str, Any]:
    entry = catalog.model_entry(name)[1]
    with_vector = seed in set(catalog.vectors(name).ids)
    near = catalog.similar(seed, k=3, model=name) if with_vector else None
    return {
        "fingerprint": entry.fingerprint,
        "dim": entry.dim,
        "key": entry.key,
        "vectors": len(catalog.vectors(name).ids),
        "nearest": near.select(["query_id", "track_id", "score"]).to_pylist() if near else [],
    }


if __name__ == "__main__":
    main()
