"""Keeping a catalog and its shelves up to date while music arrives."""

from musicu.pipeline.watching.notifications import FolderNotifications
from musicu.pipeline.watching.stable_files import StableFiles, is_whole
from musicu.pipeline.watching.watch import WatchOptions, watch

__all__ = ["FolderNotifications", "StableFiles", "WatchOptions", "is_whole", "watch"]
