"""What is too old goes, once a day."""

from __future__ import annotations

import asyncio
import logging

from musicu.errors import CatalogError
from musicu.serving.service import Service

_LOG = logging.getLogger("musicu.serving")
_DAY_SECONDS = 24 * 3600.0


async def expire_daily(service: Service, pause_seconds: float = _DAY_SECONDS) -> None:
    """Remove feedback that is older than `retention_days`, now and every day, until cancelled."""
    if service.config.read_only or not service.config.retention_days:
        return
    while True:
        try:
            gone = await service.expire()
            _LOG.info("feedback expired", extra={"rows": gone})
        except CatalogError as error:  # the disk refuses: again tomorrow
            service.note_error(error)
        await asyncio.sleep(pause_seconds)
