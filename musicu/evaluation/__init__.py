"""Every number with its protocol, its baselines and its confidence interval."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu.evaluation.vectors.evaluation import Evaluation as Evaluation
    from musicu.evaluation.vectors.run import PROTOCOLS as PROTOCOLS
    from musicu.evaluation.vectors.run import evaluate as evaluate
    from musicu.evaluation.vectors.run import evaluate_vectors as evaluate_vectors

_HOMES = {
    "Evaluation": "musicu.evaluation.vectors.evaluation",
    "PROTOCOLS": "musicu.evaluation.vectors.run",
    "evaluate": "musicu.evaluation.vectors.run",
    "evaluate_vectors": "musicu.evaluation.vectors.run",
}

__all__ = ["PROTOCOLS", "Evaluation", "evaluate", "evaluate_vectors"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'musicu.evaluation' has no attribute {name!r}")
