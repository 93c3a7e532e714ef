"""What a listener is shown: shelves, candidates, what comes next."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from musicu.serving.candidate_answers import candidates_for, next_for
from musicu.serving.request_checks import (
    checked_count,
    checked_user,
    ready_service,
    writing_service,
)
from musicu.serving.service import Service

router = APIRouter(tags=["listeners"])
_LOG = logging.getLogger("musicu.serving")

_PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            "application/json": {
                "example": {
                    "user_id": "ann",
                    "page_id": "5f1e9a3c7b2d4e60",
                    "generation": 3,
                    "policy": "epsilon-greedy",
                    "shelves": [
                        {
                            "shelf": "for-you-1",
                            "title": "Because you listened to Night Bus",
                            "about": "by Ines Okafor",
                            "seed": "8a1f0c2e9d3b4455",
                            "position": 0,
                            "propensity": 0.92,
                            "items": [
                                {
                                    "exposure_id": "5f1e9a3c7b2d4e60.for-you-1.0",
                                    "position": 0,
                                    "track_id": "1b0d5f7e6a9c8842",
                                    "title": "Harbour Lights",
                                    "artists": ["Ines Okafor"],
                                    "score": 2.4,
                                    "reason": "Close to “Night Bus”.",
                                }
                            ],
                        }
                    ],
                }
            }
        }
    }
}


@router.get(
    "/shelves/{user:path}", summary="A listener's page", response_model=None, responses=_PAGE
)
async def shelves(user: str, service: Annotated[Service, Depends(ready_service)]) -> Response:
    """The shelves of a page, by what the listener has done up to now.

    Each item has an `exposure_id`; an event that names it says what came of showing it.
    """
    name = checked_user(user)
    page = await service.serve_page(service.pseudonym(name), {"user_id": name})
    return Response(page.answer, media_type="application/json")


@router.get("/candidates/{user:path}", summary="Candidates for a listener", response_model=None)
async def candidates(
    user: str, service: Annotated[Service, Depends(ready_service)], k: int = 100
) -> dict[str, Any]:
    """The best k, as `musicu candidates` finds them; of somebody unknown, what is new."""
    count = checked_count(k)
    name = checked_user(user)
    generation, pseudonym = service.generation, service.pseudonym(name)
    found = await service.compute(lambda: candidates_for(service, generation, pseudonym, count))
    return {"user_id": name, "generation": generation.number, "items": found}


@router.delete(
    "/listeners/{user:path}",
    summary="Forget a listener",
    response_model=None,
    openapi_extra={"security": [{"token": []}]},
)
async def forget(
    user: str, service: Annotated[Service, Depends(writing_service)]
) -> dict[str, Any]:
    """Remove a listener from the catalog, as `musicu forget` does; models are marked.

    `leftovers` counts files that still hold the id, which the log names.
    """
    done = await service.forget(checked_user(user))
    for path in done.leftovers:
        _LOG.warning("%s still holds the id of a forgotten listener", path)
    return {
        "feedback_rows": done.feedback_rows,
        "table_rows": sum(done.tables.values()),
        "models": [model.name for model in done.models],
        "leftovers": len(done.leftovers),
    }


@router.get("/next", summary="What comes next", response_model=None)
async def following(
    service: Annotated[Service, Depends(ready_service)],
    user: Annotated[str | None, Query(description="Continue what this listener played.")] = None,
    after: Annotated[
        list[str] | None, Query(description="Ids of the session so far, the latest last.")
    ] = None,
    k: int = 20,
) -> dict[str, Any]:
    """Tracks to follow a session: by the catalog's next-item model, else what is like it.

    Of a `user`, each item has an `exposure_id` as on a page; the order is left to no chance.
    """
    count = checked_count(k)
    generation = service.generation
    pseudonym = None if user is None else service.pseudonym(checked_user(user))
    session = tuple(after or ())[-100:]
    method, found = await service.compute(
        lambda: next_for(service, generation, pseudonym, session, count)
    )
    answer = {"generation": generation.number, "method": method, "items": found}
    if pseudonym is not None:
        answer["page_id"], answer["items"] = await service.show_next(pseudonym, found, method)
    return answer
