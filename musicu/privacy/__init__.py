"""Removing listeners from a catalog and from what was derived from their listening."""

from musicu.privacy.forgetting import Forgotten, forget

__all__ = ["Forgotten", "forget"]
