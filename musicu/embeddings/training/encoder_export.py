"""A trained encoder as a model folder that `Embedder.load` reads."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from musicu.embeddings.cards import read_card, write_card
from musicu.embeddings.frontend import HOP, SAMPLE_RATE
from musicu.embeddings.neighbours import (
    NEIGHBOURS,
    Neighbours,
    neighbours_file,
    read_neighbours,
)
from musicu.embeddings.songs import SONGS_MAP, SONGS_NETWORK, SongsPart, read_songs, songs_map_file
from musicu.embeddings.stats import CONSTANTS, Constants, read_constants
from musicu.embeddings.training.constants import save_constants
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.onnx_export import build_graph
from musicu.embeddings.training.pooling import Whitening
from musicu.embeddings.training.recipe import TrainingRecipe, read_recipe
from musicu.errors import ModelError
from musicu.records import Windows

CREDITS = ("track_id", "title", "artist", "album", "licence", "source", "commit", "path")


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """A network with its whitening, and the recipe that says what it reads.

    constants: of the statistics that stand beside the network, where some do. songs: the network
    beside that vector, and the map over both, where there is one. neighbours: the vectors for
    smoothing, where the model keeps a catalog's.
    """

    network: AudioNetwork
    whitening: Whitening
    recipe: TrainingRecipe
    constants: Constants | None = None
    neighbours: Neighbours | None = None
    songs: SongsPart | None = None


def windows_of(recipe: TrainingRecipe) -> Windows:
    """The input windows of a model of this recipe, one chunk each."""
    # the chunk's frames lie wholly inside, with a little for what rounding takes away
    seconds = round((recipe.frames + 1) * HOP / SAMPLE_RATE + 0.01, 2)
    return Windows(seconds, recipe.window_count)


def export_model(
    folder: Path,
    encoder: Encoder,
    about: Mapping[str, Any],
    credits: Sequence[Mapping[str, str]],
) -> Path:
    """Write card.json, model.onnx, weights.safetensors, recipe.toml and credits.csv."""
    recipe = encoder.recipe
    folder.mkdir(parents=True, exist_ok=True)
    # Windows are one chunk each; a whole recording is cut into chunks that overlap by half.
    graph = build_graph(encoder.network, encoder.whitening, recipe.frames, recipe.frames // 2)
    (folder / "model.onnx").write_bytes(graph.SerializeToString(deterministic=True))
    _save_weights(folder / "weights.safetensors", encoder)
    (folder / "recipe.toml").write_text(as_toml(recipe), encoding="utf-8")
    with (folder / "credits.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, CREDITS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(credits)
    windows = windows_of(recipe)
    card: dict[str, Any] = {"name": recipe.name, "kind": "audio"}
    card["windows"] = {"seconds": windows.seconds, "count": windows.count}
    card |= {"dim": encoder.whitening.matrix.shape[1], "sample_rate": SAMPLE_RATE}
    card["files"] = ["model.onnx"]
    if encoder.constants is not None:
        save_constants(encoder.constants, folder)
        card["dim"] = encoder.constants.final.shape[1]
        card["files"] += [CONSTANTS]
    if encoder.songs is not None:
        (folder / SONGS_NETWORK).write_bytes(encoder.songs.path.read_bytes())
        (folder / SONGS_MAP).write_bytes(songs_map_file(encoder.songs.last))
        card["dim"] = encoder.songs.last.matrix.shape[1]
        card["files"] += [SONGS_NETWORK, SONGS_MAP]
    if encoder.neighbours is not None:
        (folder / NEIGHBOURS).write_bytes(neighbours_file(encoder.neighbours))
        card["files"] += [NEIGHBOURS]
    card["about"] = dict(about)
    write_card(folder, card)
    return folder


def _save_weights(path: Path, encoder: Encoder) -> None:
    tensors = {f"network.{k}": v.cpu() for k, v in encoder.network.state_dict().items()}
    tensors["finish.centre"] = torch.from_numpy(encoder.whitening.centre)
    tensors["finish.matrix"] = torch.from_numpy(encoder.whitening.matrix)
    path.write_bytes(save({k: v.contiguous().clone() for k, v in tensors.items()}))


def load_encoder(folder: Path) -> Encoder:
    """The encoder of a model folder of kind "audio", for fine-tuning."""
    card = read_card(folder)
    if card.kind != "audio":
        raise ModelError(
            f"{card.name} is of kind {card.kind!r}: only audio models can be fine-tuned"
        )
    path = card.path("weights.safetensors")
    if not path.is_file():
        raise ModelError(f"{folder} has no weights.safetensors, which fine-tuning starts from")
    recipe = read_recipe(folder / "recipe.toml")
    tensors = load_file(path)
    network = AudioNetwork(recipe.network)
    network.load_state_dict(
        {k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")}
    )
    whitening = Whitening(tensors["finish.centre"].numpy(), tensors["finish.matrix"].numpy())
    constants, dim = None, whitening.matrix.shape[1]
    if CONSTANTS in card.files:
        constants = read_constants(card, dim, 0 if SONGS_NETWORK in card.files else card.dim)
        dim = constants.final.shape[1]
    neighbours = read_neighbours(card) if NEIGHBOURS in card.files else None
    songs = read_songs(card, dim) if SONGS_NETWORK in card.files else None
    return Encoder(network.eval(), whitening, recipe, constants, neighbours, songs)


def copy_model(source: Path, folder: Path, name: str) -> Path:
    """The same model under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    found = read_card(source)
    for file in {*found.files, "weights.safetensors", "recipe.toml", "credits.csv"}:
        shutil.copyfile(found.path(file), folder / file)
    card = json.loads((source / "card.json").read_text(encoding="utf-8")) | {"name": name}
    card.pop("base", None)
    write_card(folder, card)
    return folder


def as_toml(recipe: TrainingRecipe) -> str:
    """A recipe as TOML that `read_recipe` reads back to an equal recipe."""
    plain, tables = [], []
    for field in dataclasses.fields(recipe):
        value = getattr(recipe, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            rows = [f"{k} = {_toml(v)}" for k, v in dataclasses.asdict(value).items()]
            tables.append("\n".join(["", f"[{field.name}]", *rows]))
        else:
            plain.append(f"{field.name} = {_toml(value)}")
    return "\n".join([*plain, *tables]) + "\n"


def _toml(value: Any) -> str:
    """JSON's spelling of strings, numbers, truth and lists is TOML's too."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
