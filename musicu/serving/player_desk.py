"""What the routes for players share: songs by their players' ids, likeness, reports of plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast

import numpy as np
from fastapi import Request

from musicu.catalog.folding import fold
from musicu.catalog.identity import Row, title_key
from musicu.errors import QueryError
from musicu.retrieval.matcher import TrackMatcher
from musicu.serving.access import RateLimit, wrong_token_limit
from musicu.serving.generation import Floats, Generation, OpenedCatalog
from musicu.serving.play_reports import InferredSkips
from musicu.serving.player_songs import PlayerCatalog, PlayerSongs
from musicu.serving.request_checks import service_of
from musicu.serving.service import Service
from musicu.shelves.recipes.journey import Journey

#: How many more tracks are looked at where some are not on the player.
_WIDER = 4


@dataclass(frozen=True, slots=True, eq=False)
class LikeTrack:
    """A track that is like another; cosine: of their vectors."""

    row: Row
    cosine: float

    @property
    def similarity(self) -> float:
        """From 0 to 1, the same sound."""
        return similarity_of(self.cosine)


class PlayerDesk:
    """Of one service. songs: of its players; skips: what is inferred from plays."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.songs = PlayerCatalog(service.path)
        self.skips = InferredSkips()
        self.wrong_passwords: RateLimit = wrong_token_limit()
        self._lock = Lock()
        self._matcher: tuple[OpenedCatalog, TrackMatcher] | None = None

    async def take(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take in what players report.

        The ids of `play_reports` are digests of who played what and when; under the key of the
        pseudonyms nobody can try names until one fits.
        """
        keyed = []
        for event in events:
            kind, mark, digest = event["event_id"].rpartition("-")
            own = f"{kind}{mark}{self.service.pseudonym(digest)}"
            keyed.append({**event, "event_id": own})
        if keyed:
            await self.service.take_events(keyed)

    def matcher(self) -> TrackMatcher:
        """The names of the catalog, indexed once for each that is opened."""
        base = self.service.generation.base
        with self._lock:
            if self._matcher is None or self._matcher[0] is not base:
                self._matcher = base, TrackMatcher(base.tracks)
            return self._matcher[1]

    def near(self, player: PlayerSongs, track_id: str, count: int) -> list[LikeTrack]:
        """The tracks nearest to one that the player has, the best first.

        Raises QueryError where the track has no vector.
        """
        return _with_rows(self.service.generation, self.near_ids(player, track_id, count))

    def near_children(
        self, player: PlayerSongs, track_id: str, count: int
    ) -> list[tuple[dict[str, Any], float]]:
        """The same as child records, with their similarity; raises as `near` does."""
        if not player.songs:
            found = self.near(player, track_id, count)
            return [(player.child(each.row), each.similarity) for each in found]
        pairs = self.near_ids(player, track_id, count)
        return [(player.known_child(track), similarity_of(cosine)) for track, cosine in pairs]

    def near_ids(self, player: PlayerSongs, track_id: str, count: int) -> list[tuple[str, float]]:
        """The same as ids and cosines; raises as `near` does."""
        generation = self.service.generation
        vector = generation.vector(track_id)
        if vector is None:
            raise QueryError(f"track {track_id!r} has no vector")
        wanted, most = count, max(1, len(generation))
        while True:
            found = _nearest(generation, track_id, vector, min(wanted, most))
            own = [pair for pair in found if not player.songs or pair[0] in player.songs][:count]
            if len(own) == count or wanted >= most:
                return own
            wanted *= _WIDER

    def path(self, player: PlayerSongs, ends: tuple[str, str], count: int) -> list[LikeTrack]:
        """A way from one track to another, both on it, each with its likeness to the one before.

        Raises QueryError where there is none.
        """
        generation = self.service.generation
        context = generation.base.context
        if context is None:
            raise QueryError("no track of the catalog has a vector")
        ids = [ends[0], ends[1]]
        if count > 2 and ends[0] != ends[1]:
            shelves = Journey(start=ends[0], end=ends[1], size=count - 2).shelves(context)
            way = [track for shelf in shelves for track in shelf.track_ids]
            ids = [ends[0], *(t for t in way if not player.songs or t in player.songs), ends[1]]
        vectors = [generation.vector(track) for track in ids]
        rows = [generation.row(track) for track in ids]
        steps: list[LikeTrack] = []
        for number, (row, vector) in enumerate(zip(rows, vectors, strict=True)):
            before = vectors[number - 1] if number else vector
            if row is None or vector is None or before is None:
                raise QueryError("an end of the way has no vector")
            steps.append(LikeTrack(row, float(np.dot(before, vector))))
        return steps

    def seconds(self, track_id: str) -> float | None:
        """A track's length."""
        row = self.service.generation.row(track_id)
        return None if row is None else row.get("duration_seconds")


def similarity_of(cosine: float) -> float:
    """A cosine as a similarity from 0 to 1, the same sound."""
    return round(min(1.0, max(0.0, cosine)), 4)


def desk_of(request: Request) -> PlayerDesk:
    """The desk of the request's service, made at its first use; 503 before the service is ready."""
    service, state = service_of(request), request.app.state
    if not isinstance(getattr(state, "player_desk", None), PlayerDesk):
        state.player_desk = PlayerDesk(service)
    return cast("PlayerDesk", state.player_desk)


def each_song_once(tracks: Sequence[LikeTrack], seed: Row | None) -> Iterator[LikeTrack]:
    """The tracks without those of a title and artist that came before, the seed's among them."""
    seen = set() if seed is None else {_song_of(seed)}
    for track in tracks:
        song = _song_of(track.row)
        if song not in seen:
            seen.add(song)
            yield track


def in_small_steps(tracks: Sequence[LikeTrack], generation: Generation) -> list[LikeTrack]:
    """The tracks so that each is near the one before: the first stays, then the nearest left."""
    found = (generation.vector(track.row["track_id"]) for track in tracks)
    vectors = [vector for vector in found if vector is not None]
    if len(vectors) < len(tracks) or len(tracks) < 3:
        return list(tracks)
    near = np.stack(vectors) @ np.stack(vectors).T
    order, left = [0], set(range(1, len(tracks)))
    while left:
        following = max(left, key=lambda n: (near[order[-1], n], -n))
        order.append(following)
        left.remove(following)
    return [tracks[n] for n in order]


def _song_of(row: Row) -> tuple[str, str]:
    artists: Any = row.get("artists") or [row.get("album_artist") or ""]
    return title_key(row.get("title")) or str(row["track_id"]), fold(artists[0])


def _nearest(
    generation: Generation, track_id: str, vector: Floats, count: int
) -> list[tuple[str, float]]:
    """The ids of the tracks nearest to one, with their cosines, the best first."""
    found: list[tuple[str, float]] = []
    items = generation.base.items
    if items is not None:
        place = int(items.rows_of([track_id])[0])
        hits = items.index.search(vector, count, exclude=[None if place < 0 else place])
        found = list(zip(items.ids[hits.row].tolist(), hits.score.tolist(), strict=True))
    fresh = [
        (track.track_id, float(track.vector @ vector))
        for track in generation.fresh
        if track.vector is not None and track.track_id != track_id
    ]
    return sorted([*found, *fresh], key=lambda pair: -pair[1])[:count] if fresh else found


def _with_rows(generation: Generation, found: Sequence[tuple[str, float]]) -> list[LikeTrack]:
    fresh = {track.track_id: track.row for track in generation.fresh}
    stored = [track for track, _ in found if track not in fresh]
    rows = dict(zip(stored, generation.base.rows(stored), strict=True)) | fresh
    return [LikeTrack(rows[track], cosine) for track, cosine in found]
