"""The files of a track encoder's model folder, as plain arrays and tables.

card.json             the model card
network.safetensors   weights, bins, idf, projections and the kernel
vocabulary.json       the tokens of each vocabulary, in the order of the weights' rows
discography.parquet   track_id, artists, vector (collaborative), key; only with listening
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from musicu.catalog.rows import vector_column
from musicu.embeddings.tracks.discography import Discography
from musicu.embeddings.tracks.kernel import Kernel
from musicu.embeddings.tracks.track_features import FeatureSpace, Floats, Vocabulary
from musicu.embeddings.tracks.track_network import Networks, Parameters

NETWORK, VOCABULARY, DISCOGRAPHY = "network.safetensors", "vocabulary.json", "discography.parquet"


def write_arrays(folder: Path, space: FeatureSpace, **sections: Mapping[str, Floats]) -> None:
    """Write the feature space and sections of arrays, each array under "section.name"."""
    arrays = {
        f"{section}.{name}": a for section, found in sections.items() for name, a in found.items()
    }
    arrays |= {f"idf.{kind}": found.idf for kind, found in space.vocabularies.items()}
    arrays |= {f"edges.{name}": edges for name, edges in space.edges.items()}
    if space.audio_mean is not None:
        arrays["audio.mean"] = space.audio_mean
    plain = {name: np.ascontiguousarray(values, np.float32) for name, values in arrays.items()}
    save_file(plain, folder / NETWORK)
    words = {kind: list(found.places) for kind, found in space.vocabularies.items()}
    (folder / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), "utf-8")


def read_arrays(folder: Path) -> tuple[FeatureSpace, dict[str, dict[str, Floats]]]:
    """The feature space and the sections of arrays; raises the errors of the readers."""
    sections: dict[str, dict[str, Floats]] = {}
    for name, values in sorted(load_file(folder / NETWORK).items()):
        section, _, rest = name.partition(".")
        sections.setdefault(section, {})[rest] = values
    words: dict[str, list[str]] = json.loads((folder / VOCABULARY).read_text("utf-8"))
    vocabularies = {
        kind: Vocabulary({token: i for i, token in enumerate(tokens)}, sections["idf"][kind])
        for kind, tokens in words.items()
    }
    mean = sections.get("audio", {}).get("mean")
    return FeatureSpace(vocabularies, sections.get("edges", {}), mean), sections


def networks_of(sections: Mapping[str, Parameters]) -> Networks:
    """The networks in the sections network0, network1 …; KeyError where there is none."""
    count = sum(name.startswith("network") for name in sections)
    return tuple(sections[f"network{number}"] for number in range(max(1, count)))


def kernel_sections(kernel: Kernel) -> dict[str, Mapping[str, Floats]]:
    """A kernel as sections of arrays."""
    names = ("middle", "frequencies", "centre")
    return {"kernel": {name: getattr(kernel, name) for name in names}, "knots": kernel.knots}


def kernel_of(sections: Mapping[str, Mapping[str, Floats]]) -> Kernel | None:
    """The kernel in the sections, if there is one."""
    return Kernel(dict(sections["knots"]), **sections["kernel"]) if "kernel" in sections else None


def write_discography(folder: Path, found: Discography) -> None:
    """Write the collaborative vectors with their artists."""
    table = pa.table(
        {
            "track_id": pa.array(found.ids, pa.string()),
            "artists": pa.array(found.artists, pa.list_(pa.string())),
            "vector": vector_column(found.vectors),
            "key": vector_column(found.keys),
        }
    )
    pq.write_table(table, folder / DISCOGRAPHY, compression="zstd")


def read_discography(folder: Path) -> Discography:
    """The collaborative vectors with their artists; raises the errors of the reader."""
    with pq.ParquetFile(folder / DISCOGRAPHY) as file:
        table = file.read()
    ids = np.asarray(table["track_id"].to_pylist(), object)
    vectors, keys = (_matrix(table[name].combine_chunks()) for name in ("vector", "key"))
    return Discography(ids, table["artists"].to_pylist(), vectors, keys)


def _matrix(column: pa.FixedSizeListArray) -> Floats:
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(column), -1)
