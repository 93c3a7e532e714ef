"""The songs network with its convolutions over 8-bit integers.

Static quantisation after training (Jacob et al., "Quantization and training of neural networks for
efficient integer-arithmetic-only inference", CVPR 2018), by ONNX Runtime's own tools: weights of
7 bits a channel, so that sums never overflow on processors without instructions for it and numbers
are the same everywhere; the ranges of what is between them from inputs. The first two convolutions
stay in float32: they are a twelfth of the work and carry most of the error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

_WHOLE = 2  # convolutions that stay as they are
_TOGETHER = 8  # inputs of a calibrating run


class _Inputs(CalibrationDataReader):
    """`logs` [n, frames, bands], a few at a time."""

    def __init__(self, logs: NDArray[Any]) -> None:
        starts = range(0, len(logs), _TOGETHER)
        self._parts: Iterator[NDArray[Any]] = (logs[start : start + _TOGETHER] for start in starts)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next few, None after the last."""
        part = next(self._parts, None)
        return None if part is None else {"logs": part.astype(np.float32)}


def quantised(graph: bytes, logs: NDArray[Any]) -> bytes:
    """An ONNX graph with an input `logs`, its convolutions but the first two in 8 bits.

    logs: [n, frames, bands], inputs whose ranges are taken.
    """
    with TemporaryDirectory() as folder:
        whole, ready, made = (Path(folder) / name for name in ("whole", "ready", "made"))
        whole.write_bytes(graph)
        quant_pre_process(whole, ready, skip_symbolic_shape=True)
        nodes = onnx.load(ready).graph.node
        convolutions = [node.name for node in nodes if node.op_type == "Conv"]
        quantize_static(
            ready,
            made,
            _Inputs(logs),
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[:_WHOLE],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return made.read_bytes()
