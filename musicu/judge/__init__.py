"""Blind listening: which of two models, or settings, a listener prefers."""

from musicu.judge.answers import Verdict, read_answers
from musicu.judge.binomial import Preference, answers_needed, preference
from musicu.judge.judge_page import write_test
from musicu.judge.trials import Trial, make_trials

__all__ = [
    "Preference",
    "Trial",
    "Verdict",
    "answers_needed",
    "make_trials",
    "preference",
    "read_answers",
    "write_test",
]
