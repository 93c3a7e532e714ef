"""Plots of measurements as inline SVG, in the colours of the page, light or dark.

A measurement is a JSON file in `benchmarks/results`:

    {"title": …, "command": …, "unit": …, "better": "high" | "low",
     "panels": [{"name": …, "rows": [{"name": …, "value": …, "low": …, "high": …, "ours": true}]}]}

`low` and `high` are the bounds of the 95 % interval; rows without them are drawn as a dot.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

LEFT, WIDTH, ROW, HEAD = 210, 720, 24, 34
_AXIS = 350


def draw(measured: dict[str, Any]) -> str:
    """One figure with a panel below another, and what made it."""
    panels, height = [], 0
    for panel in measured["panels"]:
        drawn, tall = _panel(panel, height)
        panels.append(drawn)
        height += tall
    better = "Higher is better." if measured["better"] == "high" else "Lower is better."
    return (
        f'<figure class="plot" markdown="0"><svg viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(measured["title"], quote=True)}">{"".join(panels)}</svg>'
        f"<figcaption><b>{escape(measured['title'])}</b> {escape(measured['unit'])} {better} "
        f"<code>{escape(measured['command'])}</code></figcaption></figure>"
    )


def of_card(card: dict[str, Any]) -> dict[str, Any]:
    """The scores on a model's card, as a measurement: its last part, beside its peers."""
    scores = card["about"]["scores"]
    part = [key for key, value in scores.items() if "genre@10" in value][-1]
    panels = [
        {"name": line, "rows": [_card_row(*told, card["name"]) for told in _peers(models)]}
        for line, models in scores[part].items()
        if isinstance(models, dict) and card["name"] in models
    ]
    return {
        "title": f"{card['name']} on songs, beside its teachers and its forerunner",
        "unit": f"{part}. Neighbours with the same label among ten; accuracy of linear probes.",
        "better": "high",
        "command": "python benchmarks/audio_songs.py SONGS --half final --teachers TEACHERS",
        "panels": panels,
    }


def _peers(models: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, told) for name, told in models.items() if not name.startswith("minus ")]


def _card_row(name: str, told: str, ours: str) -> dict[str, Any]:
    value, low, high = (float(number) for number in re.findall(r"[-+]?[\d.]+", told)[:3])
    return {"name": name, "value": value, "low": low, "high": high, "ours": name == ours}


def _panel(panel: dict[str, Any], top: int) -> tuple[str, int]:
    rows = panel["rows"]
    most = max(row.get("high", row["value"]) for row in rows) * 1.05
    parts = [f'<text class="head" x="0" y="{top + 20}">{escape(panel["name"])}</text>']
    bottom = top + HEAD + ROW * len(rows)
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + share * _AXIS
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top + HEAD - 4}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{bottom + 12}">{_short(share * most)}</text>')
    for place, row in enumerate(rows):
        parts.append(_row(row, top + HEAD + ROW * place + ROW // 2, _AXIS / most))
    return "".join(parts), HEAD + ROW * len(rows) + 26


def _row(row: dict[str, Any], y: int, scale: float) -> str:
    x = LEFT + row["value"] * scale
    kind = "ours" if row.get("ours") else "other"
    told = _short(row["value"])
    parts = [f'<text class="name {kind}" x="{LEFT - 10}" y="{y + 4}">{escape(row["name"])}</text>']
    if "low" in row:
        low, high = (LEFT + row[side] * scale for side in ("low", "high"))
        parts.append(f'<line class="bar {kind}" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>')
        told += f" ({_short(row['low'])} to {_short(row['high'])})"
    parts.append(f'<circle class="{kind}" cx="{x}" cy="{y}" r="5"/>')
    parts.append(f'<text class="value" x="{LEFT + _AXIS + 12}" y="{y + 4}">{told}</text>')
    return "".join(parts)


def _short(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:,.0f}"
