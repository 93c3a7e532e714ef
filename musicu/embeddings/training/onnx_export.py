"""A trained network as an ONNX graph, by torch's exporter."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import onnx
import onnxscript  # noqa: F401  torch's exporter wants it at the end of a run: better said at once
import torch

from musicu.embeddings.frontend import N_MELS
from musicu.embeddings.training.network import AudioNetwork
from musicu.embeddings.training.pooling import Whitening

_OPSET, _IR = 18, 9  # ONNX Runtime 1.17 and later
_CHUNKS = 3  # of the example that is traced


class _Recording(torch.nn.Module):
    """Level-free log-mel chunks of one recording to its unit vector, as `pooling` has it."""

    def __init__(self, network: AudioNetwork, whitening: Whitening) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("centre", torch.from_numpy(whitening.centre))
        self.register_buffer("matrix", torch.from_numpy(whitening.matrix))

    def forward(self, logs: torch.Tensor) -> torch.Tensor:
        """float [chunks, frames, bands] to float [dim]."""
        chunks = self.network.features(logs)
        mean = chunks.mean(dim=0)
        spread = (chunks - mean).square().mean(dim=0).sqrt()
        vector: torch.Tensor = (torch.cat([mean, spread]) - self.centre) @ self.matrix
        return vector / vector.norm().clamp_min(1e-9)


def build_graph(network: AudioNetwork, whitening: Whitening, frames: int, hop: int) -> Any:
    """From `logs` float32 [chunks, frames, bands] of one recording to its unit `vector`
    float32 [dim], as an `onnx.ModelProto`.

    frames, hop: how a recording is to be cut into chunks; they ride in the file's metadata.
    """
    model = as_onnx(_Recording(network, whitening).eval(), torch.zeros(_CHUNKS, frames, N_MELS))
    onnx.helper.set_model_props(model, {"chunk_frames": str(frames), "chunk_hop": str(hop)})
    return model


def as_onnx(
    module: torch.nn.Module, example: torch.Tensor, outputs: Sequence[str] = ("vector",)
) -> Any:
    """A module from `logs` float32 [chunks, ...], any number of them, to `outputs`, as a checked
    `onnx.ModelProto` that names nothing of this machine."""
    # it warns of packages of pictures that are not there
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        module,
        (example,),
        input_names=["logs"],
        output_names=list(outputs),
        dynamic_shapes={"logs": {0: torch.export.Dim("chunks")}},
        opset_version=_OPSET,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    model.ir_version = _IR
    _strip(model)
    onnx.checker.check_model(model)
    return model


def _strip(model: Any) -> None:
    """Take out what the exporter notes of this machine: stack traces with paths of files."""
    graph = model.graph
    values = (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer)
    for part in (model, graph, *values):
        part.ClearField("metadata_props")
