"""Candidates for listeners: taste profiles, sources of tracks, and what joins them."""

from musicu.candidates.listens import LISTENS, Checked, check_listens
from musicu.candidates.record import CANDIDATES
from musicu.candidates.taste import Interest, TasteOptions, TasteProfile, tastes

__all__ = [
    "CANDIDATES",
    "LISTENS",
    "Checked",
    "Interest",
    "TasteOptions",
    "TasteProfile",
    "check_listens",
    "tastes",
]
