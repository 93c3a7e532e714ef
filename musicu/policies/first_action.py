"""The policy that explores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from musicu.policies.policy import Choice


@dataclass(frozen=True, slots=True)
class FirstAction:
    """Always takes the first action."""

    name: ClassVar[str] = "given"

    def choose(
        self, context: Mapping[str, Any], actions: Sequence[str], rng: np.random.Generator
    ) -> Choice:
        """The first action, for certain."""
        return Choice(0, 1.0)
