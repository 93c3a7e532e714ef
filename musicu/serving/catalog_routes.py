"""The catalog: its tracks, and what is like one of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query

from musicu.serving.generation import public
from musicu.serving.request_checks import checked_count, ready_service
from musicu.serving.service import Service

router = APIRouter(tags=["catalog"])

_TRACK = {
    "track_id": "8a1f0c2e9d3b4455",
    "title": "Night Bus",
    "artists": ["Ines Okafor"],
    "album": "Last Stops",
    "date": "2026-05-21",
    "genres": ["downtempo"],
    "duration_seconds": 214.3,
}


def _example(value: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": value}}}}


@router.get(
    "/tracks",
    summary="Tracks by id",
    response_model=None,
    responses=_example({"generation": 3, "tracks": [_TRACK], "next": None}),
)
async def tracks(
    service: Annotated[Service, Depends(ready_service)],
    after: Annotated[str, Query(description="The id that they follow.")] = "",
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> dict[str, Any]:
    """Some tracks; `next` is to be given as `after` for those that follow, null at the end."""
    generation = service.generation
    rows = generation.rows_after(after, limit)
    found = [public(row) for row in rows]
    following = found[-1]["track_id"] if len(found) == limit else None
    return {"generation": generation.number, "tracks": found, "next": following}


@router.get(
    "/tracks/{track_id:path}",
    summary="One track",
    response_model=None,
    responses=_example(_TRACK),
)
async def track(
    track_id: str, service: Annotated[Service, Depends(ready_service)]
) -> dict[str, Any]:
    """What is known of it; 404 where there is none."""
    row = service.generation.row(track_id)
    if row is None:
        raise HTTPException(404, "there is no such track")
    return public(row)


@router.get(
    "/similar/{track_id:path}",
    summary="Tracks like one",
    response_model=None,
    responses=_example({"track_id": "t1", "generation": 3, "items": [{**_TRACK, "score": 0.91}]}),
)
async def similar(
    track_id: str,
    service: Annotated[Service, Depends(ready_service)],
    k: int = 20,
) -> dict[str, Any]:
    """The k nearest by the cosine of their vectors, exactly; 404 where there is no such track."""
    count = checked_count(k)
    generation = service.generation
    if generation.row(track_id) is None:
        raise HTTPException(404, "there is no such track")
    items = await service.compute(lambda: generation.similar(track_id, count))
    return {"track_id": track_id, "generation": generation.number, "items": items}
