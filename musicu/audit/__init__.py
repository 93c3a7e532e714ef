"""Catalog audit: duplicates, versions, damaged files, impossible tags."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from musicu.audit.auditing import Audit as Audit
    from musicu.audit.auditing import audit as audit
    from musicu.audit.findings import KINDS as KINDS
    from musicu.audit.findings import Finding as Finding
    from musicu.audit.recording_groups import same_recording as same_recording
    from musicu.audit.recording_matches import Match as Match

_HOMES = {
    "Audit": "musicu.audit.auditing",
    "Finding": "musicu.audit.findings",
    "KINDS": "musicu.audit.findings",
    "Match": "musicu.audit.recording_matches",
    "audit": "musicu.audit.auditing",
    "same_recording": "musicu.audit.recording_groups",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'musicu.audit' has no attribute {name!r}")
