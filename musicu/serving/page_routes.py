"""The gallery page, served live: what is played, skipped or saved there arrives as events."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, Response

from musicu.catalog.identity import Row
from musicu.catalog.words import clock, one_line
from musicu.pages.document import render
from musicu.pages.page_audio import media_type
from musicu.serving.request_checks import checked_user, ready_service
from musicu.serving.service import Service
from musicu.shelves.covers import Cover, drawn_cover, hue_of, picture_type, read_picture
from musicu.shelves.gallery import GalleryRow
from musicu.shelves.rendering import PLAIN_HUE, PageTrack
from musicu.shelves.shelf import ShelfTrack

router = APIRouter(tags=["page"])

GUEST = "guest"
_FRAMES = {"Content-Security-Policy": "frame-ancestors 'none'"}
_SOME_TIME = {"Cache-Control": "private, max-age=3600"}


@router.get("/", summary="The page of a guest", response_class=HTMLResponse)
async def start_page(service: Annotated[Service, Depends(ready_service)]) -> HTMLResponse:
    """As `/page/guest`."""
    return await page(GUEST, service)


@router.get("/page/{user:path}", summary="A listener's page", response_class=HTMLResponse)
async def page(user: str, service: Annotated[Service, Depends(ready_service)]) -> HTMLResponse:
    """The shelves as rows of covers, with a player; exposures are written as for `/shelves`."""
    name = checked_user(user)
    pseudonym = service.pseudonym(name)
    served = await service.serve_page(pseudonym, {"user_id": name})
    text = await service.compute(
        lambda: _rendered(json.loads(served.answer), service, name, pseudonym)
    )
    return HTMLResponse(text, headers=_FRAMES)


@router.get("/audio/{track_id:path}", summary="The sound of a track", response_model=None)
async def audio(track_id: str, service: Annotated[Service, Depends(ready_service)]) -> FileResponse:
    """The file, or a range of it; 404 where there is none that a browser plays."""
    track = _track(service, track_id)
    kind = None if track.file is None else media_type(track.file)
    if track.file is None or kind is None or not track.file.is_file():
        raise HTTPException(404, "there is no sound of it to be played")
    return FileResponse(track.file, media_type=kind, headers=_SOME_TIME)


@router.get("/covers/{track_id:path}", summary="The cover of a track", response_model=None)
async def cover(track_id: str, service: Annotated[Service, Depends(ready_service)]) -> Response:
    """The picture in its file, else a drawn one."""
    track = _track(service, track_id)
    data, kind = await service.compute(lambda: _picture(track))
    return Response(data, media_type=kind, headers=_SOME_TIME)


def _track(service: Service, track_id: str) -> ShelfTrack:
    row = service.generation.row(track_id)
    if row is None:
        raise HTTPException(404, "there is no such track")
    return ShelfTrack(row)


def _picture(track: ShelfTrack) -> tuple[bytes, str]:
    data = read_picture(track.file) if track.file is not None else None
    kind = None if data is None else picture_type(data)
    if data is None or kind is None:
        return drawn_cover(_cover_key(track.row.get("album"), track.track_id)).encode(), (
            "image/svg+xml"
        )
    return data, kind


def _rendered(answer: Row, service: Service, user: str, pseudonym: str) -> str:
    """The page of an answer of `/shelves`."""
    rows = [_row(shelf, number) for number, shelf in enumerate(answer["shelves"], 1)]
    shown = [item for row in rows for item in row.items]
    return render(
        "live-gallery",
        hue=shown[0].cover.hue if shown else PLAIN_HUE,
        title="For you" if user != GUEST else "Music",
        rows=rows,
        problems=[],
        count=len({item.track_id for item in shown}),
        user=user,
        ticket="" if service.config.read_only else service.access.ticket(pseudonym),
    )


def _row(shelf: Row, number: int) -> GalleryRow:
    return GalleryRow(
        number=number,
        title=one_line(shelf["title"]),
        about=one_line(shelf["about"]),
        seed=None if shelf["seed"] is None else _cover(shelf["seed"], None),
        items=[_item(item) for item in shelf["items"]],
        page="",
        playlist=None,
    )


def _item(item: dict[str, Any]) -> PageTrack:
    track_id = item["track_id"]
    return PageTrack(
        title=one_line(item["title"]),
        artist=one_line(", ".join(item["artists"]) or "Unknown artist"),
        album=one_line(item["album"] or ""),
        year=(item["date"] or "")[:4],
        duration=clock(item["duration_seconds"]),
        cover=_cover(track_id, item["album"]),
        source=f"/audio/{quote(track_id, safe='')}",
        media_type="",
        link=None,
        why="",
        number=item["position"] + 1,
        score=f"{item['score']:.2f}",
        reason=one_line(item["reason"]),
        short=one_line(item["reason"]),
        track_id=track_id,
        exposure_id=item["exposure_id"],
    )


def _cover(track_id: str, album: str | None) -> Cover:
    hue = hue_of(_cover_key(album, track_id))
    return Cover(f"/covers/{quote(track_id, safe='')}", hue, drawn=False)


def _cover_key(album: Any, track_id: str) -> str:
    return str(album or track_id)
