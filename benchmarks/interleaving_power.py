"""How many listeners interleaving and an A/B test need to tell two rankings apart.

    python benchmarks/interleaving_power.py [-o benchmarks/results/interleaving.json]

A simulation. Ten items are liked with known chances; the better ranking puts them in order with a
little noise, the other with more. A place r from 0 is looked at with 1 / (1 + r) ** 0.7. Listeners
click as much as they are active (gamma, shape 0.5), so that their clicks vary by far more than the
rankings do. The A/B test compares clicks per listener (Welch); interleaving shows each listener one
list of five and counts which ranking's items they clicked more (`preference`, sign test).
`multileave` is team-draft of four rankings at once, the two and two more: its listeners compare six
pairs, of which one is counted. Power is the share of 2,000 draws with p < .05 that point to the
better ranking; `nothing` is the share with p < .05 where both are the same ranking.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plotted import add_out, write_plot
from scipy import stats

from musicu.experiments import balanced, team_draft
from musicu.experiments.interleaving import _by_turns, _rank_credit, _unbiased

ITEMS, SHOWN, PAIRS, POOL, DRAWS = 10, 5, 40, 400_000, 2000
LIKED = np.linspace(0.5, 0.05, ITEMS)
SEEN = 1 / (1 + np.arange(SHOWN)) ** 0.7
COUNTS = (100, 300, 1000, 3000, 10_000)
METHODS = {"team-draft": team_draft, "balanced": balanced, "multileave": team_draft}
OTHERS = 2  # rankings that a multileaved list has beside the pair


def rankings(same: bool, rng: np.random.Generator) -> list[tuple[list[str], list[str]]]:
    """Pairs of rankings, the better one first; where they are the same, each pair both ways."""
    pairs = []
    for _ in range(PAIRS):
        better, worse = (
            np.argsort(-(LIKED + rng.normal(0, noise, ITEMS))).astype(str).tolist()
            for noise in ((0.15, 0.15) if same else (0.1, 0.2))
        )
        pairs += [(better, worse), (worse, better)] if same else [(better, worse)]
    return pairs


def others(rng: np.random.Generator) -> list[list[str]]:
    """Rankings as good as those of a pair are on the whole."""
    noise = rng.normal(0, 0.15, (OTHERS, ITEMS))
    return [np.argsort(-(LIKED + row)).astype(str).tolist() for row in noise]


def clicks(lists: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """What listeners click of lists of items [listeners, SHOWN]."""
    active = rng.gamma(0.5, 2, len(lists))[:, None]
    return np.asarray(rng.random(lists.shape) < np.clip(active * SEEN * LIKED[lists], 0, 1))


def interleaved(name: str, pairs: Any, rng: np.random.Generator) -> Any:
    """The sign of each listener's credit, a list drawn for each: 1 for the better ranking."""
    each, signs = POOL // len(pairs), []
    for pair in pairs:
        if name == "optimised":  # its chances are those of `optimised`, worked out once a pair
            lists, credits, chances = optimised_lists(pair)
            drawn = rng.choice(len(lists), each, p=chances)
            items, lean = np.array(lists, int)[drawn], credits[drawn]
        else:
            sides = [*pair, *(others(rng) if name == "multileave" else ())]
            made = [METHODS[name](sides, SHOWN, rng) for _ in range(each)]
            items = np.array([[int(item) for item in one.items] for one in made])
            lean = np.array([[first - second for first, second, *_ in one.credit] for one in made])
        signs.append(np.sign((clicks(items, rng) * lean).sum(axis=1).round(12)))
    return np.concatenate(signs)


def optimised_lists(pair: Any) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
    """The lists that two rankings can make, what an item of each leans to, and their chances."""
    lists = sorted({tuple(_by_turns(pair, turns)) for turns in product((0, 1), repeat=SHOWN)})
    lean = np.array([[a - b for a, b in _rank_credit(items, pair)] for items in lists])
    return lists, lean, _unbiased(lean)


def of_signs(signs: Any, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """Shares of draws that find the better ranking, and that find anything."""
    share = [float((signs == way).mean()) for way in (1, -1, 0)]
    wins, losses, _ = rng.multinomial(count, share, DRAWS).T
    p = 2 * stats.binom.cdf(np.minimum(wins, losses), wins + losses, 0.5)  # the sign test
    return float(((p < 0.05) & (wins > losses)).mean()), float((p < 0.05).mean())


def of_clicks(sides: Any, count: int, rng: np.random.Generator) -> tuple[float, float]:
    """The same for an A/B test with half of the listeners in each arm."""
    found = np.zeros((DRAWS, 2))
    for draw in range(DRAWS):
        a, b = (side[rng.integers(len(side), size=count // 2)] for side in sides)
        told = stats.ttest_ind(a, b, equal_var=False)
        found[draw] = told.pvalue < 0.05 and told.statistic > 0, told.pvalue < 0.05
    return float(found[:, 0].mean()), float(found[:, 1].mean())


def measured(same: bool, seed: int) -> dict[str, dict[int, tuple[float, float]]]:
    rng = np.random.default_rng(seed)
    pairs = rankings(same, rng)
    tops = [np.array([[int(i) for i in pair[s][:SHOWN]] for pair in pairs]) for s in (0, 1)]
    sides = [clicks(top[rng.integers(len(pairs), size=POOL)], rng).sum(axis=1) for top in tops]
    found = {"A/B test": {n: of_clicks(sides, n, rng) for n in COUNTS}}
    for name in (*METHODS, "optimised"):
        signs = interleaved(name, pairs, rng)
        found[name] = {n: of_signs(signs, n, rng) for n in COUNTS}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_out(parser)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    power, nothing = measured(False, given.seed), measured(True, given.seed)
    print("method      ", *(f"{n:>12,}" for n in COUNTS))
    for name, told in power.items():
        cells = (f"{told[n][0]:.3f} ({nothing[name][n][1]:.3f})" for n in COUNTS)
        print(f"{name:12}", *(f"{cell:>13}" for cell in cells))
    if given.out:
        unit = "Power at 5 %, in a simulation of listeners who differ in how much they click."
        panels = {
            f"{n:,} listeners": {name: told[n][0] for name, told in power.items()} for n in COUNTS
        }
        title = "Interleaving and an A/B test telling the better of two rankings"
        write_plot(given.out, title, unit, panels, ours=(*METHODS, "optimised"))


if __name__ == "__main__":
    main()
