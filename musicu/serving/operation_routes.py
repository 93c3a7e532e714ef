"""Whether the service is well, and its numbers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from musicu.serving.service import Service
from musicu.serving.service_metrics import CONTENT_TYPE

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Whether the process answers")
async def healthz() -> dict[str, str]:
    """200 as long as it does."""
    return {"status": "ok"}


@router.get("/readyz", summary="Whether questions can be answered", response_model=None)
async def readyz(request: Request) -> JSONResponse:
    """200 once the catalog is open; 503 before, and while the service stops."""
    service: Service = request.app.state.service
    if not service.is_ready:
        return JSONResponse({"status": "starting"}, 503)
    generation = service.generation
    about: dict[str, Any] = {
        "status": "ready",
        "tracks": len(generation),
        "generation": generation.number,
        "read_only": service.config.read_only,
    }
    return JSONResponse(about)


@router.get("/metrics", summary="Numbers for Prometheus", response_model=None)
async def metrics(request: Request) -> Response:
    """The text format 0.0.4. What counts listeners' doings is there from ten listeners on."""
    service: Service = request.app.state.service
    service.measure()
    return Response(service.metrics.text(len(service.states)), media_type=CONTENT_TYPE)
