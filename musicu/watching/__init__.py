"""Keeping a catalog and its shelves up to date while music arrives."""

from musicu.watching.settling import Settling, is_whole
from musicu.watching.watch import WatchOptions, watch

__all__ = ["Settling", "WatchOptions", "is_whole", "watch"]
