"""Running a service until it is told to end."""

from __future__ import annotations

import gc
import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import uvicorn

from musicu.serving.application import create_application
from musicu.serving.service import Service
from musicu.serving.service_config import ServiceConfig

_STOP_SECONDS = 10
_SWITCH_SECONDS = 0.0002  # a page that is made must not hold up one that is kept
_MOST_CONNECTIONS = 1_000
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}


def serve(catalog: Path, config: ServiceConfig, opened: Callable[[], None] = lambda: None) -> None:
    """Answer requests until SIGINT or SIGTERM; those that have begun are finished.

    opened: called when the catalog is open, before signals are taken.
    Raises MusicuError where the catalog cannot be opened, or another process has its feedback.
    """
    _log_lines()
    sys.setswitchinterval(_SWITCH_SECONDS)
    service = Service(catalog, config)
    service.start()
    gc.freeze()  # what is there now stays, and looking through it would hold up requests
    opened()
    server = uvicorn.Server(
        uvicorn.Config(
            create_application(service),
            host=config.host,
            port=config.port,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            h11_max_incomplete_event_size=65_536,
        )
    )
    server.run()
    if not server.started:
        raise SystemExit(1)


class _JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line: when, how grave, what, and what was given beside it."""
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        line = {
            "at": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{k: v for k, v in vars(record).items() if k not in _PLAIN},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _log_lines() -> None:
    """Log to standard error, a line of JSON each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
