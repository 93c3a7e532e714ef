"""Blind listening: which of two models, or settings, a listener prefers."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu.judge.answers import Verdict as Verdict
    from musicu.judge.answers import read_answers as read_answers
    from musicu.judge.binomial import Preference as Preference
    from musicu.judge.binomial import answers_needed as answers_needed
    from musicu.judge.binomial import preference as preference
    from musicu.judge.judge_page import write_test as write_test
    from musicu.judge.trials import Trial as Trial
    from musicu.judge.trials import make_trials as make_trials

_HOMES = {
    "Preference": "binomial",
    "Trial": "trials",
    "Verdict": "answers",
    "answers_needed": "binomial",
    "make_trials": "trials",
    "preference": "binomial",
    "read_answers": "answers",
    "write_test": "judge_page",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"musicu.judge.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'musicu.judge' has no attribute {name!r}")
