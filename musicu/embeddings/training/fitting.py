"""From a trained network to a model: whitening and projection head, fitted and scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.songs import SongsPart
from musicu.embeddings.training import heldout
from musicu.embeddings.training.crops import CROPS, Crop, crop_songs, crop_statistics
from musicu.embeddings.training.encode import encode_crops
from musicu.embeddings.training.encoder_export import Encoder, windows_of
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pooling import fit_whitening
from musicu.embeddings.training.projection_head import HeadInput, fit_head, head_vectors
from musicu.embeddings.training.recipe import TrainingRecipe
from musicu.embeddings.training.trainer import Material, Report


@dataclass(frozen=True, slots=True, eq=False)
class FitData:
    """What models are fitted and scored on.

    recordings: int64 [n], of the material's cache. statistics: float64 [crops, n, S], or None
    where the recipe has none. crops: which parts of a recording; the first is the whole. made:
    float64 [1, pieces, S], the statistics of the made pieces, where the head is fitted to them.
    songs: float32 [crops, n, numbers], of the songs network of a model that is fine-tuned.
    """

    material: Material
    recordings: NDArray[np.int64]
    statistics: NDArray[np.float64] | None
    crops: tuple[Crop, ...] = CROPS
    made: NDArray[np.float64] | None = None
    songs: NDArray[np.float32] | None = None

    @property
    def learns(self) -> NDArray[np.bool_]:
        """What models may be fitted to, bool [n]; the rest is held out."""
        learns: NDArray[np.bool_] = self.material.real.chances[self.recordings] > 0
        return learns

    @property
    def artists(self) -> NDArray[np.int64]:
        """int64 [n], -1 where unknown."""
        return self.material.real.grouping.artist[self.recordings]

    def pool(self, network: AudioNetwork, recipe: TrainingRecipe) -> NDArray[np.float32]:
        """The network's pooled features of every crop, float32 [crops, n, pooled]."""
        cache, count = self.material.real.cache, recipe.window_count
        return encode_crops(
            network, cache, self.recordings, recipe.frames, count, recipe.device, self.crops
        )

    def head_input(self, encoder: Encoder, pooled: NDArray[np.float32]) -> HeadInput:
        """What the projection head is fitted to."""
        assert self.statistics is not None
        return HeadInput(self.statistics, encoder.whitening.apply(pooled), self.artists)

    def made_input(self, encoder: Encoder) -> HeadInput | None:
        """The same of made pieces, grouped by band."""
        pool, recipe = self.material.made, encoder.recipe
        if self.made is None or pool is None:
            return None
        every, whole = np.arange(len(pool.grouping)), CROPS[:1]
        sizes = recipe.frames, recipe.window_count, recipe.device
        pooled = encode_crops(encoder.network, pool.cache, every, *sizes, whole)
        return HeadInput(self.made, encoder.whitening.apply(pooled), pool.grouping.artist)


def measure_fit_data(
    material: Material,
    recipe: TrainingRecipe,
    out: Path,
    paths: Sequence[Path],
    read: Callable[[Path], NDArray[np.float32]],
    report: Report,
    crops: tuple[Crop, ...] = CROPS,
    songs: SongsPart | None = None,
) -> FitData:
    """The material's recordings with their statistics, where the recipe has some, and with a songs
    network's numbers, where the model has one."""
    floor_db = songs.last.reading.floor_db if songs is not None else -math.inf
    data = _measure_statistics(material, recipe, out, paths, read, report, crops, floor_db)
    if songs is None:
        return data
    found = crop_songs(songs, data.recordings, paths, windows_of(recipe), read, crops)
    return replace(data, songs=found)


def _measure_statistics(
    material: Material,
    recipe: TrainingRecipe,
    out: Path,
    paths: Sequence[Path],
    read: Callable[[Path], NDArray[np.float32]],
    report: Report,
    crops: tuple[Crop, ...],
    floor_db: float,
) -> FitData:
    usable = material.real.chances > 0
    usable[material.held] = True
    recordings = np.flatnonzero(usable)
    if not recipe.statistics:
        return FitData(material, recordings, None, crops)
    cache, windows = material.real.cache, windows_of(recipe)
    found = crop_statistics(out, cache, recordings, paths, windows, read, report, crops, floor_db)
    made = None
    if material.made is not None and recipe.head.made > 0:
        cache, pieces = material.made.cache, np.arange(len(material.pieces))
        made = crop_statistics(
            out, cache, pieces, material.pieces, windows, read, report, CROPS[:1], floor_db
        )
    return FitData(material, recordings, found, crops, made)


def fit_encoder(
    network: AudioNetwork,
    data: FitData,
    recipe: TrainingRecipe,
    pooled: NDArray[np.float32] | None = None,
) -> Encoder:
    """The network with a whitening, and a head where the recipe asks for statistics.

    pooled: `data.pool` of the network, where it is at hand.
    """
    learns = data.learns
    if pooled is None:
        pooled = data.pool(network, recipe)
    chances = data.material.real.chances[data.recordings][learns]
    whitening = fit_whitening(pooled[0, learns], chances, recipe.shrinkage, recipe.vector_dim)
    encoder = Encoder(network, whitening, recipe)
    if not recipe.statistics:
        return encoder
    inputs = data.head_input(encoder, pooled).take(learns)
    return replace(encoder, constants=fit_head(inputs, recipe.head, data.made_input(encoder)))


def score_encoder(encoder: Encoder, data: FitData) -> heldout.HeldOutScore:
    """How well held-out recordings find each other by the model's whole vectors."""
    held = ~data.learns
    if not held.any():
        return heldout.HeldOutScore(float("nan"), float("nan"), 0)
    statistics = None if data.statistics is None else data.statistics[:, held]
    some = replace(data, recordings=data.recordings[held], statistics=statistics)
    pooled = some.pool(encoder.network, encoder.recipe)
    vectors = encoder.whitening.apply(pooled)
    if encoder.constants is not None:
        vectors = head_vectors(encoder.constants, some.head_input(encoder, pooled))
    return heldout.score(np.stack([vectors[1], vectors[2]], 1), vectors[0], some.artists)
