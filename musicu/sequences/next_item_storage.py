"""A next-item model on disk.

model.json            format, items, settings, report, and what the model was trained with
model.safetensors     sessions, counts, regression weights, content neighbours and the vectors of a
                      transformer, as plain arrays
transformer.onnx      the transformer, where there is one

Sessions are stored without who they are of; the marks beside them (`listening.listener_marks`) say
whether a listener's are among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix

from musicu.catalog.files import write_atomically
from musicu.errors import ModelError
from musicu.sequences.content_basis import ContentBasis
from musicu.sequences.content_neighbours import ContentNeighbours, ContentSettings
from musicu.sequences.item_regression import ItemRegression, RegressionSettings
from musicu.sequences.next_item_model import (
    NextItemModel,
    NextItemScorer,
    SequenceSettings,
    SessionCounts,
)
from musicu.sequences.sequential_rules import RuleSettings
from musicu.sequences.session_neighbours import NeighbourSettings
from musicu.sequences.session_table import SessionTable
from musicu.sequences.transformer_scorer import TransformerScorer

FORMAT = 2  # 1 had no transformer
CARD, ARRAYS, GRAPH = "model.json", "model.safetensors", "transformer.onnx"


def save_next_model(model: NextItemModel, folder: Path, about: Mapping[str, Any]) -> None:
    """Write a model; about: what it was trained with, for who loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    sessions = model.counts.sessions
    arrays: dict[str, Any] = {"sessions.item": sessions.item, "sessions.start": sessions.start}
    arrays |= _arrays("pairs", model.counts.pairs) | _arrays("gram", model.counts.gram)
    if isinstance(ease := model.scorers.get("ease"), ItemRegression):
        dense = isinstance(ease.weights, np.ndarray)
        arrays |= {"ease": ease.weights} if dense else _arrays("ease", ease.weights)
    if model.content is not None:
        arrays |= _arrays("near", model.content.near)
    learned = model.scorers.get("transformer")
    if isinstance(learned, TransformerScorer):
        arrays |= _transformer_arrays(learned)
        graph = learned.graph
        write_atomically(folder / GRAPH, lambda path: path.write_bytes(graph))
    else:
        (folder / GRAPH).unlink(missing_ok=True)
    card = {
        "format": FORMAT,
        "kind": "next-item",
        "about": dict(about),
        "report": dict(model.report),
        "settings": asdict(model.settings),
        "items": model.items,
    }
    whole = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    write_atomically(folder / ARRAYS, lambda path: save_file(whole, path))
    text = json.dumps(card, ensure_ascii=False) + "\n"
    write_atomically(folder / CARD, lambda path: path.write_text(text, "utf-8"))


def load_next_model(folder: Path) -> tuple[NextItemModel, dict[str, Any]]:
    """A stored model, and what it was trained with; ModelError where it cannot be read."""
    try:
        card = json.loads((folder / CARD).read_text("utf-8"))
        if card["format"] > FORMAT:
            raise ModelError(
                f"{folder} has format {card['format']}: this musicu reads up to {FORMAT}, update it"
            )
        arrays = load_file(folder / ARRAYS)
        graph = folder / GRAPH
        return _model(card, arrays, graph.read_bytes() if graph.exists() else b""), card["about"]
    except FileNotFoundError as error:
        raise ModelError(f"{folder} has no next-item model: run `musicu train next`") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} is damaged ({error}): run `musicu train next`") from error


def _model(card: Mapping[str, Any], arrays: Mapping[str, Any], graph: bytes) -> NextItemModel:
    items = card["items"]
    table = SessionTable(arrays["sessions.item"], arrays["sessions.start"])
    pairs, gram, near = (_matrix(name, arrays, len(items)) for name in ("pairs", "gram", "near"))
    counts = SessionCounts(table, pairs, gram)
    told = card["settings"]
    settings = SequenceSettings(
        RuleSettings(**told["rules"]),
        RegressionSettings(**told["ease"]),
        NeighbourSettings(**told["neighbours"]),
        ContentSettings(**told["content"]),
        told["weights"],
        told["repeats"],
    )
    content = None if near is None else ContentNeighbours(near)
    ease = arrays.get("ease")
    weights = _matrix("ease", arrays, len(items)) if ease is None else ease
    made: dict[str, NextItemScorer] = {}
    if weights is not None:
        made["ease"] = ItemRegression(weights, settings.ease.decay)
    if "transformer.vectors" in arrays:
        made["transformer"] = _transformer(arrays, graph)
    return NextItemModel(items, counts, settings, content, card["report"], made)


def _transformer_arrays(learned: TransformerScorer) -> dict[str, Any]:
    arrays = {"vectors": learned.vectors, "length": np.array([learned.length], np.int64)}
    if learned.basis is not None and learned.projection is not None:
        arrays |= {"columns": learned.basis.columns, "axes": learned.basis.axes}
        arrays["projection"] = learned.projection
    return {f"transformer.{name}": values for name, values in arrays.items()}


def _transformer(arrays: Mapping[str, Any], graph: bytes) -> TransformerScorer:
    part: dict[str, Any] = {
        name: arrays.get(f"transformer.{name}")
        for name in ("vectors", "length", "columns", "axes", "projection")
    }
    basis = None if part["axes"] is None else ContentBasis(part["columns"], part["axes"])
    return TransformerScorer(
        part["vectors"], graph, int(part["length"][0]), basis, part["projection"]
    )


def _arrays(name: str, matrix: csr_matrix) -> dict[str, Any]:
    return {
        f"{name}.data": matrix.data.astype(np.float32),
        f"{name}.column": matrix.indices.astype(np.int32),
        f"{name}.start": matrix.indptr.astype(np.int64),
    }


def _matrix(name: str, arrays: Mapping[str, Any], items: int) -> Any:
    if f"{name}.data" not in arrays:
        return None
    parts = (arrays[f"{name}.{part}"] for part in ("data", "column", "start"))
    return csr_matrix(tuple(parts), shape=(items, items))
