"""The descriptors of a recording as a card for people."""

from __future__ import annotations

from musicu.cli.output import duration, safe
from musicu.features.descriptors import Descriptors
from musicu.features.formatting import format_descriptors

_WIDTH = 12


def card(name: str, found: Descriptors) -> str:
    """A card: the name, then a line for each side of the sound; what is unknown is not told."""
    length = duration(found.heard_seconds)
    lines = [f"{safe(name)}  ({length}{'' if found.complete else ', only part can be heard'})"]
    lines += [
        f"  {title:<{_WIDTH}}{', '.join(parts)}"
        for title, parts in format_descriptors(found)
        if parts
    ]
    if found.true_peak_dbtp is None:
        lines.append("  silent")
    return "\n".join(lines)
