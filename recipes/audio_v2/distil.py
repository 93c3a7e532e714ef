"""Stage 2b: the student learns what the teachers make of the views.

    python -m recipes.audio_v2.distil VIEWS OUT

OUT receives `student.safetensors`: weights, running averages and the optimiser's state, from which
a run goes on, with more steps too as long as its learning rate has not begun to fall. `--start`
names weights to begin with, such as those that ship; `--hint` says what the maps of the teachers'
inner layers weigh, 0 for none. Batches depend on the seed and the step alone; where views are still
being made, a run waits for those that its step asks for. `--device cuda` trains on a GPU,
`--compile` compiles the network. Products are in bfloat16; on processors without instructions for
it `--float32` is ten times as fast.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file
from scipy.special import expit

from recipes.audio_v2.hints import HINTS, hint_heads, hint_losses
from recipes.audio_v2.songs_export import SINGING
from recipes.audio_v2.student import TARGETS, StudentConfig, StudentNetwork, distillation_loss
from recipes.audio_v2.views import shard_path

GENRES = slice(216, 267)  # AudioSet's classes from "Pop music" to "Song"
WEIGHTS = {"hidden": 1.0, "pooled": 0.5, "tagger": 1.0, "tagger_inner": 0.3, "logits": 0.3}
WEIGHTS |= {"hidden likeness": 10.0, "tagger likeness": 5.0}
CHECKPOINT = "student.safetensors"
_BLOCK = 64  # steps over the same shards
_AT_ONCE = 8  # shards of a block
_AMONG = 20  # of which a block takes those views that are most like songs


@dataclass(frozen=True, slots=True)
class DistillConfig:
    """How long and how fast; the first run of the shipped weights had these, without hints.

    stop: steps to do of these, where it is not all. fall: share of the steps, at the end, in which
    the learning rate falls to nothing. hint: what each of the teachers' maps weighs. first, growth:
    shards that the first block of 64 steps draws from, and how many more each later one. songs:
    from 20 shards in place of 8, the views that are most like songs are taken.
    """

    steps: int = 5800
    stop: int = 0
    batch: int = 64
    rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: int = 200
    fall: float = 0.4
    average: float = 0.998
    hint: float = 1.0
    first: int = 36
    growth: float = 0.6
    shards: int = 96
    songs: bool = False
    seed: int = 2
    start: str = ""
    device: str = "cpu"
    compile: bool = False
    float32: bool = False


class Distiller:
    """The student, its running average, the optimiser, and the scale of the targets."""

    def __init__(self, config: DistillConfig, scale: Mapping[str, torch.Tensor]) -> None:
        torch.manual_seed(config.seed)
        self.config, self.scale, self.step = config, dict(scale), 0
        form = torch.channels_last
        self.network = StudentNetwork(StudentConfig()).to(config.device, memory_format=form)
        self.average = StudentNetwork(StudentConfig()).to(config.device)
        self.average.load_state_dict(self.network.state_dict())
        self.hints = hint_heads(self.network.channels, self.network.bands).to(config.device)
        self.run = torch.compile(self.network) if config.compile else self.network
        self.optimiser = torch.optim.AdamW(
            self._learned(), lr=config.rate, weight_decay=config.weight_decay, fused=True
        )

    def _learned(self) -> list[torch.nn.Parameter]:
        return [*self.network.parameters(), *(self.hints.parameters() if self.config.hint else ())]

    def learn(self, batch: Mapping[str, torch.Tensor]) -> dict[str, float]:
        """One step; the losses."""
        config = self.config
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * schedule(self.step, config)
        device = torch.device(config.device).type
        with torch.autocast(device, torch.bfloat16, enabled=not config.float32):
            predicted, stages = self.run(batch["logs"])
        plain = {name: value.float() for name, value in predicted.items()}
        losses = distillation_loss(plain, {n: self._scaled(n, batch[n]) for n in TARGETS})
        parts = [WEIGHTS[name] * value for name, value in losses.items()]
        if config.hint:
            wanted = {name: self._scaled(name, batch[name]) for name in HINTS}
            with torch.autocast(device, torch.bfloat16, enabled=not config.float32):
                hinted = hint_losses(self.hints, stages, wanted)
            losses |= hinted
            parts += [config.hint * value for value in hinted.values()]
        loss = torch.stack(parts).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._learned(), 5.0)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return {name: value.item() for name, value in losses.items()}

    def _scaled(self, name: str, target: torch.Tensor) -> torch.Tensor:
        """A target in units of its deviation."""
        scaled: torch.Tensor = (target - self.scale[f"{name}.mean"]) / self.scale[f"{name}.spread"]
        return scaled

    def _follow(self) -> None:
        """Move the running average towards the weights."""
        keep = min(self.config.average, self.step / (self.step + 10))
        now = self.network.state_dict()
        with torch.no_grad():
            for key, value in self.average.state_dict().items():
                if value.dtype.is_floating_point:
                    value.lerp_(now[key], 1 - keep)
                else:
                    value.copy_(now[key])

    def save(self, path: Path) -> None:
        """Write everything that a run needs to go on."""
        tensors = {f"scale.{k}": v for k, v in self.scale.items()}
        tensors |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"hints.{k}": v for k, v in self.hints.state_dict().items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{k}": torch.as_tensor(v) for k, v in state.items()}
        plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        partial = path.with_suffix(".partial")
        save_file(plain, partial, {"step": str(self.step)})
        partial.replace(path)

    def begin_with(self, path: Path) -> None:
        """Take the averaged weights and the scale of another run, and its hints where it has
        some. Residual blocks that it lacks begin as the identity."""
        tensors = load_tensors(path, self.config.device)
        known = _part(tensors, "average.")
        for module in (self.network, self.average):
            fresh = {k: v for k, v in module.state_dict().items() if k.startswith("blocks.")}
            module.load_state_dict(fresh | known)
        if hints := _part(tensors, "hints."):
            self.hints.load_state_dict(hints)
        self.scale |= _part(tensors, "scale.")

    def load(self, path: Path) -> None:
        """Go on from what was saved."""
        tensors = load_tensors(path, self.config.device)
        for name in ("network", "average", "hints"):
            getattr(self, name).load_state_dict(_part(tensors, f"{name}."))
        state = self.optimiser.state_dict()
        state["state"] = {}
        parameters = self._learned()
        for key, value in _part(tensors, "optimiser.").items():
            number, _, field = key.partition(".")
            if value.ndim > 0:  # in the layout of its parameter, which the fused step relies on
                value = torch.empty_like(parameters[int(number)]).copy_(value)
            state["state"].setdefault(int(number), {})[field] = value
        self.optimiser.load_state_dict(state)
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
        self.scale = _part(tensors, "scale.")


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def schedule(step: int, config: DistillConfig) -> float:
    """Share of the learning rate: a linear start, a level stretch, a linear end."""
    start = min(1.0, (step + 1) / config.warmup)
    left = (config.steps - step) / max(1.0, config.fall * config.steps)
    return min(start, max(0.0, left), 1.0)


def read_shard(views: Path, shard: int, wait: float = 5.0) -> dict[str, NDArray[np.float16]]:
    """A shard, when it is there."""
    path = shard_path(views, shard)
    while not path.is_file():
        time.sleep(wait)
    found: dict[str, NDArray[np.float16]] = load_file(path)
    return found


def batches(views: Path, config: DistillConfig, step: int) -> Iterator[dict[str, torch.Tensor]]:
    """The batches from a step on: blocks of steps over a few shards, the newest among them."""
    while True:
        block, within = divmod(step, _BLOCK)
        rng = np.random.default_rng([config.seed, block])
        known = int(min(config.shards, config.first + config.growth * block))
        newest = np.arange(max(0, known - 2), known)
        count = min(_AMONG if config.songs else _AT_ONCE, known)
        others = rng.choice(known - len(newest), count - len(newest), replace=False)
        names = ("logs", *TARGETS, *(HINTS if config.hint else ()))
        parts = []
        for shard in (*others, *newest):
            part = read_shard(views, int(shard))
            if config.songs:
                rows = _most_like_songs(part["logits"], rng)
                part = {k: part[k][rows] for k in names}
            parts.append(part)
        data = {k: np.concatenate([p[k] for p in parts]) for k in names}
        order = rng.permutation(len(data["logs"]))
        for turn in range(within, _BLOCK):
            places = (turn * config.batch + np.arange(config.batch)) % len(order)
            rows = np.sort(order[places])
            yield {
                k: torch.from_numpy(v[rows].astype(np.float32)).to(config.device)
                for k, v in data.items()
            }
        step = (block + 1) * _BLOCK


def _most_like_songs(logits: NDArray[np.float16], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of a shard, `_AT_ONCE` of `_AMONG`: drawn without replacement by what the teacher makes
    of AudioSet's classes of singing and of genres together.

    By random keys, after Efraimidis and Spirakis, "Weighted random sampling with a reservoir"
    (Information Processing Letters, 2006).
    """
    chances = expit(logits.astype(np.float32))
    likeness = sum(chances[:, classes].sum(axis=1) for classes in (SINGING, GENRES))
    keys = np.log(rng.random(len(logits))) / (0.05 + np.minimum(likeness, 1.0))
    take = round(len(logits) * _AT_ONCE / _AMONG)
    return np.sort(np.argsort(-keys)[:take])


def target_scale(views: Path, hints: bool = False) -> dict[str, torch.Tensor]:
    """Mean and deviation of every target, over the first eight shards; of a hint, over the first
    two, for each channel and band."""
    scale = {}
    for name in (*TARGETS, *(HINTS if hints else ())):
        parts = [
            read_shard(views, shard)[name] for shard in range(2 if name in HINTS else _AT_ONCE)
        ]
        values = np.concatenate(parts).astype(np.float64)
        along = (0, 3) if name in HINTS else (0,)  # views, and frames
        mean, spread = (f(axis=along, keepdims=True)[0] for f in (values.mean, values.std))
        least = (0.1 if name in HINTS else 0.05) * np.median(spread) + 1e-6
        scale[f"{name}.mean"] = torch.from_numpy(mean.astype(np.float32))
        scale[f"{name}.spread"] = torch.from_numpy(np.maximum(spread, least).astype(np.float32))
    return scale


def distil(views: Path, out: Path, config: DistillConfig) -> Distiller:
    """Train to the end, from a checkpoint where there is one."""
    out.mkdir(parents=True, exist_ok=True)
    scale = target_scale(views, bool(config.hint))
    scale = {k: v.to(config.device) for k, v in scale.items()}
    distiller = Distiller(config, scale)
    if (out / CHECKPOINT).is_file():
        distiller.load(out / CHECKPOINT)
    elif config.start:
        distiller.begin_with(Path(config.start))
    distiller.network.train()
    told: list[dict[str, float]] = []
    began, end = time.monotonic(), config.stop or config.steps
    for batch in batches(views, config, distiller.step):
        if distiller.step >= end:
            break
        told.append(distiller.learn(batch))
        if distiller.step % 50 == 0 or distiller.step == end:
            means: dict[str, Any] = {
                k: round(float(np.mean([t[k] for t in told])), 4) for k in told[0]
            }
            told.clear()
            print(
                json.dumps({"step": distiller.step, "s": round(time.monotonic() - began)} | means),
                flush=True,
            )
        if distiller.step % 250 == 0 or distiller.step == end:
            distiller.save(out / CHECKPOINT)
    return distiller


def main() -> None:
    """Train as the command line asks."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("views", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--threads", type=int, default=1)
    for name, value in vars_of(DistillConfig()).items():
        if isinstance(value, bool):
            options.add_argument(f"--{name}", action="store_true")
        else:
            options.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    chosen = vars(options.parse_args())
    views, out = chosen.pop("views"), chosen.pop("out")
    torch.set_num_threads(chosen.pop("threads"))
    distil(views, out, DistillConfig(**chosen))


def vars_of(config: DistillConfig) -> dict[str, Any]:
    """The fields of a config."""
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


if __name__ == "__main__":
    main()
