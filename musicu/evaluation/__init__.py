"""Evaluation: protocols, baselines and confidence intervals."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu.evaluation.vectors.evaluation_result import Evaluation as Evaluation
    from musicu.evaluation.vectors.vector_evaluation import PROTOCOLS as PROTOCOLS
    from musicu.evaluation.vectors.vector_evaluation import evaluate as evaluate
    from musicu.evaluation.vectors.vector_evaluation import evaluate_vectors as evaluate_vectors

_HOMES = {
    "Evaluation": "musicu.evaluation.vectors.evaluation_result",
    "PROTOCOLS": "musicu.evaluation.vectors.vector_evaluation",
    "evaluate": "musicu.evaluation.vectors.vector_evaluation",
    "evaluate_vectors": "musicu.evaluation.vectors.vector_evaluation",
}

__all__ = ["PROTOCOLS", "Evaluation", "evaluate", "evaluate_vectors"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'musicu.evaluation' has no attribute {name!r}")
