"""Recipes from TOML.

One recipe is a table, several are an array of tables:

    [[shelf]]
    recipe = "journey"
    start = "Artist - Title"
    end = "Artist - Title"
    size = 12
    where = "genres = jazz"
    rules = { max_per_artist = 1, blocked_artists = ["Somebody"] }
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from musicu.errors import QueryError
from musicu.items.constraints import Constraints
from musicu.records import check_kind
from musicu.registry import Registry
from musicu.shelves.recipes.base import Recipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_HERE = "musicu.shelves.recipes"
#: Every recipe by its name.
RECIPES: Registry[type[Recipe]] = Registry(
    "recipe",
    "musicu.recipes",
    {
        "more-like-track": f"{_HERE}.like:MoreLikeTrack",
        "more-like-artist": f"{_HERE}.like:MoreLikeArtist",
        "because-you-listened": f"{_HERE}.because:BecauseYouListened",
        "new-for-you": f"{_HERE}.new:NewForYou",
        "deep-cuts": f"{_HERE}.deep:DeepCuts",
        "daily-mixes": f"{_HERE}.daily:DailyMixes",
        "journey": f"{_HERE}.journey:Journey",
        "arc": f"{_HERE}.arc:Arc",
        "harmonic-mix": f"{_HERE}.harmonic:HarmonicMix",
        "fill-playlist": f"{_HERE}.fill:FillPlaylist",
        "radio": f"{_HERE}.radio:Radio",
        "around-the-catalog": f"{_HERE}.around:AroundTheCatalog",
    },
)

_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "str | None": str,
    "int": int,
    "float": (int, float),
    "Filter": str,
    "Constraints": dict,
    "tuple[str, ...]": list,
}


def load_recipes(path: str | Path) -> list[Recipe]:
    """The recipes of a TOML file; QueryError where it cannot be read or says what is unknown."""
    check_kind("the recipes", path, (str, Path), "the path of a TOML file")
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise QueryError(f"{path} cannot be read as TOML: {reason}") from error
    several = document.get("shelf", [document])
    if not isinstance(several, list) or (document.keys() > {"shelf"} and "shelf" in document):
        raise QueryError(f"{path}: give one recipe, or an array of tables [[shelf]] and no more")
    return [recipe_of(each) for each in several]


def recipe_of(options: Mapping[str, Any]) -> Recipe:
    """A recipe from its name, under "recipe", and its options; `rules` is a mapping of its own.

    Raises QueryError where the name or an option is unknown, missing, or of another type.
    """
    check_kind("the recipe", options, Mapping, 'its options, as {"recipe": "journey"}')
    given = dict(options)
    name = given.pop("recipe", None)
    if not isinstance(name, str):
        raise QueryError(f"the recipe is {name!r}: give the name of one of {_known()}")
    kind = RECIPES.load(name)
    _check(kind, given)
    if "rules" in given:
        given["rules"] = _rules(given["rules"])
    if "tracks" in given:
        given["tracks"] = tuple(given["tracks"])
    return kind(**given)


def typed(texts: Mapping[str, Any]) -> dict[str, Any]:
    """Options that were given as text, as the types that the recipe takes; for `recipe_of`."""
    kind = RECIPES.load(texts["recipe"])
    types = {field.name: str(field.type) for field in fields(kind)}
    return {name: _typed(name, value, types.get(name, "str")) for name, value in texts.items()}


def _typed(name: str, value: Any, wanted: str) -> Any:
    if wanted == "tuple[str, ...]":
        return value if isinstance(value, list) else [value]
    if wanted not in ("int", "float"):
        return value
    try:
        return int(value) if wanted == "int" else float(value)
    except (TypeError, ValueError) as error:
        raise QueryError(f"{name} is {value!r}: it takes a number") from error


def _check(kind: type[Recipe], given: Mapping[str, Any]) -> None:
    """Refuse options that a recipe does not have, that it needs, or of another type."""
    own = {field.name: field for field in fields(kind)}
    if unknown := sorted(set(given) - set(own)):
        raise QueryError(f"{kind.name} has no option {unknown[0]!r}, only {', '.join(own)}")
    for name, field in own.items():
        needed = field.default is MISSING and field.default_factory is MISSING
        if name not in given:
            if needed:
                raise QueryError(f"{kind.name} needs the option {name!r}: add --set {name}=…")
            continue
        value, wanted = given[name], _TYPES.get(str(field.type))
        if wanted and (isinstance(value, bool) or not isinstance(value, wanted)):
            raise QueryError(f"{kind.name}: {name} is {value!r}, which is not what it takes")


def _known() -> str:
    return ", ".join(RECIPES.names())


def _rules(given: Mapping[str, Any]) -> Constraints:
    own = {field.name for field in fields(Constraints)}
    if unknown := sorted(set(given) - own):
        raise QueryError(f"rules have no {unknown[0]!r}, only {', '.join(sorted(own))}")
    return Constraints(**given)
