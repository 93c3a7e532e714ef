"""Two or more rankings in one list: whose items are chosen says which is better.

Each listener judges both rankings at once, so a preference shows with a tenth to a hundredth of the
units that an A/B test needs (Chapelle, Joachims, Radlinski and Yue, TOIS 2012). `team_draft` takes
turns (Radlinski, Kurup and Joachims, CIKM 2008; for more than two rankings, Schuth, Sietsma,
Whiteson, Lefortier and de Rijke, CIKM 2014), `balanced` keeps equal depths (Joachims, 2003), and
`optimised` draws among lists by chances under which a listener who chooses at random prefers
neither (Radlinski and Craswell, WSDM 2013).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import optimize, stats

from musicu.errors import QueryError
from musicu.records import check_count, check_number, id_list, short


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A list to show. credit: for each item, what choosing it says for each ranking."""

    items: tuple[str, ...]
    credit: tuple[tuple[float, ...], ...]

    def scores(self, chosen: Any) -> tuple[float, ...]:
        """The credit that each ranking gets for the items that were chosen: a list or column."""
        taken = set(id_list(chosen))
        columns = range(len(self.credit[0])) if self.credit else range(0)
        earned = [c for item, c in zip(self.items, self.credit, strict=True) if item in taken]
        return tuple(sum((row[column] for row in earned), 0.0) for column in columns)


def team_draft(rankings: Sequence[Any], k: int, rng: np.random.Generator) -> Interleaved:
    """In each round every ranking, in random order, adds its best item that is not there yet."""
    sides = _checked(rankings, k, rng)
    items: list[str] = []
    teams: list[int] = []
    while len(items) < k:
        before = len(items)
        for team in rng.permutation(len(sides)):
            following = next((item for item in sides[team] if item not in items), None)
            if following is not None and len(items) < k:
                items.append(following)
                teams.append(int(team))
        if len(items) == before:
            break
    credit = [tuple(float(team == t) for t in range(len(sides))) for team in teams]
    return Interleaved(tuple(items), tuple(credit))


def balanced(rankings: Sequence[Any], k: int, rng: np.random.Generator) -> Interleaved:
    """Of two rankings equally many leading items are in the list, but for one.

    A ranking gets credit for a chosen item that is within its depth: the place down to which it
    was read. Known to prefer one of two similar rankings under random choices at times, which
    `optimised` mends.
    """
    sides = _pair(rankings, k, rng)
    first_leads = bool(rng.integers(2))
    items: list[str] = []
    depth = [0, 0]
    while len(items) < k and any(depth[side] < len(sides[side]) for side in (0, 1)):
        ahead = depth[0] < depth[1] or (depth[0] == depth[1] and first_leads)
        side = 0 if ahead else 1
        if depth[side] >= len(sides[side]):
            side = 1 - side
        item = sides[side][depth[side]]
        depth[side] += 1
        if item not in items:
            items.append(item)
    return Interleaved(tuple(items), tuple(_rank_credit(items, sides)))


def optimised(rankings: Sequence[Any], k: int, rng: np.random.Generator) -> Interleaved:
    """Draw one of the lists that two rankings can make by turns, unbiased down to every depth.

    The chances are those under which the expected credit at each length is zero, and of them the
    ones that tell the rankings apart best. k: at most 10.
    """
    if check_count("k", k) > 10:
        raise QueryError(f"k is {k}: optimised interleaving makes lists of at most 10")
    sides = _pair(rankings, k, rng)
    lists = sorted({tuple(_by_turns(sides, turns)) for turns in product((0, 1), repeat=k)})
    credits = [list(_rank_credit(items, sides)) for items in lists]
    leans = np.array([[a - b for a, b in credit] for credit in credits])
    chances = _unbiased(leans)
    drawn = int(rng.choice(len(lists), p=chances))
    return Interleaved(lists[drawn], tuple(credits[drawn]))


@dataclass(frozen=True, slots=True)
class RankingPreference:
    """Which of two rankings listeners preferred.

    wins, losses, ties: of the first ranking over impressions. share: wins among decided ones, with
    its exact interval (Clopper and Pearson, 1934). p_value: of the sign test.
    """

    wins: int
    losses: int
    ties: int
    share: float
    low: float
    high: float
    p_value: float


def preference(scores: Iterable[Sequence[float]], confidence: float = 0.95) -> RankingPreference:
    """Sum up the credits of two rankings over impressions (one a listener, to be independent)."""
    if not 0 < check_number("confidence", confidence) < 1:
        raise QueryError(f"confidence is {confidence}: give a share between 0 and 1, such as 0.95")
    try:
        rows = [tuple(map(float, pair)) for pair in scores]
    except (TypeError, ValueError):
        raise QueryError("scores: give the credits of two rankings for each impression") from None
    if any(len(row) != 2 or not np.isfinite(row).all() for row in rows):
        raise QueryError("scores: give two credits for each impression; none may be missing")
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    wins = int((table[:, 0] > table[:, 1]).sum())
    losses = int((table[:, 0] < table[:, 1]).sum())
    decided = wins + losses
    if not decided:
        return RankingPreference(0, 0, len(table), 0.5, 0.0, 1.0, 1.0)
    test = stats.binomtest(wins, decided)
    within = test.proportion_ci(confidence)
    return RankingPreference(
        wins,
        losses,
        len(table) - decided,
        wins / decided,
        within.low,
        within.high,
        float(test.pvalue),
    )


def _by_turns(sides: Sequence[Sequence[str]], turns: Sequence[int]) -> list[str]:
    """The list in which each turn's ranking adds its best item that is not there yet; a ranking
    without one leaves its turn to the other."""
    items: list[str] = []
    for side in turns:
        left = [item for item in (*sides[side], *sides[1 - side]) if item not in items]
        items += left[:1]
    return items


def _rank_credit(
    items: Sequence[str], sides: Sequence[Sequence[str]]
) -> Iterable[tuple[float, float]]:
    """One over the item's rank in each ranking; an item that a ranking lacks is one behind it."""
    places = [{item: rank for rank, item in enumerate(side, start=1)} for side in sides]
    for item in items:
        first, second = (1 / place.get(item, len(place) + 1) for place in places)
        yield first, second


def _unbiased(leans: np.ndarray) -> np.ndarray:
    """Chances of the lists under which no length prefers a ranking; largest spread of credit.

    leans: float64 [lists, k], credit of the first ranking minus that of the second by place.
    """
    balance = np.cumsum(leans, axis=1)
    worth = -np.square(leans.sum(axis=1))
    conditions = np.vstack([balance.T, np.ones(len(leans))])
    target = np.append(np.zeros(leans.shape[1]), 1.0)
    found = optimize.linprog(worth, A_eq=conditions, b_eq=target, bounds=(0, 1))
    if not found.success:  # no chances balance every length: balance the whole list alone
        conditions, target = conditions[-2:], target[-2:]
        found = optimize.linprog(worth, A_eq=conditions, b_eq=target, bounds=(0, 1))
    chances = np.clip(found.x, 0, None) if found.success else np.ones(len(leans))
    return np.asarray(chances / chances.sum())


def _checked(
    rankings: Sequence[Any], k: int, rng: np.random.Generator
) -> tuple[tuple[str, ...], ...]:
    """The rankings as ids."""
    check_count("k", k)
    if not isinstance(rng, np.random.Generator):
        raise QueryError(f"rng is {short(rng)}: give numpy.random.default_rng(seed)")
    if not isinstance(rankings, list | tuple) or len(rankings) < 2:
        raise QueryError(f"rankings are {short(rankings)}: give a list of two or more")
    sides = tuple(tuple(id_list(ranking)) for ranking in rankings)
    for side in sides:
        if len(set(side)) < len(side):
            raise QueryError("a ranking holds an item twice")
    return sides


def _pair(rankings: Sequence[Any], k: int, rng: np.random.Generator) -> tuple[tuple[str, ...], ...]:
    sides = _checked(rankings, k, rng)
    if len(sides) != 2:
        raise QueryError(f"this takes two rankings, not {len(sides)}: use team_draft for more")
    return sides
