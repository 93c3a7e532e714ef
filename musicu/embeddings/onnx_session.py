"""ONNX Runtime on one thread, and what it says of a model as a ModelError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from musicu.errors import ModelError


def open_session(path: Path) -> Any:
    """The session of an ONNX file; ModelError where it cannot be used."""
    with plain_errors(path):
        graph = path.read_bytes()
    return open_graph(graph, path)


def open_graph(graph: bytes, path: Path) -> Any:
    """The session of an ONNX graph, whose errors name `path`."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with plain_errors(path):
        return ort.InferenceSession(graph, options, ["CPUExecutionProvider"])


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Turn whatever ONNX Runtime says of the model at `path` into a ModelError."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    kinds = (kind for kind in vars(state).values() if isinstance(kind, type))
    refusals = [kind for kind in kinds if issubclass(kind, Exception)]
    caught: tuple[type[Exception], ...] = (OSError, UnicodeDecodeError, RuntimeError, *refusals)
    try:
        yield
    except caught as error:
        raise ModelError(f"{path} cannot be used as an ONNX model: {error}") from error
