"""A training run's state on disk: tensors in safetensors, the rest in JSON, no pickle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from musicu.embeddings.training.network import AudioNetwork
from musicu.errors import ModelError

FORMAT_VERSION = 1


@dataclass(slots=True)
class Learner:
    """What learns and what is kept of it: the running average is what will be used.

    scaler: of float16's gradients. step: optimiser steps done.
    """

    network: AudioNetwork
    heads: torch.nn.Module
    average: AudioNetwork
    optimiser: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    step: int = 0

    def parameters(self) -> list[torch.nn.Parameter]:
        """All that the optimiser changes, in a fixed order."""
        return [*self.network.parameters(), *self.heads.parameters()]


def save_checkpoint(folder: Path, learner: Learner, recipe: str) -> None:
    """Write `checkpoint.safetensors`; the step and the recipe ride in its header.

    One file under a temporary name, synced and renamed: a run killed here keeps the last one.
    """
    tensors = {}
    for name, module in _modules(learner):
        for key, value in module.state_dict().items():
            tensors[f"{name}.{key}"] = value.detach().cpu().contiguous().clone()
    for number, state in learner.optimiser.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"optimiser.{number}.{key}"] = torch.as_tensor(value).cpu().contiguous().clone()
    scaling = json.dumps(learner.scaler.state_dict())  # plain numbers; empty but for float16
    about = {
        "format": str(FORMAT_VERSION),
        "scaling": scaling,
        "step": str(learner.step),
        "recipe": recipe,
    }
    partial = folder / "checkpoint.safetensors.partial"
    save_file(tensors, partial, metadata=about)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(folder / "checkpoint.safetensors")


def load_checkpoint(folder: Path, learner: Learner, recipe: str) -> bool:
    """Put a saved run into `learner`; False where there is none.

    Raises ModelError where the checkpoint is of another recipe.
    """
    path = folder / "checkpoint.safetensors"
    if not path.is_file():
        return False
    with safe_open(path, "pt") as file:
        about = file.metadata() or {}
    if about.get("format") != str(FORMAT_VERSION):
        raise ModelError(f"{path} has format {about.get('format')}; this reads {FORMAT_VERSION}")
    if about.get("recipe") != recipe:
        raise ModelError(f"{path} was made with another recipe or data: choose another folder")
    tensors = load_file(path)
    for name, module in _modules(learner):
        module.load_state_dict(_part(tensors, f"{name}."))
    state = learner.optimiser.state_dict()
    state["state"] = {}
    for key, value in _part(tensors, "optimiser.").items():
        number, _, field = key.partition(".")
        state["state"].setdefault(int(number), {})[field] = value
    learner.optimiser.load_state_dict(state)
    learner.scaler.load_state_dict(json.loads(about["scaling"]))
    learner.step = int(about["step"])
    return True


def _modules(learner: Learner) -> list[tuple[str, torch.nn.Module]]:
    return [
        ("network", learner.network),
        ("heads", learner.heads),
        ("average", learner.average),
    ]


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
