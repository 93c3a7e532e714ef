"""The application: routes, what stands around them, and how errors are told.

A module of routes has a `router`; `create_application` includes those of ROUTERS. A route takes
its service by `Depends(ready_service)`, or `Depends(writing_service)` where it writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from musicu import __version__
from musicu.errors import CatalogError, MusicuError, QueryError
from musicu.serving import (
    catalog_routes,
    event_routes,
    listenbrainz_routes,
    listener_routes,
    live_routes,
    operation_routes,
    page_routes,
    plugin_routes,
    subsonic_routes,
    upload_routes,
)
from musicu.serving.request_guard import RefusedBodyError, RequestGuard
from musicu.serving.retention import expire_daily
from musicu.serving.service import ReadOnlyError, Service
from musicu.serving.uploads import RefusedUploadError

ROUTERS: tuple[APIRouter, ...] = (
    operation_routes.router,
    catalog_routes.router,
    listener_routes.router,
    event_routes.router,
    upload_routes.router,
    subsonic_routes.router,
    plugin_routes.router,
    listenbrainz_routes.router,
    live_routes.router,
    page_routes.router,
)


def create_application(service: Service, routers: Sequence[APIRouter] = ROUTERS) -> FastAPI:
    """The application of a service, which starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if not service.is_ready:
            service.start()
        expiring = asyncio.create_task(expire_daily(service))
        yield
        expiring.cancel()
        service.stop()

    app = FastAPI(
        title="musicu",
        version=__version__,
        summary="A music catalog that learns from what listeners do.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(StarletteHTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(RefusedBodyError, _refused_body)
    app.add_exception_handler(RefusedUploadError, _refused_upload)
    app.add_exception_handler(ReadOnlyError, _read_only)
    app.add_exception_handler(MusicuError, _musicu_error)
    if service.config.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.config.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(RequestGuard, service=service)
    return app


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException | HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _wrong_request(_: Request, error: Exception) -> JSONResponse:
    """A path or a query that does not fit: which part of it, and why."""
    assert isinstance(error, RequestValidationError)
    faults = [
        {"field": ".".join(map(str, fault["loc"][1:])), "reason": fault["msg"]}
        for fault in error.errors()[:20]
    ]
    return JSONResponse({"error": "the request does not fit", "faults": faults}, 422)


async def _refused_body(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedBodyError)
    return JSONResponse({"error": str(error)}, error.status, {"Connection": "close"})


async def _refused_upload(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedUploadError)
    request.app.state.service.metrics.uploads.labels("refused").inc()
    headers = {"Retry-After": "5"} if error.status == 503 else None
    return JSONResponse({"error": str(error), "field": error.field}, error.status, headers)


async def _read_only(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "this service is read-only"}, 405)


async def _musicu_error(request: Request, error: Exception) -> JSONResponse:
    """What the library refuses: of a question it is the client's, of the disk it is nobody's."""
    if isinstance(error, QueryError):
        return JSONResponse({"error": str(error)}, 404 if "no track" in str(error) else 422)
    service: Service = request.app.state.service
    if isinstance(error, CatalogError):
        service.note_error(error)
        text = "nothing can be written now, and nothing of this was: try again later"
        return JSONResponse({"error": text}, 503, {"Retry-After": "5"})
    return JSONResponse({"error": str(error)}, 422)
