"""The calls that plugins of Navidrome and Jellyfin make for sonic similarity, in their shapes.

GET /api/similar_tracks, /api/similar_artists and /api/find_path, as the AudioMuse plugins send
them: such a plugin works by changing its address. Ids are those of the player's server.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import AfterValidator

from musicu.catalog.folding import fold
from musicu.catalog.identity import Row
from musicu.retrieval.mention import Mention
from musicu.serving.player_desk import (
    LikeTrack,
    PlayerDesk,
    desk_of,
    each_song_once,
    in_small_steps,
)
from musicu.serving.player_songs import PlayerSongs
from musicu.shelves.shelf import ShelfTrack

router = APIRouter(prefix="/api", tags=["players"])

_SONGS = 5  # that stand for an artist
_SEEDS = 20  # of an artist
Desk = Annotated[PlayerDesk, Depends(desk_of)]
#: How many are answered: more than the most are that many, as plugins ask for what they like.
Count = Annotated[int, Query(), AfterValidator(lambda count: min(max(1, count), 500))]


@router.get("/health", summary="Whether the service answers, for plugins")
async def health() -> dict[str, str]:
    """200 as long as it does."""
    return {"status": "ok"}


@router.get("/similar_tracks", summary="Songs like one, for plugins", response_model=None)
async def similar_tracks(
    desk: Desk,
    item_id: str = "",
    title: str = "",
    artist: str = "",
    n: Count = 50,
    eliminate_duplicates: bool = True,
    radius_similarity: bool = False,
) -> list[dict[str, Any]]:
    """The n nearest, the best first. distance: 1 - cosine.

    title, artist: name the song where its id is not given, or not known. eliminate_duplicates:
    each title of an artist once. radius_similarity: in an order to be heard through, each near the
    one before.
    """
    player, track = _song_named(desk, item_id, title, artist)
    generation = desk.service.generation

    def work() -> list[LikeTrack]:
        near = desk.near(player, track, 2 * n if eliminate_duplicates else n)
        if eliminate_duplicates:
            near = list(each_song_once(near, generation.row(track)))
        near = near[:n]
        return in_small_steps(near, generation) if radius_similarity else near

    return [_told(player, each) for each in await desk.service.compute(work)]


@router.get("/find_path", summary="A way from song to song, for plugins", response_model=None)
async def find_path(
    desk: Desk, start_song_id: str, end_song_id: str, max_steps: Count = 25
) -> dict[str, Any]:
    """Songs by small steps, both ends among them. total_distance: of all steps."""
    player, start = _song(desk, start_song_id)
    _, end = _song(desk, end_song_id)
    if start == end:
        raise HTTPException(400, "start and end are one song")
    steps = await desk.service.compute(lambda: desk.path(player, (start, end), max(2, max_steps)))
    total = sum(1 - each.cosine for each in steps)
    return {"path": [_told(player, each) for each in steps], "total_distance": round(total, 4)}


@router.get("/similar_artists", summary="Artists like one, for plugins", response_model=None)
async def similar_artists(
    desk: Desk,
    artist: str = "",
    artist_id: str = "",
    n: Count = 10,
    include_component_matches: bool = False,
) -> list[dict[str, Any]]:
    """The artists of the tracks nearest to an artist's, with songs that stand for both.

    artist: a name, or the player's id. divergence: 1 - the mean cosine of what is near.
    """
    asked = artist or artist_id
    if not asked:
        raise HTTPException(400, "artist is missing")
    player, tracks = _artist_tracks(desk, asked)
    if not tracks:
        raise HTTPException(404, "there is no such artist here")
    found = await desk.service.compute(lambda: _artists_like(desk, player, tracks, n))
    if not include_component_matches:
        for each in found:
            del each["component_matches"]
    return found


def _artists_like(
    desk: PlayerDesk, player: PlayerSongs, tracks: Sequence[str], count: int
) -> list[dict[str, Any]]:
    """Artists by how near their tracks are to some of one artist's."""
    generation = desk.service.generation
    seeds = [track for track in tracks if generation.vector(track) is not None][:_SEEDS]
    own = {_artist(row) for track in tracks if (row := generation.row(track)) is not None}
    found: dict[str, list[tuple[float, LikeTrack, str]]] = defaultdict(list)
    for seed in seeds:
        for like in desk.near(player, seed, 20 * count):
            name = _artist(like.row)
            if name not in own:
                found[name].append((like.cosine, like, seed))
    best = sorted(found, key=lambda name: (-_nearness(found[name], len(seeds)), name))[:count]
    return [_about(desk, player, found[name], len(seeds)) for name in best]


def _nearness(near: Sequence[tuple[float, LikeTrack, str]], seeds: int) -> float:
    """The sum of the best cosine with each seed, over all seeds."""
    best: dict[str, float] = {}
    for cosine, _, seed in near:
        best[seed] = max(cosine, best.get(seed, 0.0))
    return sum(best.values()) / max(1, seeds)


def _about(
    desk: PlayerDesk, player: PlayerSongs, near: Sequence[tuple[float, LikeTrack, str]], seeds: int
) -> dict[str, Any]:
    generation = desk.service.generation
    ordered = sorted(near, key=lambda each: -each[0])
    theirs = list({like.row["track_id"]: like.row for _, like, _ in ordered}.values())[:_SONGS]
    counts = Counter(seed for _, _, seed in ordered)
    ours = [row for t, _ in counts.most_common(_SONGS) if (row := generation.row(t)) is not None]
    name = ShelfTrack(theirs[0]).artist
    match = {
        "artist1_representative_songs": [_song_told(player, row) for row in ours],
        "artist2_representative_songs": [_song_told(player, row) for row in theirs],
        "distance": round(1 - ordered[0][0], 4),
    }
    return {
        "artist": name,
        "artist_id": player.artist_ids.get(fold(name), ""),
        "divergence": round(1 - _nearness(near, seeds), 4),
        "component_matches": [match],
    }


def _artist_tracks(desk: PlayerDesk, artist: str) -> tuple[PlayerSongs, Sequence[str]]:
    """An artist's tracks by the player's id or name, else by the catalog's credits."""
    player, tracks = desk.songs.of_artist(artist)
    if tracks:
        return player, tracks
    wanted, known = fold(artist), desk.service.generation.base.tracks
    pairs = zip(known["track_id"].to_pylist(), known["artists"].to_pylist(), strict=True)
    return player, [track for track, names in pairs if wanted in map(fold, names or ())]


def _song_named(desk: PlayerDesk, item_id: str, title: str, artist: str) -> tuple[PlayerSongs, str]:
    """A song by its id, else by its title and artist."""
    if not item_id and not (title and artist):
        raise HTTPException(400, "give item_id, or title and artist")
    player, track = desk.songs.of_song(item_id)
    if title and artist and desk.service.generation.vector(track) is None:
        match = desk.matcher().find(Mention(title=title, artists=(artist,)))
        if match.row >= 0:
            found = str(desk.matcher().ids[match.row].as_py())
            having = (each for each in desk.songs.players if found in each.songs)
            return next(having, player), found
    return _song(desk, item_id)


def _song(desk: PlayerDesk, item_id: str) -> tuple[PlayerSongs, str]:
    player, track = desk.songs.of_song(item_id)
    if desk.service.generation.vector(track) is None:
        raise HTTPException(404, "there is no such song here, or it has no vector")
    return player, track


def _artist(row: Row) -> str:
    return fold(next(iter(row.get("artists") or ()), row.get("album_artist")))


def _song_told(player: PlayerSongs, row: Row) -> dict[str, Any]:
    return {"item_id": player.id_of(row["track_id"]), "title": ShelfTrack(row).title}


def _told(player: PlayerSongs, like: LikeTrack) -> dict[str, Any]:
    return {
        **_song_told(player, like.row),
        "author": ShelfTrack(like.row).artist,
        "album": like.row.get("album") or "",
        "distance": round(1 - like.cosine, 6),
    }
