"""A page that shows what the service does: uploads, events, rewards and latencies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from musicu.pages.document import render
from musicu.serving.request_checks import service_of
from musicu.serving.service import Service

router = APIRouter(tags=["operation"])

#: The page itself says what it may run; nobody may frame it.
_HEADERS = {"content-security-policy": "frame-ancestors 'none'"}


@router.get("/live", summary="What happens, as a page", response_class=HTMLResponse)
async def live() -> HTMLResponse:
    """The last hour: requests, events, rewards, uploads. It asks `/live/numbers` every 2 s."""
    return HTMLResponse(render("live", title="Live", hue=205), headers=_HEADERS)


@router.get("/live/numbers", summary="What happens, as numbers", response_model=None)
async def live_numbers(service: Annotated[Service, Depends(service_of)]) -> dict[str, Any]:
    """What the page shows, without events and rewards of fewer than ten listeners."""
    generation = service.generation
    return {
        "tracks": len(generation),
        "generation": generation.number,
        "read_only": service.config.read_only,
        **service.last_hour.numbers(),
        "rewards": await service.last_hour.rewards(service.compute),
    }
