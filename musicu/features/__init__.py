"""Audio features: descriptors for people, statistics and spectra for models.

`describe` gives tempo, key, loudness and the like: `musicu.features.descriptors` has the columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicu.public_names import loaded_when_used

if TYPE_CHECKING:
    from musicu.features.describing import describe as describe
    from musicu.features.descriptors import SET_NAME as SET_NAME
    from musicu.features.descriptors import Descriptors as Descriptors
    from musicu.features.descriptors import columns as columns
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
    "Descriptors": "musicu.features.descriptors",
    "Picture": "musicu.features.picture",
    "SET_NAME": "musicu.features.descriptors",
    "columns": "musicu.features.descriptors",
    "describe": "musicu.features.describing",
    "key_of": "musicu.features.extractors",
    "loudness_of": "musicu.features.extractors",
    "picture_of": "musicu.features.picture",
    "silence_of": "musicu.features.extractors",
    "spectrum_of": "musicu.features.extractors",
    "stereo_of": "musicu.features.extractors",
    "tempo_of": "musicu.features.extractors",
    "true_peak_of": "musicu.features.extractors",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = loaded_when_used(__name__, _HOMES)
