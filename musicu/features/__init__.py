"""What can be measured in sound: descriptors for people, statistics and spectra for models.

`describe` says what a musician would: see `musicu.features.descriptors` for the columns.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu.features.describing import describe as describe
    from musicu.features.descriptors import SET_NAME as SET_NAME
    from musicu.features.descriptors import Descriptors as Descriptors
    from musicu.features.descriptors import descriptors_schema as descriptors_schema

_HOMES = {
    "SET_NAME": "musicu.features.descriptors",
    "Descriptors": "musicu.features.descriptors",
    "describe": "musicu.features.describing",
    "descriptors_schema": "musicu.features.descriptors",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'musicu.features' has no attribute {name!r}")
