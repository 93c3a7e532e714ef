"""Album covers: a gradient with rings or stripes, as PNG."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from musicu.pages.png import png

SIDE = 240  # pixels


def draw_cover(rng: np.random.Generator) -> bytes:
    """A square cover of its own, PNG bytes."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    hue = rng.random()
    dark = _colour(hue, 0.75, 0.32)
    light = _colour(hue + rng.uniform(0.08, 0.3), 0.5, 0.95)
    accent = _colour(hue + 0.5, 0.65, 0.98)
    slope = rng.uniform(-1, 1)
    blend = np.clip((y + slope * (x - 0.5)), 0, 1)[..., None]
    pixels = dark * (1 - blend) + light * blend
    shape = _shape(x, y, rng)[..., None]
    pixels = pixels * (1 - 0.85 * shape) + accent * 0.85 * shape
    return png((pixels * 255).round().astype(np.uint8))


def _colour(hue: float, saturation: float, value: float) -> NDArray[np.float64]:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value))


def _shape(
    x: NDArray[np.float64], y: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """A mask 0 to 1: a disc, rings, stripes or hills."""
    kind = int(rng.integers(4))
    far = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7))
    if kind == 0:
        field = rng.uniform(0.15, 0.3) - far
    elif kind == 1:
        field = np.where(far < 0.42, 0.05 * np.cos(2 * np.pi * far * rng.integers(5, 10)), -1)
    elif kind == 2:
        field = 0.05 * (np.cos(2 * np.pi * (x + rng.uniform(-1, 1) * y) * rng.integers(3, 7)) - 0.5)
    else:
        field = y - 0.65 - 0.12 * np.sin(2 * np.pi * (rng.uniform(0.8, 2.2) * x + rng.random()))
    mask: NDArray[np.float64] = np.clip(0.5 + field * SIDE / 2, 0, 1)  # soft edges
    return mask
