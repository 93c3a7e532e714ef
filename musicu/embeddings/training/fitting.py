"""From a trained network to a model: what follows the network, fitted and scored as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from musicu.embeddings.training import heldout
from musicu.embeddings.training.crops import CROPS, Crop, crop_statistics
from musicu.embeddings.training.encode import encode_crops
from musicu.embeddings.training.export import Encoder, windows_of
from musicu.embeddings.training.finish import Finish, fit_finish, settle_kin
from musicu.embeddings.training.head import Heard, fit_head, head_vectors
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.train import Material, Report
from musicu.embeddings.training.train_config import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What models are fitted and scored on.

    recordings: int64 [n], of the material's cache. learns: bool [n], what models may be fitted
    to; the rest is held out. statistics: float64 [crops, n, S], or None where they are not
    asked for. crops: which parts of a recording; the first is the whole. made: float64
    [1, pieces, S], the statistics of the material's made pieces, where the last map hears them.
    """

    material: Material
    recordings: NDArray[np.int64]
    statistics: NDArray[np.float64] | None
    crops: tuple[Crop, ...] = CROPS
    made: NDArray[np.float64] | None = None

    @property
    def learns(self) -> NDArray[np.bool_]:
        """bool [n]."""
        learns: NDArray[np.bool_] = self.material.real.chances[self.recordings] > 0
        return learns

    @property
    def artists(self) -> NDArray[np.int64]:
        """int64 [n], -1 where unknown."""
        return self.material.real.grouping.artist[self.recordings]

    def summaries(self, network: AudioNetwork, recipe: Recipe) -> NDArray[np.float32]:
        """What the network says of every crop, float32 [crops, n, summary]."""
        cache, count = self.material.real.cache, recipe.window_count
        return encode_crops(
            network, cache, self.recordings, recipe.frames, count, recipe.device, self.crops
        )

    def heard(self, encoder: Encoder, summaries: NDArray[np.float32]) -> Heard:
        """What the last map starts from."""
        assert self.statistics is not None
        return Heard(self.statistics, encoder.finish.apply(summaries), self.artists)

    def heard_made(self, encoder: Encoder) -> Heard | None:
        """What the last map is told of made pieces, kin by their band."""
        pool, recipe = self.material.made, encoder.recipe
        if self.made is None or pool is None:
            return None
        summaries = encode_crops(
            encoder.network,
            pool.cache,
            np.arange(len(pool.grouping)),
            recipe.frames,
            recipe.window_count,
            recipe.device,
            CROPS[:1],
        )
        return Heard(self.made, encoder.finish.apply(summaries), pool.grouping.artist)


def gather_evidence(
    material: Material,
    recipe: Recipe,
    out: Path,
    paths: Sequence[Path],
    read: Callable[[Path], NDArray[np.float32]],
    report: Report,
    crops: tuple[Crop, ...] = CROPS,
) -> Evidence:
    """Measure what the network does not hear of the material's recordings."""
    usable = material.real.chances > 0
    usable[material.held] = True
    recordings = np.flatnonzero(usable)
    if not recipe.statistics:
        return Evidence(material, recordings, None, crops)
    cache, windows = material.real.cache, windows_of(recipe)
    found = crop_statistics(out, cache, recordings, paths, windows, read, report, crops)
    made = None
    if material.made is not None and recipe.head.made > 0:
        cache, pieces = material.made.cache, np.arange(len(material.pieces))
        made = crop_statistics(
            out, cache, pieces, material.pieces, windows, read, report, CROPS[:1]
        )
    return Evidence(material, recordings, found, crops, made)


def fit_encoder(
    network: AudioNetwork,
    evidence: Evidence,
    recipe: Recipe,
    summaries: NDArray[np.float32] | None = None,
) -> Encoder:
    """The network with a finish, and a head where the recipe asks for statistics.

    summaries: `evidence.summaries` of the network, where they are at hand.
    """
    learns = evidence.learns
    if summaries is None:
        summaries = evidence.summaries(network, recipe)
    chances = evidence.material.real.chances[evidence.recordings][learns]
    finish = fit_finish(summaries[0, learns], chances, recipe.shrinkage, recipe.vector_dim)
    encoder = Encoder(network, _settled(finish, summaries[0], evidence, recipe), recipe)
    if not recipe.statistics:
        return encoder
    heard = evidence.heard(encoder, summaries).take(learns)
    return replace(encoder, constants=fit_head(heard, recipe.head, evidence.heard_made(encoder)))


def score_encoder(encoder: Encoder, evidence: Evidence) -> heldout.HeldOutScore:
    """How well held-out recordings find each other by the model's whole vectors."""
    held = ~evidence.learns
    if not held.any():
        return heldout.HeldOutScore(float("nan"), float("nan"), 0)
    some = replace(
        evidence,
        recordings=evidence.recordings[held],
        statistics=None if evidence.statistics is None else evidence.statistics[:, held],
    )
    summaries = some.summaries(encoder.network, encoder.recipe)
    vectors = encoder.finish.apply(summaries)
    if encoder.constants is not None:
        vectors = head_vectors(encoder.constants, some.heard(encoder, summaries))
    return heldout.score(np.stack([vectors[1], vectors[2]], 1), vectors[0], some.artists)


def _settled(
    finish: Finish, summaries: NDArray[np.float32], evidence: Evidence, recipe: Recipe
) -> Finish:
    """The finish told who made what, where the recipe asks for it."""
    if recipe.kin_shrinkage <= 0:
        return finish
    learns = evidence.learns
    return settle_kin(finish, summaries[learns], evidence.artists[learns], recipe.kin_shrinkage)
