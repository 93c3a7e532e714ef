"""Bandits on simulated feedback of public data.

    python benchmarks/bandits.py hetrec DATA [--rounds 50000] [--seeds 1]
    python benchmarks/bandits.py carousel DATA [--users 20000] [--rounds 100] [--seeds 1]

hetrec (DATA/hetrec2011_lastfm_2k): in each round a listener and 25 artists, one that they listen to
and 24 others drawn at random; a reward of 1 for an artist that they listen to (Cesa-Bianchi,
Gentile and Zappella, "A gang of bandits", NIPS 2013). Features of an artist: 25 singular vectors of
its tags, and how often it was tagged; of a listener: none but what they were rewarded for before.
Policies learn every 100 rounds. Printed: rewards over those of a random choice.

carousel (DATA/carousel_bandits): 862 playlists, 12 cards of which 3 are visible, users drawn around
the nine published ones in as many segments; a card is streamed with sigmoid(user · playlist), and a
batch of users is shown a carousel in each round, of which policies learn at its end. Printed:
regret against the best carousel of each user, relative to random.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from scipy.special import expit

from musicu.policies.bandit import Round, cascade
from musicu.policies.epsilon_greedy import always_exploring
from musicu.policies.item_thompson import ItemThompson
from musicu.policies.linear_thompson import LinearThompson, SquareCB

ARMS, LEARN_EVERY, DIM = 25, 100, 25
POLICIES = [
    "random",
    "item-thompson",
    "pessimistic",
    "content priors",
    "linear-thompson",
    "squarecb",
]


def table(path: Path) -> NDArray[np.float64]:
    with gzip.open(path, "rt") as file:
        next(file)
        return np.array(
            [[float(w) for w in line.split()[:3]] for line in file if len(line.split()) > 2]
        )


def hetrec(data: Path, rounds: int, seeds: int, policies: list[str]) -> None:
    folder = data / "hetrec2011_lastfm_2k"
    plays, tags = table(folder / "user_artists.dat.gz"), table(folder / "user_taggedartists.dat.gz")
    artists, column = np.unique(plays[:, 1], return_inverse=True)
    users, row = np.unique(plays[:, 0], return_inverse=True)
    liked: list[set[int]] = [set() for _ in users]
    for user, artist in zip(row.tolist(), column.tolist(), strict=True):
        liked[user].add(artist)
    place = {artist: n for n, artist in enumerate(artists.tolist())}
    kept = [(place[a], int(t)) for _, a, t, *_ in tags.tolist() if a in place]
    pairs = np.array(kept)
    counts = csr_matrix(
        (np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])),
        shape=(len(artists), pairs[:, 1].max() + 1),
    )
    tagged = np.asarray(counts.sum(axis=1)).ravel()
    frequency = np.log(len(artists) / np.maximum((counts > 0).sum(axis=0), 1))
    weighted = counts.multiply(frequency).tocsr()
    left, scale, _ = svds(weighted, k=DIM, random_state=0)
    vectors = left * scale
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(length > 0, length, 1)
    for seed in range(seeds):
        for name in policies:
            began = time.process_time()
            reward = _played(name, vectors, tagged, liked, rounds, seed)
            print(
                f"{name:16} {reward / (rounds / ARMS):.2f} x one of {ARMS}, "
                f"{time.process_time() - began:.0f} s",
                flush=True,
            )


def _played(
    name: str, vectors: Any, tagged: Any, liked: list[set[int]], rounds: int, seed: int
) -> float:
    """The rewards of a policy; features of artists grow a column: likeness to what was rewarded."""
    rng = np.random.default_rng(seed)
    count = len(vectors)
    own = np.column_stack([vectors, np.log1p(tagged) / 3, tagged == 0])
    features = {str(n): own[n].tolist() for n in range(count)}
    policy: Any = {
        "random": always_exploring,
        "item-thompson": lambda: ItemThompson(draws=20),
        "pessimistic": lambda: ItemThompson(start=0.001, strength=100, shares=False, draws=20),
        "content priors": lambda: ItemThompson(features, draws=20),
        "content priors, fixed": lambda: ItemThompson(features, strength=20, start=0.04, draws=20),
        "linear-thompson": lambda: LinearThompson(features, draws=20, spread=0.1),
        "squarecb": lambda: SquareCB(features, gamma=100),
    }[name]()
    whose = np.zeros((len(liked), DIM))
    total, waiting = 0.0, list[Round]()
    lists = [np.array(sorted(artists)) for artists in liked]
    for _ in range(rounds):
        user = int(rng.integers(len(liked)))
        arms = rng.integers(count, size=ARMS)
        arms[int(rng.integers(ARMS))] = rng.choice(lists[user])
        length = float(np.linalg.norm(whose[user]))
        context = {"listener": whose[user] / length if length else whose[user]}
        names = [str(n) for n in arms.tolist()]
        action = policy.choose(context, names, rng).action
        reward = float(int(arms[action]) in liked[user])
        total += reward
        waiting.append(Round(names[action], reward, context))
        if reward:
            whose[user] += vectors[arms[action]]
        if len(waiting) == LEARN_EVERY:
            if hasattr(policy, "update"):
                policy.update(waiting)
            waiting = []
    return total


CARDS, VISIBLE = 12, 3


def carousel(data: Path, users: int, rounds: int, seeds: int, chosen: list[str] | None) -> None:
    folder = data / "carousel_bandits"
    with (folder / "playlist_features.csv").open() as file:
        weights = np.array([[float(v) for v in row] for row in list(csv.reader(file))[1:]])
    with (folder / "user_features_small.csv").open() as file:
        nine = np.array([[float(v) for v in row] for row in list(csv.reader(file))[1:]])
    weights = weights[:, -97:]
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        segment = rng.integers(len(nine), size=users)
        spread = nine[:, 1:].std(axis=0)
        tastes = nine[segment, 1:] + 0.5 * spread * rng.normal(size=(users, 96))
        likely = expit(np.column_stack([tastes, np.ones(users)]) @ weights.T)
        best = -np.sort(-likely, axis=1)[:, :CARDS]
        ideal = float(best.sum(axis=1).mean())
        names = [str(n) for n in range(len(weights))]
        features = {name: vector.tolist() for name, vector in zip(names, weights, strict=True)}
        policies: dict[str, Any] = {
            "random": always_exploring(),
            "ts-seg-naive": ItemThompson(start=0.5, strength=2, shares=False),
            "ts-seg-pessimistic": ItemThompson(start=0.01, strength=100, shares=False),
            "ts-seg-shared": ItemThompson(features, start=0.01, strength=20),
            "ts-seg-learned": ItemThompson(),
            "ts-seg-learned-content": ItemThompson(features),
        }
        for name, policy in policies.items():
            if chosen is not None and name not in chosen:
                continue
            began, earned = time.process_time(), np.zeros(rounds)
            for number in range(rounds):
                shown = rng.integers(users, size=users // rounds)
                earned[number] = _batch(policy, name, shown, segment, likely, names, rng)
            told = " ".join(f"{v / ideal:.3f}" for v in np.cumsum(earned)[[9, 24, 49, rounds - 1]]
                            / np.array([10, 25, 50, rounds]))  # fmt: skip
            print(
                f"seed {seed} {name:20} share of the best after 10, 25, 50, {rounds}: {told}; "
                f"{time.process_time() - began:.0f} s",
                flush=True,
            )


def _batch(
    policy: Any, name: str, shown: Any, segment: Any, likely: Any, names: list[str], rng: Any
) -> float:
    """Carousels of some users, the mean of streams expected; the policy learns at the end."""
    rounds, expected = list[Round](), 0.0
    for whose in np.unique(segment[shown]).tolist():
        context = {"segment": whose}
        if isinstance(policy, ItemThompson):
            good, bad = policy.posterior(context, names)
        for user in shown[segment[shown] == whose].tolist():
            if isinstance(policy, ItemThompson):
                cards = np.argsort(-rng.beta(good, bad))[:CARDS]
            else:
                cards = rng.permutation(len(names))[:CARDS]
            expected += float(likely[user, cards].sum())
            streamed = (rng.random(CARDS) < likely[user, cards]).astype(float).tolist()
            seen = cascade(streamed, VISIBLE)
            rounds += [
                Round(names[card], reward, context)
                for card, reward in zip(cards[:seen].tolist(), streamed[:seen], strict=True)
            ]
    if isinstance(policy, ItemThompson):
        policy.update(rounds)
    return expected / len(shown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["hetrec", "carousel"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--policies", nargs="+", help="only these")
    given = parser.parse_args()
    if given.what == "hetrec":
        hetrec(given.data, given.rounds or 50_000, given.seeds, given.policies or POLICIES)
    else:
        carousel(given.data, given.users, given.rounds or 100, given.seeds, given.policies)
