"""MusiCNN as an ONNX graph with random weights: what it costs does not depend on them.

Its trained weights may not be passed on, so the benchmark builds the network itself: layers and
sizes of Pons and Serra, "musicnn: Pre-trained convolutional neural networks for music audio
tagging" (2019, arXiv 1909.06654), in the published size of its MTT and MSD models. Two timbral
convolutions (204 filters of 7 frames by 0.4 and 0.7 of the 96 bands) and three temporal ones (51
filters of 128, 64 and 32 frames), maxima over the bands; three convolutions along time (64 filters
of 7 frames, the last two residual), all four stages side by side; maximum and mean over time; 200
units. Normalisations follow the ReLUs, as there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

FRAMES = 187  # 3 s at 16 kHz with a hop of 256
BANDS = 96
_TIMBRAL = ((7, int(0.4 * BANDS)), (7, int(0.7 * BANDS)))
_TEMPORAL = ((128, 1), (64, 1), (32, 1))
_OPSET = 13


def musicnn_graph(seed: int = 0) -> ModelProto:
    """Log-mel patches float32 [patches, 187, 96] to float32 [patches, 200]."""
    return _Graph(np.random.default_rng(seed)).build()


class _Graph:
    """Nodes and weights as they are added; every step takes and gives the name of a tensor."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []

    def build(self) -> ModelProto:
        axis = self._constant(np.array([1], np.int64))
        image = self._normalised(self._add("Unsqueeze", ["patches", axis]), 1)
        front = [self._block(image, 204, size, "timbral") for size in _TIMBRAL]
        front += [self._block(image, 51, size, "temporal") for size in _TEMPORAL]
        stages = [self._add("Concat", front, axis=1)]
        channels = 2 * 204 + 3 * 51
        for layer in range(3):
            found = self._along_time(stages[-1], channels)
            stages.append(self._add("Add", [found, stages[-1]]) if layer else found)
            channels = 64
        self._finish(self._add("Concat", stages, axis=1), 2 * 204 + 3 * 51 + 3 * 64)
        patches = helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["n", FRAMES, BANDS])
        units = helper.make_tensor_value_info("units", TensorProto.FLOAT, ["n", 200])
        graph = helper.make_graph(self._nodes, "musicnn", [patches], [units], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = 8
        checker.check_model(model)
        return model

    def _block(self, image: str, filters: int, size: tuple[int, int], kind: str) -> str:
        """A convolution of the front end and its maximum over the bands, [n, filters, 187]."""
        before = (size[0] - 1) // 2
        after = size[0] - 1 - before
        weights = self._random(filters, 1, *size)
        bias = self._random(filters)
        found = self._add("Conv", [image, weights, bias], pads=[before, 0, after, 0])
        found = self._normalised(self._add("Relu", [found]), filters)
        width = BANDS - size[1] + 1 if kind == "timbral" else BANDS
        pooled = self._add("MaxPool", [found], kernel_shape=[1, width], strides=[1, width])
        return self._add("Squeeze", [pooled, self._constant(np.array([3], np.int64))])

    def _along_time(self, tensor: str, channels: int) -> str:
        weights, bias = self._random(64, channels, 7), self._random(64)
        found = self._add("Conv", [tensor, weights, bias], pads=[3, 3])
        return self._normalised(self._add("Relu", [found]), 64)

    def _finish(self, stages: str, channels: int) -> None:
        """Maximum and mean over time, and the penultimate layer."""
        pools = [self._add(kind, [stages]) for kind in ("GlobalMaxPool", "GlobalAveragePool")]
        flat = self._add("Flatten", [self._add("Concat", pools, axis=1)])
        flat = self._normalised(flat, 2 * channels)
        dense = self._add("Gemm", [flat, self._random(2 * channels, 200), self._random(200)])
        self._normalised(self._add("Relu", [dense]), 200, output="units")

    def _normalised(self, tensor: str, channels: int, output: str | None = None) -> str:
        mean, shift = (self._random(channels) for _ in range(2))
        scale, variance = (self._constant(np.ones(channels, np.float32)) for _ in range(2))
        inputs = [tensor, scale, shift, mean, variance]
        return self._add("BatchNormalization", inputs, output=output)

    def _add(self, kind: str, inputs: list[str], output: str | None = None, **told: object) -> str:
        name = output or f"t{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **told))
        return name

    def _random(self, *shape: int) -> str:
        spread = 1.0 / np.sqrt(np.prod(shape[1:]) or 1.0)
        return self._constant((self._rng.standard_normal(shape) * spread).astype(np.float32))

    def _constant(self, values: NDArray[np.generic]) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name
