"""Everything that a training run depends on, in one recipe that is read from TOML."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from musicu.embeddings.training.pairs import PairWeights
from musicu.embeddings.training.projection_head import HeadConfig
from musicu.errors import ModelError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The network's shape. dim: numbers in a vector; channels: of the stem and of each stage."""

    dim: int = 256
    channels: tuple[int, ...] = (16, 32, 80, 192)
    projection: int = 128


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How far training changes its inputs; the chances (0 to 1) are of each window on its own."""

    pitch_semitones: float = 1.0  # at most, either way
    tempo: float = 0.08  # at most, as a share, either way
    equalise_db: float = 5.0  # deviation of each of the curve's terms
    compress: float = 0.5  # the loudness contour is flattened by up to this share
    band_limit_chance: float = 0.4
    codec_chance: float = 0.3
    noise_chance: float = 0.3
    reverb_chance: float = 0.3
    mix_chance: float = 0.3
    mix_db: tuple[float, float] = (-20.0, -6.0)  # level of the second track
    mask_chance: float = 0.5


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """A training run; the same recipe, data and machine give the same model.

    steps: optimiser steps; with --init, 0 freezes the network. tracks: recordings in a
    batch, two windows of each. frames: of a training window, 46 ms each. balance: 0 draws
    recordings alike, 1 artists and sources alike. held_out: share of the artists kept for
    validation. rendered_share: made pieces (`made`), as a share of `tracks`. stop_at: end at this
    step of the schedule, 0 for its end. vector_dim: numbers of the network's vector. statistics:
    whether those of `features` stand beside it, under a projection `head`. rhythm, families:
    weights of the auxiliary targets. precision, front_end: see `precision` and `sound_cache`.
    """

    name: str = "my-audio-model"
    seed: int = 1
    steps: int = 3000
    tracks: int = 96
    frames: int = 88
    learning_rate: float = 2e-3
    warmup: int = 100
    weight_decay: float = 1e-4
    temperature: float = 0.1
    average: float = 0.998  # decay of the running average of the weights
    balance: float = 0.5
    held_out: float = 0.15
    validate_every: int = 250
    checkpoint_every: int = 100
    rendered_share: float = 0.0
    rhythm: float = 0.0
    families: float = 0.0
    shrinkage: float = 1.0  # of the whitening: 0 whitens wholly, large only centres
    threads: int = 1
    device: str = "cpu"
    precision: str = "auto"  # or float32, bfloat16, float16
    front_end: str = "auto"  # or cached, device
    window_count: int = 16
    vector_dim: int = 256
    statistics: bool = False
    stop_at: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    pairs: PairWeights = field(default_factory=PairWeights)
    head: HeadConfig = field(default_factory=HeadConfig)

    @classmethod
    def fine_tuning(cls) -> TrainingRecipe:
        """For fine-tuning a trained model: few steps at a low rate."""
        return cls(steps=300, learning_rate=5e-4, warmup=20, average=0.98, tracks=80)

    def as_json(self) -> str:
        """The recipe as JSON with sorted keys: equal text for equal recipes."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def read_recipe(path: Path) -> TrainingRecipe:
    """The recipe in a TOML file; what it leaves out keeps its default.

    Raises ModelError where the file is missing, or names a setting that does not exist.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"recipe {path} cannot be read: {error}") from error
    table.pop("notes", None)
    return recipe_from(table, str(path))


def recipe_from(table: dict[str, Any], where: str) -> TrainingRecipe:
    """A recipe from nested tables, checked against the settings that exist."""
    table = dict(table)
    parts = {
        "network": NetworkConfig,
        "augment": AugmentConfig,
        "pairs": PairWeights,
        "head": HeadConfig,
    }
    for name, kind in parts.items():
        if name in table:
            table[name] = _filled(kind, table[name], f"{where} [{name}]")
    return _filled(TrainingRecipe, table, where)


def _filled(kind: type[_T], values: dict[str, Any], where: str) -> _T:
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ModelError(f"{where}: no such setting: {', '.join(unknown)}; known: {sorted(known)}")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return kind(**values)
