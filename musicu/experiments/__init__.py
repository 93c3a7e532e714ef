"""Experiments: who sees what, how long it takes, and what came of it.

`Assignment` gives listeners to arms, `plan` says how many are needed, `analyse` compares the arms
with intervals, `decide` says it in words, and `team_draft`, `balanced` and `optimised` interleave
two rankings in one list.
"""

from musicu.experiments.analysis import ExperimentReport, analyse
from musicu.experiments.assignment import Assignment
from musicu.experiments.comparisons import MetricResult
from musicu.experiments.creator_results import ByCreator
from musicu.experiments.decision import Decision, decide
from musicu.experiments.interleaving import Interleaved, balanced, optimised, preference, team_draft
from musicu.experiments.power import SampleSize, plan
from musicu.experiments.sequential import AnytimeValid, FixedHorizon, GroupSequential
from musicu.experiments.unit_values import Metric

__all__ = [
    "AnytimeValid",
    "Assignment",
    "ByCreator",
    "Decision",
    "ExperimentReport",
    "FixedHorizon",
    "GroupSequential",
    "Interleaved",
    "Metric",
    "MetricResult",
    "SampleSize",
    "analyse",
    "balanced",
    "decide",
    "optimised",
    "plan",
    "preference",
    "team_draft",
]
