"""The trained network written as an ONNX graph, node by node, with norms folded in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from musicu.embeddings.frontend import N_MELS
from musicu.embeddings.training.finish import Finish
from musicu.embeddings.training.network import SPREAD_FLOOR, AudioNetwork, Residual

_OPSET = 17  # ONNX Runtime 1.12 and later


class _Graph:
    """Nodes and constants as they are added; every value is named by its place."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def convolution(self, x: str, block: torch.nn.Module, relu: bool = True) -> str:
        """A convolution with its batch norm folded in."""
        convolution, norm = block
        scale, shift = _affine(norm)
        weight = convolution.weight.detach() * scale[:, None, None, None]
        padding = [*convolution.padding, *convolution.padding]
        y = self.add(
            "Conv",
            x,
            self.constant(weight.numpy()),
            self.constant(shift.numpy()),
            kernel_shape=list(convolution.kernel_size),
            strides=list(convolution.stride),
            pads=padding,
        )
        return self.add("Relu", y) if relu else y

    def residual(self, x: str, block: Residual) -> str:
        inner = self.convolution(self.convolution(x, block.first), block.second, relu=False)
        return self.add("Relu", self.add("Add", inner, self.convolution(x, block.shortcut, False)))

    def statistics(self, x: str, axes: Sequence[int]) -> list[str]:
        """Mean and deviation over `axes`, each [chunks, channels]."""
        mean = self.add("ReduceMean", x, axes=list(axes), keepdims=1)
        return [self._flat(mean), self.deviation(x, mean, axes)]

    def deviation(
        self, x: str, mean: str | None, axes: Sequence[int], floor: float = SPREAD_FLOOR
    ) -> str:
        apart = x if mean is None else self.add("Sub", x, mean)
        squares = self.add("Mul", apart, apart)
        variance = self.add("ReduceMean", squares, axes=list(axes), keepdims=1)
        least = self.constant(np.float32(floor))
        return self._flat(self.add("Sqrt", self.add("Add", variance, least)))

    def _flat(self, x: str) -> str:
        return self.add("Flatten", x, axis=1)


def _affine(norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch norm at rest as scale and shift."""
    scale = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias.detach() - norm.running_mean * scale


def build_graph(network: AudioNetwork, finish: Finish, frames: int, hop: int) -> onnx.ModelProto:
    """From level-free log-mel chunks `logs` float32 [chunks, frames, bands] of one recording to
    its unit vector `vector` float32 [dim]: mean and deviation over the chunks, then the finish.

    frames, hop: how a recording is to be cut into chunks; they ride in the file's metadata.
    """
    graph = _Graph()
    chunks = _chunk_features(graph, network)
    mean = graph.add("ReduceMean", chunks, axes=[0], keepdims=1)
    spread = graph.deviation(chunks, mean, (0,), floor=0.0)
    summary = graph.add("Concat", mean, spread, axis=1)
    apart = graph.add("Sub", summary, graph.constant(finish.centre[None]))
    placed = graph.add("MatMul", apart, graph.constant(finish.matrix))
    length = graph.add("ReduceL2", placed, axes=[1], keepdims=1)
    safe = graph.add("Max", length, graph.constant(np.float32(1e-9)))
    whole = graph.add("Div", placed, safe)
    flat = graph.add("Squeeze", whole, graph.constant(np.array([0], np.int64)))
    graph.nodes.append(helper.make_node("Identity", [flat], ["vector"]))
    value = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "musicu-audio",
            [value("logs", TensorProto.FLOAT, ["chunks", "frames", N_MELS])],
            [value("vector", TensorProto.FLOAT, [finish.matrix.shape[1]])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        producer_name="musicu",
    )
    model.ir_version = 8
    helper.set_model_props(model, {"chunk_frames": str(frames), "chunk_hop": str(hop)})
    onnx.checker.check_model(model)
    return model


def _chunk_features(graph: _Graph, network: AudioNetwork) -> str:
    """As `AudioNetwork.features`, float32 [chunks, features]."""
    parts = _input_statistics(graph)
    turned = graph.add("Transpose", "logs", perm=[0, 2, 1])
    x = graph.add("Unsqueeze", turned, graph.constant(np.array([1], np.int64)))
    x = graph.convolution(x, network.stem)
    for depth, stage in enumerate(network.stages, start=1):
        x = graph.residual(x, stage)
        if depth == len(network.stages):
            x = graph.convolution(x, network.collapse)
        parts += graph.statistics(x, (2, 3))
    pooled = graph.add("Concat", *parts, axis=1)
    scale, shift = _affine(network.normalise)
    scaled = graph.add("Mul", pooled, graph.constant(scale.numpy()))
    return graph.add("Add", scaled, graph.constant(shift.numpy()))


def _input_statistics(graph: _Graph) -> list[str]:
    mean, deviation = graph.statistics("logs", (1,))
    ends = [graph.constant(np.array([n], np.int64)) for n in (1, 2**31 - 1, 0, -1)]
    axis = graph.constant(np.array([1], np.int64))
    later = graph.add("Slice", "logs", ends[0], ends[1], axis)
    earlier = graph.add("Slice", "logs", ends[2], ends[3], axis)
    change = graph.add("Sub", later, earlier)
    return [mean, deviation, graph.deviation(change, None, (1,))]
