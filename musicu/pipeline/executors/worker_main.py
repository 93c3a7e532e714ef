"""A worker process: reads requests from standard input, answers each on standard output.

It is a process of its own, so that a decoder that crashes or hangs costs one file. It is started
as a fresh Python, neither forked nor spawned, so that a caller's script needs no guard. It reads a
`WorkerConfig` first, and says {"ready": True} once it can work, or why it is "unusable".
"""

from __future__ import annotations

import os
import signal
import sys

from musicu.errors import MusicuError
from musicu.pipeline.executors.request_handler import RequestHandler
from musicu.pipeline.executors.requests import receive, send

_NICENESS = 10


def main(*, embeds: bool) -> None:
    """Answer requests until there are no more. embeds: whether to load the config's model."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    if (config := receive(sys.stdin.buffer)) is None:
        return
    if config.nice and hasattr(os, "nice"):  # on Windows the parent sees to it
        os.nice(_NICENESS)
    try:
        handler = RequestHandler(config, embeds=embeds)
    except MusicuError as error:
        send(answers, {"unusable": str(error)})
        return
    send(answers, {"ready": True})
    while (request := receive(sys.stdin.buffer)) is not None:
        send(answers, handler.answer(request))
