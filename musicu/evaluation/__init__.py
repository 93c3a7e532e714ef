"""Evaluation: protocols, baselines and confidence intervals, of vectors and of candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicu.public_names import loaded_when_used

if TYPE_CHECKING:
    from musicu.evaluation.recommendation import BASELINES as BASELINES
    from musicu.evaluation.recommendation import SPLITS as SPLITS
    from musicu.evaluation.recommendation import Findings as Findings
    from musicu.evaluation.recommendation import Protocol as Protocol
    from musicu.evaluation.recommendation import Training as Training
    from musicu.evaluation.recommendation import evaluate_candidates as evaluate_candidates
    from musicu.evaluation.recommendation import evaluate_models as evaluate_models
    from musicu.evaluation.recommendation import make_split as make_split
    from musicu.evaluation.recommendation import write_training_part as write_training_part
    from musicu.evaluation.vectors.evaluation_result import Evaluation as Evaluation
    from musicu.evaluation.vectors.vector_evaluation import PROTOCOLS as PROTOCOLS
    from musicu.evaluation.vectors.vector_evaluation import evaluate as evaluate
    from musicu.evaluation.vectors.vector_evaluation import evaluate_vectors as evaluate_vectors

_HOMES = {
    "BASELINES": "musicu.evaluation.recommendation",
    "Evaluation": "musicu.evaluation.vectors.evaluation_result",
    "Findings": "musicu.evaluation.recommendation",
    "PROTOCOLS": "musicu.evaluation.vectors.vector_evaluation",
    "Protocol": "musicu.evaluation.recommendation",
    "SPLITS": "musicu.evaluation.recommendation",
    "Training": "musicu.evaluation.recommendation",
    "evaluate": "musicu.evaluation.vectors.vector_evaluation",
    "evaluate_candidates": "musicu.evaluation.recommendation",
    "evaluate_models": "musicu.evaluation.recommendation",
    "evaluate_vectors": "musicu.evaluation.vectors.vector_evaluation",
    "make_split": "musicu.evaluation.recommendation",
    "write_training_part": "musicu.evaluation.recommendation",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = loaded_when_used(__name__, _HOMES)
