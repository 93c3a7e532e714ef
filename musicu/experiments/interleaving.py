"""Two or more rankings in one list: whose items are chosen says which is better.

Each listener judges both rankings at once, so a preference shows with a tenth to a hundredth of the
units that an A/B test needs (Chapelle, Joachims, Radlinski and Yue, TOIS 2012). `team_draft` takes
turns (Radlinski, Kurup and Joachims, CIKM 2008; for more than two rankings, Schuth, Sietsma,
Whiteson, Lefortier and de Rijke, CIKM 2014), `balanced` keeps equal depths (Joachims, 2003), and
`optimised` draws among lists by chances under which a listener who chooses at random prefers
neither (Radlinski and Craswell, WSDM 2013).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import optimize, stats

from musicu.errors import QueryError


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A list to show. credit: for each item, what choosing it says for each ranking."""

    items: tuple[str, ...]
    credit: tuple[tuple[float, ...], ...]

    def scores(self, chosen: Collection[str]) -> tuple[float, ...]:
        """The credit that each ranking gets for the items that were chosen."""
        columns = range(len(self.credit[0])) if self.credit else range(0)
        earned = [c for item, c in zip(self.items, self.credit, strict=True) if item in chosen]
        return tuple(sum(row[column] for row in earned) for column in columns)


def team_draft(rankings: Sequence[Sequence[str]], k: int, rng: np.random.Generator) -> Interleaved:
    """In each round every ranking, in random order, adds its best item that is not there yet."""
    _check(rankings, k)
    items: list[str] = []
    teams: list[int] = []
    while len(items) < k:
        before = len(items)
        for team in rng.permutation(len(rankings)):
            following = next((item for item in rankings[team] if item not in items), None)
            if following is not None and len(items) < k:
                items.append(following)
                teams.append(int(team))
        if len(items) == before:
            break
    credit = [tuple(float(team == t) for t in range(len(rankings))) for team in teams]
    return Interleaved(tuple(items), tuple(credit))


def balanced(rankings: Sequence[Sequence[str]], k: int, rng: np.random.Generator) -> Interleaved:
    """Of two rankings equally many leading items are in the list, but for one.

    A ranking gets credit for a chosen item that is within its depth: the place down to which it
    was read. Known to prefer one of two similar rankings under random choices at times, which
    `optimised` mends.
    """
    first, second = _pair(rankings, k)
    first_leads = bool(rng.integers(2))
    items: list[str] = []
    depth = [0, 0]
    sides = (first, second)
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


def optimised(rankings: Sequence[Sequence[str]], k: int, rng: np.random.Generator) -> Interleaved:
    """Draw one of the lists that two rankings can make by turns, unbiased down to every depth.

    The chances are those under which the expected credit at each length is zero, and of them the
    ones that tell the rankings apart best. k: at most 10.
    """
    if k > 10:
        raise QueryError(f"k is {k}: optimised interleaving makes lists of at most 10")
    sides = _pair(rankings, k)
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
    table = np.asarray(list(scores), dtype=np.float64).reshape(-1, 2)
    wins = int((table[:, 0] > table[:, 1]).sum())
    losses = int((table[:, 0] < table[:, 1]).sum())
    decided = wins + losses
    if not decided:
        return RankingPreference(0, 0, len(table), 0.5, 0.0, 1.0, 1.0)
    test = stats.binomtest(wins, decided)
    within = test.proportion_ci(confidence)
    return RankingPreference(
        wins, losses, len(table) - decided, wins / decided, within.low, within.high, test.pvalue
    )


def _by_turns(sides: Sequence[Sequence[str]], turns: Sequence[int]) -> list[str]:
    """The list in which each turn's ranking adds its best item that is not there yet."""
    items: list[str] = []
    for side in turns:
        following = next((item for item in sides[side] if item not in items), None)
        if following is not None:
            items.append(following)
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


def _check(rankings: Sequence[Sequence[str]], k: int) -> None:
    if len(rankings) < 2 or k < 1:
        raise QueryError("interleaving needs two rankings or more, and a list of one item or more")
    for ranking in rankings:
        if len(set(ranking)) < len(ranking):
            raise QueryError("a ranking holds an item twice")


def _pair(rankings: Sequence[Sequence[str]], k: int) -> tuple[Sequence[str], Sequence[str]]:
    _check(rankings, k)
    if len(rankings) != 2:
        raise QueryError(f"this takes two rankings, not {len(rankings)}: use team_draft for more")
    return rankings[0], rankings[1]
