"""Rows kept a second time in one byte a value, to propose hits at a quarter of the memory traffic.

A row v is s·b + e: b int8 in [-127, 127], s its largest value / 127, e what rounding left. A query
q is t·(64·h + l) + f: h and l of seven bits each, so that products of two neighbours fit the 16
bits in which processors without a dot-product instruction add them. Then by Cauchy and Schwarz

    |q·v − s·t·(64·h + l)·b| ≤ |q|·|e| + |f|·|s·b|,

so that the proposed score and the bound together are no less than the true score. ONNX Runtime
multiplies (MatMulInteger), on blocks of rows that it packs once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: A row's length may differ from 1 by this much: what float16 storage costs.
UNIT_TOLERANCE = 1e-3

_PRODUCT = Path(__file__).with_name("int8_product.onnx")
BLOCK_ROWS = 65_536
_PACKED_AT_ONCE = 2048  # rows; small enough for a cache
MAX_DIM = 4096  # up to here 64·h·b + l·b, summed, fits in 32 bits
_LOW = 64  # what one step of h is worth, and the zero of both as unsigned bytes
_HIGHEST = 63 * _LOW + _LOW // 2 - 1
_SLACK = 1e-6  # float32 rounds scales, steps, lengths and sums of scores up to 1


class Int8Rows:
    """Unit rows as bytes, in blocks of `block_rows`, the last one shorter."""

    def __init__(self, values: Floats) -> None:
        """Pack `values`, float32 [rows, dim] with 0 < dim <= MAX_DIM."""
        self.block_rows = BLOCK_ROWS
        starts = range(0, len(values), BLOCK_ROWS)
        self._blocks = [_Block(values[start : start + BLOCK_ROWS]) for start in starts]
        self._last: dict[int, tuple[bytes, Floats]] = {}

    def bounds(self, query: Int8Queries, block: int) -> Floats:
        """What the true scores of one block's rows cannot exceed: float32 [queries, rows].

        Those of the last single query are kept, for who asks again among other rows.
        """
        if query.key is None:
            return self._blocks[block].bounds(query)
        last = self._last.get(block)
        if last is None or last[0] != query.key:
            self._last[block] = last = query.key, self._blocks[block].bounds(query)
        bounds: Floats = last[1].copy()  # who asks writes to it
        return bounds


class Int8Queries:
    """Queries as bytes: high halves, then low ones; their steps, and what rounding left."""

    def __init__(self, units: NDArray[np.float64]) -> None:
        """Pack `units`, float64 [queries, dim] of length 1."""
        steps = np.abs(units).max(axis=1, keepdims=True) / _HIGHEST
        whole = np.rint(units / steps)
        high = np.rint(whole / _LOW)
        low = whole - high * _LOW
        self.packed = (np.concatenate([high, low]) + _LOW).astype(np.uint8)
        self.steps = steps.astype(np.float32)
        self.key = units.tobytes() if len(units) == 1 else None
        self.lost = float(np.sqrt(((units - whole * steps) ** 2).sum(axis=1)).max())


class _Block:
    def __init__(self, values: Floats) -> None:
        import onnxruntime as ort  # 20 MB, where few searches never pack

        columns = np.empty((values.shape[1], len(values)), np.int8)
        self._scales = np.empty(len(values), np.float32)
        lost = np.empty(len(values), np.float32)
        for start in range(0, len(values), _PACKED_AT_ONCE):
            part = slice(start, start + _PACKED_AT_ONCE)
            whole, self._scales[part], lost[part] = _rounded(values[part])
            columns[:, part] = whole.T
        self._lost = lost + np.float32(_SLACK)
        self._longest = 1 + UNIT_TOLERANCE + float(lost.max())
        model = _product_of(columns)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # bound by memory, and callers may be many
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def bounds(self, query: Int8Queries) -> Floats:
        sums: NDArray[np.int32] = self._session.run(["y"], {"a": query.packed})[0]
        half = len(sums) // 2
        whole = sums[:half]
        whole *= _LOW
        whole += sums[half:]
        scores = whole.astype(np.float32)
        scores *= query.steps
        scores *= self._scales
        scores += self._lost
        scores += np.float32(query.lost * self._longest)
        return scores


def _rounded(values: Floats) -> tuple[NDArray[np.int8], Floats, Floats]:
    """Rows as bytes, their scales, and the length of what rounding left of each."""
    scales = np.abs(values).max(axis=1) / np.float32(127)
    whole = np.rint(values / scales[:, None])
    left = values - whole * scales[:, None]
    return whole.astype(np.int8), scales, np.sqrt(np.einsum("ij,ij->i", left, left))


def _product_of(weights: NDArray[np.int8]) -> bytes:
    """ONNX of y[n, rows] = (a[n, dim] − 64) · weights[dim, rows].

    `int8_product.onnx` is that product without its weights. Messages of protobuf merge when they
    are joined (protobuf.dev, Encoding), so one that holds nothing but the weights completes it.
    """
    sizes = b"".join(b"\x08" + _varint(size) for size in weights.shape)
    tensor = sizes + b"\x10\x03" + _field(8, b"b") + _field(9, weights.tobytes())  # 3: INT8
    return _PRODUCT.read_bytes() + _field(7, _field(5, tensor))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low = [value >> shift & 127 | 128 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([*low[:-1], low[-1] & 127])
