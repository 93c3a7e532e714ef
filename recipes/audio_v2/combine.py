"""Stage 3: the student beside musicu-audio-v1, as the model folder that ships.

    python -m recipes.audio_v2.combine MUSIC VIEWS STUDENT WORK OUT ABOUT.json

MUSIC is the folder of recordings with its `tracks.csv`, VIEWS the shards of stage 2, STUDENT the
checkpoint of `distil`, WORK a folder that keeps what is measured once. OUT receives the songs
network with its map, `student.safetensors` (the averaged weights, with which `distil --start` goes
on) and a card with the words of ABOUT, whose base is musicu-audio-v1.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.linalg import block_diag

from musicu.audio import read_audio
from musicu.embeddings.cards import find_model
from musicu.embeddings.embedder import Embedder
from musicu.embeddings.onnx_embedder import AudioEmbedder
from musicu.embeddings.songs import (
    SONGS_MAP,
    SONGS_NETWORK,
    Reading,
    SongsMap,
    songs_map_file,
)
from recipes.audio_v2.quantise import quantised
from recipes.audio_v2.songs_export import (
    SingingScore,
    SongsBlock,
    VoiceScale,
    load_scale,
    load_student,
    pack_student,
    songs_graph,
    student_means,
)
from recipes.audio_v2.views import shard_path

Rows = NDArray[np.float64]
BASE, NAME = "musicu-audio-v1", "musicu-audio-v2"
#: What the vector of musicu-audio-v1 weighs, and the blocks of the student's heads beside it.
WEIGHTS = {"hidden": 0.75, "tagger": 0.5, "tagger_inner": 0.3}
DIM = 256
OWN = 128  # directions of musicu-audio-v1's vector that are kept
#: Fitted to recordings without a voice and to the development half of `benchmarks/audio_songs.py`
#: by `benchmarks/vocal_probability.py`.
VOICE = VoiceScale(2.38, 11.67)
_SHARDS = 4  # of views that the maps know
_RANGES = 512  # inputs of recordings, and as many of views, whose ranges the network's bytes span


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredMusic:
    """Training recordings: musicu-audio-v1's vectors float32 [n, 256], and what the student reads
    of them, inputs float16 laid end to end with their counts int64 [n]."""

    vectors: NDArray[np.float32]
    inputs: NDArray[np.float16]
    counts: NDArray[np.int64]


def measure_music(music: Path, work: Path) -> MeasuredMusic:
    """Read every recording once; kept as `WORK/music.npz`."""
    kept = work / "music.npz"
    if not kept.is_file():
        work.mkdir(parents=True, exist_ok=True)
        embedder, vectors, inputs = Embedder.load(BASE), [], []
        assert isinstance(embedder, AudioEmbedder)
        for path in _paths(music):
            audio = read_audio(path, embedder.sample_rate, embedder.windows)
            vector, read = embedder.hear(audio, Reading(most=0, beside=0))
            vectors.append(vector)
            inputs.append(np.concatenate(read))
        logs = np.concatenate(inputs).astype(np.float16)
        np.savez(kept, v1=np.stack(vectors), logs=logs, count=[len(each) for each in inputs])
    with np.load(kept) as found:
        return MeasuredMusic(found["v1"], found["logs"], found["count"])


def _paths(music: Path) -> list[Path]:
    with (music / "tracks.csv").open(encoding="utf-8", newline="") as file:
        return [music / path for path in sorted(row["path"] for row in csv.DictReader(file))]


def fit_blocks(
    music: Mapping[str, NDArray[np.float32]], views: Mapping[str, NDArray[np.float32]]
) -> dict[str, SongsBlock]:
    """A block a head, centred between recordings and views, [n, outputs] each."""
    blocks = {}
    for name, weight in WEIGHTS.items():
        centre = (music[name].mean(axis=0) + views[name].mean(axis=0)) / 2
        blocks[name] = SongsBlock(centre.astype(np.float32), weight)
    return blocks


def fit_map(vectors: Rows, songs: Rows, views: Rows) -> SongsMap:
    """The principal directions of the vectors' OWN first ones and of blocks side by side.

    vectors: float64 [n, 256] of recordings; songs, views: their blocks and those of views, which
    know voices that recordings lack. What blocks say of views counts as much as what they say of
    recordings.
    """
    centre = np.concatenate([vectors.mean(axis=0), (songs.mean(axis=0) + views.mean(axis=0)) / 2])
    sides = np.concatenate([vectors, songs], axis=1) - centre
    width = vectors.shape[1]
    first = block_diag(
        _axes(sides[:, :width].T @ sides[:, :width])[:, :OWN], np.eye(songs.shape[1])
    )
    sides, seen = sides @ first, np.zeros((len(views), first.shape[1]))
    seen[:, -songs.shape[1] :] = views - centre[width:]
    moments = (sides.T @ sides / len(sides) + seen.T @ seen / len(seen)) / 2
    own = first.shape[1] - songs.shape[1]
    moments[:own, :own] *= 2  # of views nothing is known there
    matrix = first @ _axes(moments)[:, :DIM]
    return SongsMap(centre.astype(np.float32), matrix.astype(np.float32), Reading())


def _axes(moments: Rows) -> Rows:
    """The principal axes as columns, the greatest first."""
    axes: Rows = np.linalg.eigh(moments)[1][:, ::-1]
    return axes


def combine(music: Path, views: Path, student: Path, work: Path, out: Path, about: Path) -> None:
    """Write the model folder; the card last, so that a folder with a card is whole."""
    network, measured = load_student(student), measure_music(music, work)
    heard = student_means(network, measured.inputs, measured.counts)
    logs = np.concatenate([load_file(shard_path(views, k))["logs"] for k in range(_SHARDS)])
    seen = student_means(network, logs, np.ones(len(logs), np.int64))
    blocks = fit_blocks(heard, seen)
    songs, viewed = (
        np.concatenate([block.apply(means[name]) for name, block in blocks.items()], axis=1)
        for means in (heard, seen)
    )
    last = fit_map(*(rows.astype(np.float64) for rows in (measured.vectors, songs, viewed)))
    out.mkdir(parents=True, exist_ok=True)
    base = find_model(BASE)
    shutil.copyfile(base.folder / "credits.csv", out / "credits.csv")
    graph = songs_graph(network, blocks, SingingScore(network, load_scale(student)), VOICE)
    some = np.concatenate([each[:: len(each) // _RANGES] for each in (measured.inputs, logs)])
    (out / SONGS_NETWORK).write_bytes(quantised(graph, some))
    (out / SONGS_MAP).write_bytes(songs_map_file(last))
    pack_student(student, out / "student.safetensors")
    recipe = (base.folder / "recipe.toml").read_text(encoding="utf-8")
    recipe = recipe.replace(f'name = "{BASE}"', f'name = "{NAME}"')
    (out / "recipe.toml").write_text(recipe, encoding="utf-8")
    card = json.loads((base.folder / "card.json").read_text(encoding="utf-8"))
    files = [*card["files"], SONGS_NETWORK, SONGS_MAP]
    words = json.loads(about.read_text(encoding="utf-8"))
    card |= {"name": NAME, "dim": DIM, "files": files, "base": BASE, "about": words}
    partial = out / "card.json.partial"
    partial.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(out / "card.json")


def main() -> None:
    """Combine what the command line names."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("music", "views", "student", "work", "out", "about"):
        options.add_argument(name, type=Path)
    combine(**vars(options.parse_args()))


if __name__ == "__main__":
    main()
