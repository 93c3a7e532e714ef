"""The page of a blind test: a seed and two tracks at a time, names hidden, answers to save."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from musicu.catalog.catalog import Catalog
from musicu.catalog.locations import absolute
from musicu.errors import CatalogError
from musicu.judge.answers import FORMAT_VERSION, seal
from musicu.judge.trials import Trial
from musicu.pages.document import json_block, render, write_page
from musicu.pages.page_audio import AudioPlaces


def write_test(
    catalog: Catalog,
    first: str,
    second: str,
    trials: Sequence[Trial],
    path: str | Path,
    *,
    audio: Literal["relative", "absolute", "copied"] = "relative",
) -> None:
    """Write the page; which side is which model is sealed in it, and names are not shown.

    audio: "relative" names the files as seen from the page, "absolute" by their full path,
    "copied" puts copies beside the page, to be sent with it. Raises PageError where another kind
    of page lies there, CatalogError where the disk refuses or a file is gone.
    """
    page = absolute(Path(path))
    places = AudioPlaces(audio, page.parent, copies=f"{page.stem}-sound")
    address = partial(_address, catalog, places)
    document = {
        "format": FORMAT_VERSION,
        "test": hashlib.sha256("".join(map(repr, trials)).encode()).hexdigest()[:12],
        "sealed": seal(first, second, trials),
        "trials": [_shown(trial, address) for trial in trials],
    }
    write_page(page, "judge", render("judge", count=len(trials), data=json_block(document)))


def _shown(trial: Trial, address: Callable[[str], str]) -> dict[str, str]:
    """Addresses alone: a name would tell more than the sound."""
    sides = (trial.first, trial.second)
    left, right = map(address, sides if trial.first_left else reversed(sides))
    return {"seed": address(trial.seed), "left": left, "right": right}


def _address(catalog: Catalog, places: AudioPlaces, track_id: str) -> str:
    """Where the page finds a track, a copy under a name that tells nothing where it is to be."""
    file = absolute(catalog.file(track_id))
    try:
        return places.link(file) or places.copy(file, track_id)
    except FileNotFoundError as error:
        raise CatalogError(
            f"{file} is no longer there: run `musicu embed` on its source"
        ) from error
