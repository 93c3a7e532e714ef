"""A catalog's vectors and their model as a folder for Hugging Face, usable without musicu.

The folder has a model card (`README.md`), the vectors (`vectors.npy`) and their tracks
(`tracks.jsonl`), the model's own files, and `use.py`: ten lines of NumPy and ONNX Runtime that find
neighbours and run the model's networks on a stored input, to see that they are whole.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from musicu import __version__
from musicu.catalog.catalog import Catalog
from musicu.embeddings.cards import ModelCard
from musicu.embeddings.onnx_session import open_session
from musicu.errors import QueryError

_SHOWN = ("track_id", "title", "artists", "album", "released")
_KINDS = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(double)": np.float64}
_FREE = 4  # of an axis whose length the graph leaves open

SCRIPT = """import json, sys
import numpy as np, onnxruntime
vectors = np.load("vectors.npy") if len(sys.argv) > 1 else np.zeros((0, 1), np.float32)
tracks = list(map(json.loads, open("tracks.jsonl", encoding="utf-8"))) if len(vectors) else []
row = next((n for n, t in enumerate(tracks) if sys.argv[1] in (t["track_id"], t["title"])), None)
for near in [] if row is None else np.argsort(-vectors @ vectors[row], kind="stable")[1:11]:
    print(f"{vectors[row] @ vectors[near]:.3f}", tracks[near]["title"], tracks[near]["artists"])
for name, example in json.load(open("networks.json")).items():
    outputs = onnxruntime.InferenceSession(name).run(None, dict(np.load(example["inputs"])))
    print(name, "as exported:", np.allclose(outputs[0], np.load(example["output"]), atol=1e-4))
"""

_CARD = """---
license: {licence}
library_name: onnx
tags:
- audio
- music
- music-similarity
- embeddings
---

# {name}

{summary}

{count} vectors of {dim} numbers, each of unit length: the cosine of two says how alike they are.

- `vectors.npy`: float32 [tracks, dim], in the order of `tracks.jsonl`
- `tracks.jsonl`: {shown}
- `card.json` and {files}: the model, as musicu {version} reads it (fingerprint {fingerprint})
- `use.py TRACK`: the nearest tracks to a track, and a check of the networks, with NumPy and ONNX
  Runtime alone

## Training

{training}

## Weaknesses

{weaknesses}

## Licence

{terms}
"""


def export_folder(card: ModelCard, out: Path, catalog: Catalog | None = None) -> int:
    """Write a model, and a catalog's vectors of it, to a new folder; returns how many vectors.

    Raises QueryError where the folder holds other things, or the catalog's vectors are of another
    model; then nothing is written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise QueryError(f"{out} is not empty: choose a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{out.name}-", dir=out.parent, ignore_cleanup_errors=True
    ) as unfinished:
        count = _write_folder(card, Path(unfinished), catalog)
        out.mkdir(exist_ok=True)
        for file in Path(unfinished).iterdir():
            file.rename(out / file.name)
    return count


def _write_folder(card: ModelCard, out: Path, catalog: Catalog | None) -> int:
    count = 0 if catalog is None else _write_vectors(card, catalog, out)
    for name in ("card.json", "credits.csv", *card.files):
        if (card.path(name)).is_file():
            shutil.copyfile(card.path(name), out / name)
    _write_examples(card, out)
    (out / "use.py").write_text(SCRIPT, encoding="utf-8")
    (out / "README.md").write_text(_readme(card, count), encoding="utf-8")
    return count


def _write_vectors(card: ModelCard, catalog: Catalog, out: Path) -> int:
    vectors = catalog.vectors(card.name)
    if vectors.fingerprint != card.fingerprint:
        raise QueryError(f"{catalog.path} has vectors of another {card.name} than {card.folder}")
    np.save(out / "vectors.npy", vectors.values)
    tracks = {row["track_id"]: row for row in catalog.tracks().select(_SHOWN).to_pylist()}
    with (out / "tracks.jsonl").open("w", encoding="utf-8") as file:
        for name in vectors.ids.tolist():
            file.write(json.dumps(tracks[name], ensure_ascii=False, default=str) + "\n")
    return len(vectors.ids)


def _write_examples(card: ModelCard, out: Path) -> None:
    """An input of each network and what it gives, so that who takes it can compare."""
    told: dict[str, dict[str, str]] = {}
    rng = np.random.default_rng(0)
    for name in (name for name in card.files if name.endswith(".onnx")):
        session = open_session(out / name)
        inputs = {one.name: _made(one, card, rng) for one in session.get_inputs()}
        stem = name.removesuffix(".onnx")
        told[name] = {"inputs": f"{stem}-input.npz", "output": f"{stem}-output.npy"}
        np.savez(out / told[name]["inputs"], **inputs)
        np.save(out / told[name]["output"], session.run(None, inputs)[0])
    (out / "networks.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _made(one: Any, card: ModelCard, rng: np.random.Generator) -> Any:
    """Noise as an input of a network: of one that reads waveforms, a window."""
    window = round(card.windows.seconds * card.sample_rate)
    free = [1, window] if card.kind == "onnx" else [_FREE] * len(one.shape)
    shape = [size if isinstance(size, int) else n for size, n in zip(one.shape, free, strict=True)]
    return rng.standard_normal(shape).astype(_KINDS.get(one.type, np.float32))


def _readme(card: ModelCard, count: int) -> str:
    about = {name: _plain(text) for name, text in card.about.items()}
    terms = about.get("licence", "not stated")
    licence = "apache-2.0" if terms.lower().startswith("apache") else "other"
    return _CARD.format(
        licence=licence,
        name=card.name,
        summary=about.get("summary", ""),
        count=f"{count:,}",
        dim=card.dim,
        shown=", ".join(_SHOWN),
        files=", ".join(f"`{name}`" for name in card.files) or "no further files",
        fingerprint=card.fingerprint,
        version=__version__,
        training=about.get("training", "not stated"),
        weaknesses=about.get("weaknesses", "not stated"),
        terms=terms,
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
