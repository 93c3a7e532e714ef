"""Contrastive training: tracks of a group predict another track of it, among those of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from musicu.embeddings.tracks.config import TrackConfig
from musicu.embeddings.tracks.track_features import Block, Features, Floats, Known
from musicu.embeddings.tracks.track_network import Adam, Parameters, backward, forward, initial
from musicu.progress import tell

Ints = NDArray[np.int64]
Watch = Callable[[int, float, Parameters], None]

_FEWEST_STEPS = 100
_EXCLUDED = np.float32(-1e9)


@dataclass(frozen=True, slots=True, eq=False)
class GroupBatch:
    """Groups, one target track of each, and other tracks of it as context.

    groups, targets: int64 [batch]; contexts: int64 [batch, context]; weights: float32
    [batch, context], rows summing to 1, 0 for unused contexts.
    """

    groups: Ints
    targets: Ints
    contexts: Ints
    weights: Floats


class GroupSampler:
    """Draws batches: a group, a target among its tracks, some others as its context."""

    def __init__(self, members: csr_matrix, config: TrackConfig, rng: np.random.Generator) -> None:
        self._members, self._config, self._rng = members, config, rng
        sizes = np.diff(members.indptr)
        chances = np.sqrt(
            sizes.astype(np.float64)
        )  # long histories count more, but less than in proportion
        self._cumulated = np.cumsum(chances / chances.sum())
        per_group = chances / chances.sum() / sizes
        drawn = np.bincount(members.indices, np.repeat(per_group, sizes), members.shape[1])
        self.log_chance = np.log(np.maximum(drawn, 1e-12)).astype(np.float32)

    def draw(self) -> GroupBatch:
        """A batch; each group uses a random number of its contexts."""
        size, width = self._config.batch, self._config.context
        found = np.searchsorted(self._cumulated, self._rng.random(size), side="right")
        groups = np.minimum(found, len(self._cumulated) - 1)
        first = self._members.indptr[groups]
        count = self._members.indptr[groups + 1] - first
        target = (self._rng.random(size) * count).astype(np.int64)
        apart = 1 + (self._rng.random((size, width)) * (count - 1)[:, None]).astype(np.int64)
        context = first[:, None] + (target[:, None] + apart) % count[:, None]
        weights = (np.arange(width) < self._rng.integers(1, width + 1, size)[:, None]).astype("f4")
        indices = self._members.indices
        return GroupBatch(
            groups,
            indices[first + target].astype(np.int64),
            indices[context].astype(np.int64),
            weights / weights.sum(axis=1, keepdims=True),
        )

    def shared(self, batch: GroupBatch) -> NDArray[np.bool_]:
        """Where a target is in another's group, and so is no negative: bool [batch, batch]."""
        held: NDArray[np.bool_] = self._members[batch.groups][:, batch.targets].toarray() > 0
        np.fill_diagonal(held, False)
        return held


def train(
    features: Features, members: csr_matrix, config: TrackConfig, watch: Watch | None = None
) -> Parameters:
    """Fit a network to groups of tracks; deterministic by the config's seed.

    features: of all tracks, [tracks]; members: csr [groups, tracks]. watch: called after each step
    with its number, the loss and the parameters.
    """
    rng = np.random.default_rng(config.seed)
    widths = {name: block.shape[1] for name, block in features.blocks.items()}
    parameters = initial(widths, config.dim, config.hidden, rng)
    sampler, adam = GroupSampler(members, config, rng), Adam(parameters, config.weight_decay)
    steps = steps_for(config, members)
    for step in range(steps):
        tell("training", step, steps, "steps")
        batch = sampler.draw()
        rows = np.concatenate([batch.targets, batch.contexts.ravel()])
        shown = drop_features(features.take(rows), len(batch.targets), config, rng)
        done = forward(parameters, shown)
        offsets = config.popularity_correction * sampler.log_chance[batch.targets]
        loss, wanted = info_nce(
            done.vectors, batch.weights, sampler.shared(batch), offsets, config.temperature
        )
        rate = config.learning_rate * 0.5 * (1 + np.cos(np.pi * step / steps))
        adam.step(backward(parameters, done, wanted), rate)
        if watch:
            watch(step + 1, loss, parameters)
    return parameters


def steps_for(config: TrackConfig, members: csr_matrix) -> int:
    """The number of training steps on these groups."""
    enough: int = max(_FEWEST_STEPS, config.epochs * members.nnz // config.batch)
    return min(config.steps, enough)


def info_nce(
    vectors: Floats,
    weights: Floats,
    shared: NDArray[np.bool_],
    offsets: Floats,
    temperature: float,
) -> tuple[float, Floats]:
    """The loss of a batch, and its gradient with respect to the vectors.

    vectors: float32 [batch + batch * context, dim], the targets, then the contexts. The context of
    group i, averaged by its weights and scaled to unit length, is q_i; with targets v_j,

        loss = −mean_i log( exp(s_ii) / Σ_j exp(s_ij) ),   s_ij = q_i·v_j / temperature − offset_j

    over the j that are not shared (InfoNCE, van den Oord et al., 2018, with logQ as offset).
    """
    size, width = weights.shape
    targets, contexts = vectors[:size], vectors[size:].reshape(size, width, -1)
    mean = np.einsum("bc,bcd->bd", weights, contexts)
    lengths = np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-6)
    queries = mean / lengths
    scores = queries @ targets.T / np.float32(temperature) - offsets
    scores[shared] = _EXCLUDED
    scores -= scores.max(axis=1, keepdims=True)
    chances = np.exp(scores)
    total = chances.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(total[:, 0]) - np.diag(scores)))
    slope = chances / total
    slope[np.arange(size), np.arange(size)] -= 1
    slope /= np.float32(size * temperature)
    by_query = slope @ targets
    by_mean = (by_query - np.sum(by_query * queries, axis=1, keepdims=True) * queries) / lengths
    by_context = weights[..., None] * by_mean[:, None, :]
    return loss, np.concatenate([slope.T @ queries, by_context.reshape(size * width, -1)])


def drop_features(
    features: Features, targets: int, config: TrackConfig, rng: np.random.Generator
) -> Features:
    """Features with random tokens and blocks hidden (dropout), so that none is indispensable.

    The collaborative vector of a target is always hidden, as new tracks have none.
    """
    blocks: dict[str, Block] = {}
    known = _kept_blocks(features, targets, config.modality_dropout, rng)
    for name, block in features.blocks.items():
        if isinstance(block, csr_matrix):
            keep = (rng.random(block.nnz) >= config.token_dropout).astype(np.float32)
            keep *= np.repeat(known[name], np.diff(block.indptr))
            kept = csr_matrix((block.data * keep, block.indices, block.indptr), block.shape)
            kept.eliminate_zeros()
            blocks[name] = kept
        else:
            blocks[name] = np.where(known[name][:, None], block, 0).astype(np.float32)
    return Features(blocks, known)


def _kept_blocks(
    features: Features, targets: int, dropout: float, rng: np.random.Generator
) -> dict[str, Known]:
    """The blocks that each track keeps: all of them, some, or one alone.

    The dropout rate differs from track to track and is `dropout` on average, so that tracks with a
    single known block occur in training.
    """
    names = list(features.blocks)
    known = np.stack([features.known[name] for name in names])
    if "collaborative" in names:
        known[names.index("collaborative"), :targets] = False
    rate = rng.random(known.shape[1]) ** (1 / dropout - 1) if dropout else 0.0
    draw = rng.random(known.shape)
    left = known & (draw >= rate)
    favourite = np.where(known, draw, -1.0).argmax(axis=0)
    last = np.arange(len(names))[:, None] == favourite
    left |= known & last & ~left.any(axis=0)
    return dict(zip(names, left, strict=True))
