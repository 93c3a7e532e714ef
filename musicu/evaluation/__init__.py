"""Evaluation: protocols, baselines and confidence intervals."""

from musicu.evaluation.vectors.evaluation_result import Evaluation
from musicu.evaluation.vectors.vector_evaluation import PROTOCOLS, evaluate, evaluate_vectors

__all__ = ["PROTOCOLS", "Evaluation", "evaluate", "evaluate_vectors"]
