"""How far training changes its inputs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """How far and how often; the chances (0 to 1) are of each window on its own."""

    pitch_semitones: float = 1.0  # at most, either way
    tempo: float = 0.08  # at most, as a share, either way
    equalise_db: float = 5.0  # deviation of each of the curve's terms
    compress: float = 0.5  # the loudness contour is flattened by up to this share
    band_limit_chance: float = 0.4
    codec_chance: float = 0.3
    noise_chance: float = 0.3
    reverb_chance: float = 0.3
    mix_chance: float = 0.3
    mix_db: tuple[float, float] = (-20.0, -6.0)  # level of the second track
    mask_chance: float = 0.5
