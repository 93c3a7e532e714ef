"""What counts as a reward, declared in TOML: musicu's own terms, or a file of one's own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from musicu.errors import QueryError
from musicu.listening.feedback import OUTCOME_KINDS
from musicu.rewards.skip_kinds import SKIP_KINDS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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


def reward_terms(path: Path = OWN) -> list[RewardTerm]:
    """Read the terms of a TOML file. Raises QueryError for what is no term, naming it."""
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
        term = RewardTerm(name=name, **values)
    except TypeError:
        raise QueryError(f"{where} needs value, kinds and about") from None
    for given, allowed in ((term.kinds, OUTCOME_KINDS), (term.skips, SKIP_KINDS)):
        wrong = [kind for kind in given if kind not in allowed]
        if wrong:
            raise QueryError(f"{where}: {wrong[0]!r} is none of {', '.join(allowed)}")
    if term.baseline not in (None, "listener"):
        raise QueryError(f"{where}: baseline is {term.baseline!r}: 'listener' or left out")
    return term
