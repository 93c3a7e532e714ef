"""Candidates for listeners, measured on who heard what: splits, metrics, baselines, a report."""

from musicu.evaluation.recommendation.baselines import BASELINES
from musicu.evaluation.recommendation.content_scores import content_of, nearest_heard, tag_vectors
from musicu.evaluation.recommendation.external_lists import offered
from musicu.evaluation.recommendation.recommendation_evaluation import (
    SPLITS,
    Protocol,
    evaluate_candidates,
    evaluate_models,
    make_split,
)
from musicu.evaluation.recommendation.recommendation_findings import Findings
from musicu.evaluation.recommendation.splits import write_training_part
from musicu.evaluation.recommendation.training_part import Model, Scorer, Training

__all__ = [
    "BASELINES",
    "SPLITS",
    "Findings",
    "Model",
    "Protocol",
    "Scorer",
    "Training",
    "content_of",
    "evaluate_candidates",
    "evaluate_models",
    "make_split",
    "nearest_heard",
    "offered",
    "tag_vectors",
    "write_training_part",
]


def __dir__() -> list[str]:
    return __all__
