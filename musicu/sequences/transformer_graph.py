"""A trained next-item transformer as an ONNX graph (torch and onnx, the extra `train`).

Written node by node: torch's exporter takes longer than the training of a small catalog.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from musicu.sequences.transformer_network import AttentionBlock, SequenceTransformer

_OPSET, _IR = 18, 9  # ONNX Runtime 1.17 and later


def history_graph(network: SequenceTransformer, dim: int, length: int) -> bytes:
    """From `items`, float32 [n, dim], the vectors of a history, to its `state`, float32 [dim].

    length: the most items that a history may have.
    """
    graph = _Graph()
    count = graph.add("Shape", "items", end=1)
    states = graph.normalised(network.first, "items")
    for block in network.blocks:
        assert isinstance(block, AttentionBlock)
        states = _block(graph, block, states, count, length)
    last = graph.add("Gather", graph.normalised(network.last, states), graph.whole(-1), axis=0)
    graph.add("Identity", last, name="state")
    made = helper.make_graph(
        graph.nodes,
        "history",
        [helper.make_tensor_value_info("items", TensorProto.FLOAT, ["n", dim])],
        [helper.make_tensor_value_info("state", TensorProto.FLOAT, [dim])],
        graph.constants,
    )
    opset = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(made, opset_imports=opset, ir_version=_IR)
    onnx.checker.check_model(model)
    found: bytes = model.SerializeToString()
    return found


def _block(graph: _Graph, block: AttentionBlock, states: str, count: str, length: int) -> str:
    dim = block.out.in_features
    parts = graph.linear(block.qkv, graph.normalised(block.attention_norm, states))
    shape = graph.whole([-1, 3, block.heads, dim // block.heads])
    parts = graph.add("Transpose", graph.add("Reshape", parts, shape), perm=[1, 2, 0, 3])
    query, key, value = (
        graph.add("Gather", parts, graph.whole(which), axis=0) for which in range(3)
    )
    agreement = graph.add("MatMul", query, graph.add("Transpose", key, perm=[0, 2, 1]))
    agreement = graph.add("Mul", agreement, graph.number(block.scale))
    ends = graph.add("Concat", count, count, axis=0)
    bias = graph.add(
        "Slice", graph.tensor(block.bias(length)), graph.whole([0, 0]), ends, graph.whole([1, 2])
    )
    weights = graph.add("Softmax", graph.add("Add", agreement, bias), axis=-1)
    joined = graph.add("Transpose", graph.add("MatMul", weights, value), perm=[1, 0, 2])
    joined = graph.add("Reshape", joined, graph.whole([-1, dim]))
    states = graph.add("Add", states, graph.linear(block.out, joined))
    wide = graph.linear(block.wide, graph.normalised(block.wide_norm, states))
    half = graph.add("Erf", graph.add("Mul", wide, graph.number(0.5**0.5)))
    half = graph.add("Mul", graph.add("Add", half, graph.number(1.0)), graph.number(0.5))
    wide = graph.add("Mul", wide, half)  # GELU
    return graph.add("Add", states, graph.linear(block.narrow, wide))


class _Graph:
    """Nodes and constants, each under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node; its output's name."""
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def tensor(self, values: torch.Tensor) -> str:
        return self._constant(values.detach().numpy().astype(np.float32))

    def number(self, value: float) -> str:
        return self._constant(np.array(value, np.float32))

    def whole(self, values: Any) -> str:
        return self._constant(np.array(values, np.int64))

    def linear(self, layer: nn.Linear, states: str) -> str:
        product = self.add("MatMul", states, self.tensor(layer.weight.T))
        return self.add("Add", product, self.tensor(layer.bias))

    def normalised(self, layer: nn.LayerNorm, states: str) -> str:
        scale, shift = self.tensor(layer.weight), self.tensor(layer.bias)
        return self.add(
            "LayerNormalization", states, scale, shift, axis=-1, epsilon=float(layer.eps)
        )

    def _constant(self, values: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(values, order="C"), name))
        return name
