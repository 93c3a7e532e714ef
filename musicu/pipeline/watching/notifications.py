"""When something happens in a folder, as the system tells it."""

from __future__ import annotations

import threading
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

#: What does not change a folder: files that are opened, read, or closed without writing.
_IDLE = frozenset({"opened", "closed_no_write"})
#: Further events that soon follow are of the same change.
_TOGETHER_SECONDS = 0.2


class FolderNotifications(FileSystemEventHandler):
    """Waits until something changes below a folder.

    Raises OSError where the system has no more notifications to give. Disks of other computers
    tell nothing of what happens there.
    """

    def __init__(self, folder: Path) -> None:
        self._changed = threading.Event()
        self._observer = Observer()
        self._observer.schedule(self, str(folder), recursive=True)
        self._observer.start()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take in an event; called by the observer's thread."""
        if event.event_type not in _IDLE:
            self._changed.set()

    def wait(self, seconds: float) -> None:
        """Wait for a change since the last wait, at most so many seconds."""
        if self._changed.wait(seconds):
            threading.Event().wait(_TOGETHER_SECONDS)
            self._changed.clear()

    def close(self) -> None:
        """End the observer's threads."""
        self._observer.stop()
        self._observer.join()
