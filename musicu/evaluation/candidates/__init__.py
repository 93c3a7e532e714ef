"""Candidates for listeners, measured on who heard what: splits, metrics, baselines, a report."""

from musicu.evaluation.candidates.baselines import BASELINES
from musicu.evaluation.candidates.findings import Findings
from musicu.evaluation.candidates.handing import write_training_part
from musicu.evaluation.candidates.nearest import content_of, nearest_heard, tag_vectors
from musicu.evaluation.candidates.offered import offered
from musicu.evaluation.candidates.run import (
    SPLITS,
    Protocol,
    evaluate_candidates,
    evaluate_models,
    make_split,
)
from musicu.evaluation.candidates.training import Model, Scorer, Training

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
