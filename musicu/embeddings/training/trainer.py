"""The trainer of audio encoders: from recordings to a model folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicu.embeddings.training import heldout
from musicu.embeddings.training.augment import Draws, augment, warp
from musicu.embeddings.training.auxiliary import AuxiliaryHeads, rhythm_of
from musicu.embeddings.training.checkpoint import Learner, load_checkpoint, save_checkpoint
from musicu.embeddings.training.encode import encode_crops
from musicu.embeddings.training.losses import contrastive_loss
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.parallel import Workers
from musicu.embeddings.training.pooling import fit_whitening
from musicu.embeddings.training.precision import casting, scaler_for
from musicu.embeddings.training.recipe import TrainingRecipe
from musicu.embeddings.training.sound_cache import as_logs
from musicu.embeddings.training.train_data import TrackPool, TrainingBatch, join

VALIDATION_CHUNKS = 8  # of each recording: four of each half

# settings that the network's learning does not see
_AFTERWARDS = ("device", "threads", "window_count", "statistics", "head")

Report = Callable[[dict[str, Any]], None]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a run learns from.

    held: int64, recordings of `real.cache` that validate. pieces: the files of `made`.
    """

    real: TrackPool
    made: TrackPool | None
    held: NDArray[np.int64]
    pieces: tuple[Path, ...] = ()

    def batch(
        self, recipe: TrainingRecipe, step: int, rank: int
    ) -> tuple[TrainingBatch, np.random.Generator]:
        """The batch of a step, and the generator for what is done to it."""
        rng = np.random.default_rng([recipe.seed, step, rank])
        frames = long_frames(recipe)
        count = round(recipe.tracks * recipe.rendered_share)
        if self.made is None or count == 0:
            return self.real.draw(recipe.tracks, frames, rng), rng
        real = self.real.draw(recipe.tracks - count, frames, rng)
        return join(real, self.made.draw(count, frames, rng)), rng


def long_frames(recipe: TrainingRecipe) -> int:
    """Frames to cut for a window that a faster tempo may read further into."""
    return int(np.ceil(recipe.frames * (1 + recipe.augment.tempo))) + 1


def new_learner(recipe: TrainingRecipe, start: dict[str, torch.Tensor] | None = None) -> Learner:
    """A learner at step 0, from the recipe's seed or from weights to start from."""
    torch.manual_seed(recipe.seed)
    network, average = AudioNetwork(recipe.network), AudioNetwork(recipe.network)
    heads = AuxiliaryHeads(recipe.network.dim)
    if start is not None:
        network.load_state_dict(start)
    average.load_state_dict(network.state_dict())
    for module in (network, heads, average):
        module.to(recipe.device)
    parameters = [*network.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(
        parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    return Learner(network, heads, average, optimiser, scaler_for(recipe.precision, recipe.device))


def learn(
    learner: Learner, material: Material, recipe: TrainingRecipe, out: Path, report: Report
) -> Learner:
    """Run the recipe's steps, resuming from a checkpoint in `out` where there is one."""
    torch.set_num_threads(recipe.threads)
    mark = _mark(recipe, material)
    workers = Workers.join(recipe.device)
    load_checkpoint(out, learner, mark)
    began = time.monotonic()
    losses: list[dict[str, float]] = []
    end = min(recipe.stop_at or recipe.steps, recipe.steps)
    while learner.step < end:
        losses.append(_step(learner, material, recipe, workers))
        learner.step += 1
        last = learner.step == end
        if learner.step % 50 == 0 or last:
            means = {k: float(np.mean([x[k] for x in losses])) for k in losses[0]}
            losses.clear()
            seconds = round(time.monotonic() - began, 1)
            report({"event": "step", "step": learner.step, "seconds": seconds} | means)
        if learner.step % recipe.validate_every == 0 or last:
            scores = validate(learner.average, material, recipe)
            report({"event": "validation", "step": learner.step} | scores.as_dict())
        if workers.rank == 0 and (learner.step % recipe.checkpoint_every == 0 or last):
            save_checkpoint(out, learner, mark)
    return learner


def _mark(recipe: TrainingRecipe, material: Material) -> str:
    """What a checkpoint must share to be resumed from: all that learning depends on."""
    keys = material.real.cache.keys
    if material.made is not None and recipe.rendered_share > 0:
        keys += material.made.cache.keys
    known = hashlib.sha256("".join(keys).encode()).hexdigest()[:16]
    plain = json.loads(recipe.as_json())
    for name in _AFTERWARDS:
        del plain[name]
    return json.dumps({"recipe": plain, "recordings": known})


def _step(
    learner: Learner, material: Material, recipe: TrainingRecipe, workers: Workers
) -> dict[str, float]:
    batch, rng = material.batch(recipe, learner.step, workers.rank)
    logs, rhythms = _prepare(batch, recipe, rng)
    learner.network.train()
    learner.average.train(False)
    for group in learner.optimiser.param_groups:
        group["lr"] = recipe.learning_rate * schedule(learner.step, recipe)
    with casting(recipe.precision, recipe.device):
        vectors = learner.network(logs)
        projected = learner.network.projected(vectors)
    contrast = contrastive_loss(
        projected.float(),
        torch.from_numpy(batch.positives).to(recipe.device),
        torch.from_numpy(batch.negatives).to(recipe.device),
        recipe.temperature,
    )
    known = torch.from_numpy(batch.families).to(recipe.device)
    rhythm, families = learner.heads.losses(vectors.float(), rhythms, known)
    loss = contrast + recipe.rhythm * rhythm + recipe.families * families
    learner.optimiser.zero_grad(set_to_none=True)
    learner.scaler.scale(loss).backward()
    workers.average_gradients(learner.parameters())
    learner.scaler.unscale_(learner.optimiser)
    torch.nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
    learner.scaler.step(learner.optimiser)
    learner.scaler.update()
    _follow(learner, recipe)
    return {
        "loss": loss.item(),
        "contrast": contrast.item(),
        "rhythm": rhythm.item(),
        "families": families.item(),
    }


def _prepare(
    batch: TrainingBatch, recipe: TrainingRecipe, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Augmented level-free windows, and the rhythm of the same windows before most of it."""
    with torch.no_grad():
        draws = Draws(rng, len(batch.inputs), recipe.device)
        moved = warp(as_logs(batch.inputs, recipe.device), recipe.frames, draws, recipe.augment)
        rhythms = rhythm_of(moved)
        logs = augment(moved, draws, recipe.augment)
    return logs, rhythms


def schedule(step: int, recipe: TrainingRecipe) -> float:
    """Share of the learning rate: a linear start, then half a cosine down to 2 %."""
    start = min(1.0, (step + 1) / max(1, recipe.warmup))
    fall = 0.5 * (1 + float(np.cos(np.pi * step / recipe.steps)))
    return start * (0.02 + 0.98 * fall)


def _follow(learner: Learner, recipe: TrainingRecipe) -> None:
    """Move the running average of the weights towards the network's."""
    keep = min(recipe.average, (learner.step + 1) / (learner.step + 10))
    now = learner.network.state_dict()
    with torch.no_grad():
        for key, value in learner.average.state_dict().items():
            if value.dtype.is_floating_point:
                value.mul_(keep).add_(now[key], alpha=1 - keep)
            else:
                value.copy_(now[key])


def validate(
    network: AudioNetwork, material: Material, recipe: TrainingRecipe
) -> heldout.HeldOutScore:
    """How well held-out recordings find each other by the network alone.

    The whitening is the held-out recordings' own: quick, and good enough to see learning by.
    """
    if len(material.held) == 0:
        return heldout.HeldOutScore(float("nan"), float("nan"), 0)
    cache, grouping = material.real.cache, material.real.grouping
    pooled = encode_crops(
        network, cache, material.held, recipe.frames, VALIDATION_CHUNKS, recipe.device
    )
    weights = np.ones(pooled.shape[1])
    whitening = fit_whitening(pooled[0], weights, recipe.shrinkage, recipe.vector_dim)
    vectors = whitening.apply(pooled)
    halves = np.stack([vectors[1], vectors[2]], axis=1)
    return heldout.score(halves, vectors[0], grouping.artist[material.held])
