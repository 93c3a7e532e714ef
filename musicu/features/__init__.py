"""Audio features: descriptors for people, statistics and spectra for models.

`describe` gives tempo, key, loudness and the like: `musicu.features.descriptors` has the columns.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu.features.describing import describe as describe
    from musicu.features.descriptors import SET_NAME as SET_NAME
    from musicu.features.descriptors import Descriptors as Descriptors
    from musicu.features.descriptors import columns as columns
    from musicu.features.descriptors import descriptors_schema as descriptors_schema
    from musicu.features.extractors import key_of as key_of
    from musicu.features.extractors import loudness_of as loudness_of
    from musicu.features.extractors import silence_of as silence_of
    from musicu.features.extractors import spectrum_of as spectrum_of
    from musicu.features.extractors import stereo_of as stereo_of
    from musicu.features.extractors import tempo_of as tempo_of
    from musicu.features.extractors import true_peak_of as true_peak_of
    from musicu.features.picture import Picture as Picture
    from musicu.features.picture import picture_of as picture_of

_HOMES = {
    "describing": ("describe",),
    "descriptors": ("SET_NAME", "Descriptors", "columns", "descriptors_schema"),
    "extractors": (
        "silence_of",
        "key_of",
        "loudness_of",
        "spectrum_of",
        "stereo_of",
        "tempo_of",
        "true_peak_of",
    ),
    "picture": ("Picture", "picture_of"),
}
_MODULES = {name: f"musicu.features.{home}" for home, names in _HOMES.items() for name in names}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(_MODULES[name]), name)
    raise AttributeError(f"module 'musicu.features' has no attribute {name!r}")
