"""What counts as a reward, declared in TOML: musicu's own terms, or a file of one's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from musicu.errors import QueryError
from musicu.listening.feedback import OUTCOME_KINDS
from musicu.records import check_number
from musicu.rewards.skip_kinds import SKIP_KINDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Columns of a table of rewards that no term may have the name of.
RESERVED = ("exposure_id", "user_id", "track_id", "at", "single", "reward")
OWN = Path(__file__).with_name("reward_terms.toml")


@dataclass(frozen=True, slots=True)
class RewardTerm:
    """One reward: the outcomes that count, and what each is worth.

    value: of one outcome. kinds: of OUTCOMES. skips: of skips, all by default. at_least_ms,
    at_most_ms: listened. at_least_share: of the track's length, which then has to be known.
    within_days: since the listener's first outcome with the track, on another day. baseline:
    "listener" takes away what is usual for the listener, so that who skips everything does not
    dislike everything. about, source: for people.
    """

    name: str
    value: float
    kinds: tuple[str, ...]
    about: str
    source: str = ""
    skips: tuple[str, ...] = ()
    at_least_ms: int | None = None
    at_most_ms: int | None = None
    at_least_share: float | None = None
    within_days: float | None = None
    baseline: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would count nothing without saying so."""
        for name, given, allowed in (
            ("kinds", self.kinds, OUTCOME_KINDS),
            ("skips", self.skips, SKIP_KINDS),
        ):
            if not isinstance(given, tuple | list):
                raise QueryError(f"reward {self.name!r}: {name} is {given!r}: give a list of them")
            wrong = [kind for kind in given if kind not in allowed]
            if wrong:
                raise QueryError(
                    f"reward {self.name!r}: {wrong[0]!r} is none of {', '.join(allowed)}"
                )
        if self.name in RESERVED:
            raise QueryError(f"a reward is named {self.name!r}, as another column is: rename it")
        check_number(f"reward {self.name!r}: value", self.value)
        share = self.at_least_share
        if share is not None and not 0 < check_number("at_least_share", share) <= 1:
            raise QueryError(f"reward {self.name!r}: at_least_share is {share}: at most 1")
        if self.baseline not in (None, "listener"):
            raise QueryError(
                f"reward {self.name!r}: baseline is {self.baseline!r}: 'listener' or left out"
            )


def reward_terms(path: str | Path = OWN) -> list[RewardTerm]:
    """Read the terms of a TOML file. Raises QueryError for what is no term, naming it."""
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise QueryError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise QueryError(f"{path} is no TOML: {error}") from error
    return [_term(name, table, path) for name, table in tables.items()]


def _term(name: str, table: Any, path: Path) -> RewardTerm:
    where = f"{path}: reward {name!r}"
    if not isinstance(table, Mapping):
        raise QueryError(f"{where} is no table: write [{name}] and its settings below it")
    known = {field.name for field in fields(RewardTerm)} - {"name"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise QueryError(f"{where} has no setting {unknown[0]!r}: {', '.join(sorted(known))}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    try:
        return RewardTerm(name=name, **values)
    except TypeError:
        raise QueryError(f"{where} needs value, kinds and about") from None
    except QueryError as error:
        raise QueryError(f"{path}: {error}") from None
