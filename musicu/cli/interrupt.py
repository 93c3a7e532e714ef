"""Ctrl-C ends every command within two seconds, with exit code 130 and a true word on what is kept.

Python raises KeyboardInterrupt only between two of its own steps. A thread therefore waits for
the signal too, and ends the process where the command has not ended by itself in time: tables and
files are written whole and then renamed, so no moment is a bad one.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

EXIT_CODE = 130
_GRACE_SECONDS = 1.5
NOTHING_KEPT = "a file is written whole or not at all, and the same command begins anew"

_kept: str | Callable[[], str] = NOTHING_KEPT
_requested = threading.Event()
_told = threading.Lock()
_reader, _writer = socket.socketpair()


def if_interrupted(kept: str | Callable[[], str]) -> None:
    """Say what the running command keeps when it is interrupted, as people are told it.

    kept: the words, or what looks at that moment and says them.
    """
    global _kept
    _kept = kept


def watch_for_interrupt() -> None:
    """Have Ctrl-C end this process, unless it was started to ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    if_interrupted(NOTHING_KEPT)
    signal.signal(signal.SIGINT, _interrupt)
    _writer.setblocking(False)
    signal.set_wakeup_fd(_writer.fileno(), warn_on_full_buffer=False)
    if not _watcher.is_alive():
        _watcher.start()


def ignore_further() -> None:
    """Let a process whose work is done end with its own exit code."""
    signal.set_wakeup_fd(-1)
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def interrupted() -> bool:
    """Whether Ctrl-C was pressed."""
    return _requested.is_set()


def end_interrupted() -> NoReturn:
    """Say what is kept, and end the process; threads of a batch are not waited for."""
    _told.acquire()  # and never released: one of two threads tells, and ends the process
    start = "\r\x1b[2K" if sys.stderr.isatty() else ""  # over a bar that was being drawn
    kept = _kept if isinstance(_kept, str) else _kept()
    os.write(2, f"{start}stopped: {kept}\n".encode("utf-8", "backslashreplace"))
    os._exit(EXIT_CODE)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _requested.is_set():  # a second Ctrl-C must not break the end of the first
        _requested.set()
        raise KeyboardInterrupt


def _end_in_time() -> None:
    while signal.SIGINT not in _reader.recv(64):
        pass
    time.sleep(_GRACE_SECONDS)
    end_interrupted()


_watcher = threading.Thread(target=_end_in_time, daemon=True)
