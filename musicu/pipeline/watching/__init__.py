"""Keeping a catalog and its shelves up to date while music arrives."""

from musicu.pipeline.watching.settling import Settling, is_whole
from musicu.pipeline.watching.watch import WatchOptions, watch

__all__ = ["Settling", "WatchOptions", "is_whole", "watch"]
