"""Uploads: a file, the path of one, or a row of metadata becomes a track."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile

from musicu.serving.page_shelves import NEW
from musicu.serving.request_checks import json_body, writing_service
from musicu.serving.service import Service
from musicu.serving.uploads import Uploads, UploadTaken

router = APIRouter(tags=["uploads"])

_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
        "application/json": {
            "schema": {"type": "object"},
            "examples": {
                "path": {"value": {"path": "/music/new/night-bus.flac"}},
                "row": {
                    "value": {
                        "track_id": "r-2041",
                        "title": "Night Bus",
                        "artists": ["Ines Okafor"],
                        "date": "2026-05-21",
                    }
                },
            },
        },
    },
}
_UNSEARCHABLE = "it has no vector: it is listed and shown, and /similar does not find it"
_ANSWER = {
    "track_id": "8a1f0c2e9d3b4455",
    "known": False,
    "searchable": True,
    "shelf": NEW,
    "generation": 4,
}


@router.post(
    "/tracks",
    summary="Take a track in",
    status_code=201,
    response_model=None,
    openapi_extra={"requestBody": _BODY, "security": [{"token": []}]},
    responses={
        201: {"content": {"application/json": {"example": _ANSWER}}},
        200: {"description": "It was there before."},
        422: {"description": "It cannot be read; `field` says which part of the request is meant."},
        503: {"description": "Too many uploads wait, or the disk refuses."},
    },
)
async def upload(
    request: Request, service: Annotated[Service, Depends(writing_service)]
) -> JSONResponse:
    """A file of music as the field `file`; or JSON: a `path` under an allowed folder, or a row.

    When this answers, the track is in the catalog, found by `/similar`, and on the shelf of new
    releases. A row has no sound: `/similar` finds it where the model in use is a track encoder,
    which knows tracks by their metadata.
    """
    began = time.perf_counter()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    uploads = service.uploads
    if kind == "multipart/form-data":
        taken = await _file(request, uploads)
    elif kind == "application/json":
        taken = await _said(await json_body(request), uploads)
    else:
        raise HTTPException(415, "give multipart/form-data with the field `file`, or JSON")
    service.metrics.uploads.labels("known" if taken.known else "added").inc()
    row = service.generation.row(taken.track_id) or {}
    title = str(row.get("title") or taken.track_id)
    service.last_hour.note_upload(title, time.perf_counter() - began)
    answer = {
        "track_id": taken.track_id,
        "known": taken.known,
        "searchable": taken.searchable,
        "shelf": NEW,
        "generation": service.generation.number,
    }
    if not taken.searchable:
        answer["note"] = _UNSEARCHABLE
    return JSONResponse(answer, 200 if taken.known else 201)


async def _file(request: Request, uploads: Uploads) -> UploadTaken:
    async with request.form(max_files=1, max_fields=8) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "the form has no file in the field `file`")
        stream, name = file.file, file.filename or ""
        return await _taken(uploads, lambda: uploads.take_stream(stream, name))


async def _said(given: Any, uploads: Uploads) -> UploadTaken:
    if not isinstance(given, dict):
        raise HTTPException(422, "give an object with `path`, or with `track_id` and metadata")
    if "path" in given:
        path = given["path"]
        if not isinstance(path, str) or len(given) > 1 or len(path) > 4096:
            raise HTTPException(422, "`path` is a text, and stands alone")
        return await _taken(uploads, lambda: uploads.take_path(path))
    return await _taken(uploads, lambda: uploads.take_row(given))


async def _taken(uploads: Uploads, work: Callable[[], UploadTaken]) -> UploadTaken:
    """What became of an upload, which is finished even where its client has left."""
    return await asyncio.shield(asyncio.wrap_future(uploads.submit(work)))
