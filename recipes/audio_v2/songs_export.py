"""The student as `songs.onnx`: from a recording's inputs to its blocks of numbers, and to the
probability that somebody sings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from musicu.embeddings.songs import N_BANDS, SONG_FRAMES
from musicu.embeddings.training.onnx_export import as_onnx
from musicu.embeddings.voice_meter import VOCAL
from recipes.audio_v2.student import StudentConfig, StudentNetwork

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SongsBlock:
    """How a head's mean over a recording becomes numbers: mean - centre, to length `weight`.

    centre: float32 [outputs].
    """

    centre: Floats
    weight: float

    def apply(self, rows: Floats) -> Floats:
        """Numbers float32 [n, outputs] of means [n, outputs]."""
        found = rows - self.centre
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        scaled: Floats = (self.weight * found / np.maximum(lengths, 1e-9)).astype(np.float32)
        return scaled


@dataclass(frozen=True, slots=True)
class VoiceScale:
    """From the log of the summed odds of singing to its probability: a logistic function."""

    slope: float
    shift: float


#: AudioSet's classes from "Singing" to "Humming", the choir and rapping among them.
SINGING = slice(27, 38)


class SingingScore(torch.nn.Module):
    """The last common layer [inputs, inner] to one number a recording, in units of log odds."""

    def __init__(self, network: StudentNetwork, scale: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        head = network.heads["logits"]
        spread = scale["logits.spread"][SINGING]
        self.register_buffer("weight", head.weight.detach()[SINGING] * spread[:, None])
        self.register_buffer(
            "bias", head.bias.detach()[SINGING] * spread + scale["logits.mean"][SINGING]
        )

    def forward(self, inner: torch.Tensor) -> torch.Tensor:
        """The mean over the inputs."""
        return torch.logsumexp(inner @ self.weight.T + self.bias, dim=1).mean()


class _Recording(torch.nn.Module):
    """All inputs of one recording to its blocks side by side, and to its voice."""

    def __init__(
        self,
        network: StudentNetwork,
        blocks: Mapping[str, SongsBlock],
        score: SingingScore,
        voice: VoiceScale,
    ) -> None:
        super().__init__()
        self.network, self.names = network, tuple(blocks)
        self.score, self.voice = score, voice
        self.weights = {name: block.weight for name, block in blocks.items()}
        for name, block in blocks.items():
            self.register_buffer(f"{name}_centre", torch.from_numpy(block.centre))

    def forward(self, logs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """float [chunks, frames, bands] to float [numbers], and a probability."""
        features = self.network.features(logs)
        inner = features.mean(dim=0)
        parts = []
        for name in self.names:
            mean = self.network.heads[name](inner)  # heads are linear: the mean may come first
            part = mean - getattr(self, f"{name}_centre")
            parts.append(self.weights[name] * part / part.norm().clamp_min(1e-9))
        odds = self.voice.slope * self.score(features) + self.voice.shift
        return torch.cat(parts), torch.sigmoid(odds)


def load_student(path: Path) -> StudentNetwork:
    """The running average of a run of `distil`, or the weights that ship."""
    tensors = load_file(path)
    network = StudentNetwork(StudentConfig())
    network.load_state_dict(
        {
            k.removeprefix("average."): v.float()
            for k, v in tensors.items()
            if k.startswith("average.")
        }
    )
    network.eval()
    return network


def load_scale(path: Path) -> dict[str, torch.Tensor]:
    """Mean and spread of the targets of a run, or of the weights that ship."""
    found = load_file(path)
    return {k.removeprefix("scale."): v for k, v in found.items() if k.startswith("scale.")}


def pack_student(checkpoint: Path, path: Path) -> None:
    """What learning can start from again, without the optimiser: averaged weights and the heads of
    hints as float16, and the scale of the targets."""
    found = load_file(checkpoint)
    weights = {k: v.half() for k, v in found.items() if k.startswith(("average.", "hints."))}
    scale = {k: v for k, v in found.items() if k.startswith("scale.")}
    save_file({k: v.contiguous() for k, v in (weights | scale).items()}, path)


def songs_graph(
    network: StudentNetwork,
    blocks: Mapping[str, SongsBlock],
    score: SingingScore,
    voice: VoiceScale,
) -> bytes:
    """The network and the blocks as an ONNX file, from `logs` to `vector` and `vocal`."""
    example = torch.zeros(3, SONG_FRAMES, N_BANDS)
    module = _Recording(network, blocks, score, voice).eval()
    graph = as_onnx(module, example, ["vector", VOCAL])
    content: bytes = graph.SerializeToString(deterministic=True)
    return content


def student_means(
    network: StudentNetwork, logs: NDArray[Any], counts: NDArray[np.int64]
) -> dict[str, Floats]:
    """Means of every head over each recording's inputs, laid end to end in `logs`."""
    inner = []
    with torch.inference_mode():
        for start in range(0, len(logs), 64):
            inner.append(network.features(torch.from_numpy(logs[start : start + 64].astype("f"))))
        features = torch.cat(inner)
        ends = np.cumsum(counts)
        means = torch.stack(
            [
                features[end - count : end].mean(dim=0)
                for end, count in zip(ends, counts, strict=True)
            ]
        )
        return {name: head(means).numpy() for name, head in network.heads.items()}
