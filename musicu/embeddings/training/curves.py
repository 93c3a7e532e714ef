"""A training run's curves as an SVG picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

_WIDTH, _HEIGHT, _MARGIN = 640, 220, 40
_PANELS = (("loss", "step"), ("artist", "validation"), ("track", "validation"))


def draw_curves(log: Path, picture: Path) -> None:
    """Draw the loss and the held-out scores of a JSON-lines log against steps."""
    lines = log.read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    panels = []
    for number, (name, event) in enumerate(_PANELS):
        points = {
            int(e["step"]): float(e[name])
            for e in events
            if e.get("event") == event and e.get(name) is not None
        }
        panels.append(_panel(name, sorted(points.items()), number * _HEIGHT))
    height = _HEIGHT * len(_PANELS)
    picture.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">{"".join(panels)}</svg>\n',
        encoding="utf-8",
    )


def _panel(name: str, points: Sequence[tuple[int, float]], top: int) -> str:
    title = f'<text x="{_MARGIN}" y="{top + 20}">{name}</text>'
    if not points:
        return title
    values = [value for _, value in points]
    low, high = min(values), max(values)
    width, height = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    last = points[-1][0]
    place = [
        (
            _MARGIN + width * step / max(1, last),
            top + _MARGIN + height * (high - value) / (high - low or 1.0),
        )
        for step, value in points
    ]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in place)
    bottom = top + _HEIGHT - _MARGIN
    return (
        f'{title}<polyline fill="none" stroke="#2563eb" stroke-width="1.5" points="{path}"/>'
        f'<text x="4" y="{top + _MARGIN + 4}">{high:.3g}</text>'
        f'<text x="4" y="{bottom}">{low:.3g}</text>'
        f'<text x="{_WIDTH - _MARGIN}" y="{bottom + 16}" text-anchor="end">step {last}</text>'
    )
