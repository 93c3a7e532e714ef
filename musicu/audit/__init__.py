"""Catalog audit: duplicates, versions, damaged files, impossible tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicu.public_names import loaded_when_used

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
__getattr__, __dir__ = loaded_when_used(__name__, _HOMES)
