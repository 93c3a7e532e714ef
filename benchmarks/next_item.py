"""Next-item models beside baselines on public sequences, cold targets and warm ones apart.

    python benchmarks/next_item.py DATA [--sets lastfm hetrec sports toys nowplaying] [--every N]

DATA holds the folders lastfm_s3rec, hetrec2011_lastfm_2k, amazon_s3rec and nowplaying_gcegnn.

lastfm, sports, toys: the last item of a user is the target, all items are ranked but those of the
history; models are fitted on what comes before the last two items, and are given the history with
the second-to-last. A target is cold where no session that was fitted on has it. nowplaying, by
session: models are fitted on the training sessions and asked for each test prefix. hetrec, by time:
artists in the order in which a listener first tagged them; models are fitted on what comes before
the day up to which four fifths of that happened, and asked for each listener's next artist after
it; content is the tags, those given before that day where there are any. --every: of the warm
targets, every Nth. All settings are chosen inside the sessions that are fitted on (docs/next.md).
Intervals are 95 %, paired: of the difference to popularity and to the model without content, by
drawing targets.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plotted import Measured, add_out, write_plot
from public_sets import hetrec_lastfm
from scipy.sparse import csr_matrix

from musicu.bootstrap import interval
from musicu.sequences import NextItemModel, fit
from musicu.sequences.semantic_head import SemanticHead
from musicu.sequences.semantic_ids import SemanticIds
from musicu.sequences.transformer_fit import trainable

Scores = Callable[[Sequence[list[int]]], NDArray[np.float32]]
AMAZON = {"sports": "Sports_and_Outdoors", "toys": "Toys_and_Games", "beauty": "Beauty"}
BATCH = 200
FEWEST_DRAWN = 30  # targets of a plot
NAMES = {"auto": "musicu", "auto with content": "musicu with content"}


@dataclass(frozen=True)
class Task:
    """train: sessions. cases: histories and targets. content: attributes of items, multi-hot.
    times: of every event of the sessions, where they are known.
    """

    train: list[list[int]]
    cases: list[tuple[list[int], int]]
    seen_may_come: bool
    content: tuple[list[int], NDArray[np.float32]] | None = None
    times: list[list[np.datetime64]] | None = None


@dataclass
class Answers:
    """Of each case the rank of its target from 0; and the items that were in the first ten.

    again: the share of the first ten that the history holds. famous: the share of them that is
    among the hundredth of items that was played most.
    """

    rank: NDArray[np.float64]
    seconds: float
    shown: set[int] = field(default_factory=set)
    again: float = 0.0
    famous: float = 0.0


def lines(path: Path) -> list[list[int]]:
    with gzip.open(path, "rt") as file:
        return [[int(word) for word in line.split()] for line in file]


def leave_one_out(sequences: Path, attributes: Path) -> Task:
    users = [line[1:] for line in lines(sequences)]
    with gzip.open(attributes, "rt") as file:
        tags = {int(item): found for item, found in json.load(file).items()}
    vectors = np.zeros((len(tags), 1 + max(max(found) for found in tags.values())), np.float32)
    for row, found in enumerate(tags.values()):
        vectors[row, found] = 1
    cases = [(user[:-1], user[-1]) for user in users]
    return Task([user[:-2] for user in users], cases, False, (list(tags), vectors))


def sessions(folder: Path) -> Task:
    with gzip.open(folder / "test_prefix_target.txt.gz", "rt") as file:
        parts = [line.split("\t") for line in file]
    cases = [([int(word) for word in prefix.split()], int(target)) for prefix, target in parts]
    return Task(lines(folder / "train_sessions.txt.gz"), cases, True)


def by_time(folder: Path) -> Task:
    tagged = hetrec_lastfm(folder).taggings.sort_by("timestamp")
    days, users = tagged["timestamp"].to_numpy(), tagged["user_id"].to_pylist()
    items, tags = [int(i) for i in tagged["track_id"].to_pylist()], tagged["context"].to_pylist()
    first: dict[tuple[str, int], np.datetime64] = {}
    for user, item, day in zip(users, items, days, strict=True):
        first.setdefault((user, item), day)
    cut = np.quantile(np.array(list(first.values())).astype("M8[us]").astype(np.int64), 0.8)
    late = {key: day.astype("M8[us]").astype(np.int64) >= cut for key, day in first.items()}
    before: dict[str, list[int]] = {}
    dated: dict[str, list[np.datetime64]] = {}
    after: dict[str, int] = {}
    for (user, item), is_late in late.items():
        if is_late:
            after.setdefault(user, item)
        else:
            before.setdefault(user, []).append(item)
            dated.setdefault(user, []).append(first[user, item])
    known = {item for history in before.values() for item in history}
    early = days.astype("M8[us]").astype(np.int64) < cut
    words = {tag: place for place, (tag, _) in enumerate(Counter(tags).most_common(1_000))}
    row = {item: place for place, item in enumerate(dict.fromkeys(items))}
    vectors = np.zeros((len(row), len(words)), np.float32)
    for item, tag, is_early in zip(items, tags, early.tolist(), strict=True):
        if tag in words and (is_early or item not in known):
            vectors[row[item], words[tag]] = 1
    cases = [(history, after[user]) for user, history in before.items() if user in after]
    return Task(list(before.values()), cases, False, (list(row), vectors), list(dated.values()))


def load(name: str, data: Path) -> Task:
    if name == "nowplaying":
        return sessions(data / "nowplaying_gcegnn")
    if name == "hetrec":
        return by_time(data / "hetrec2011_lastfm_2k")
    folder = data / ("lastfm_s3rec" if name == "lastfm" else "amazon_s3rec")
    stem = AMAZON.get(name, "LastFM")
    return leave_one_out(folder / f"{stem}.txt.gz", folder / f"{stem}_item2attributes.json.gz")


def answers(scores: Scores, task: Task, items: Sequence[int], which: Sequence[int]) -> Answers:
    column = {item: place for place, item in enumerate(items)}
    found = Answers(np.full(len(which), np.inf), 0.0)
    plays = Counter(item for session in task.train for item in session)
    most = {column[item] for item, _ in plays.most_common(len(plays) // 100) if item in column}
    begin = time.process_time()
    for start in range(0, len(which), BATCH):
        cases = [task.cases[place] for place in which[start : start + BATCH]]
        batch = scores([history for history, _ in cases])
        for place, ((history, target), row) in enumerate(zip(cases, batch, strict=True)):
            seen = [column[item] for item in history if item in column]
            if not task.seen_may_come:
                row[seen] = -np.inf
            top = np.argpartition(-row, 10)[:10]
            found.shown.update(top.tolist())
            found.famous += len(set(top.tolist()) & most) / 10 / len(which)
            found.again += len(set(top.tolist()) & set(seen)) / 10 / len(which)
            if target in column:
                value = row[column[target]]
                ties = np.count_nonzero(row == value) - 1
                found.rank[start + place] = np.count_nonzero(row > value) + ties / 2
    found.seconds = time.process_time() - begin
    return found


def content_mean(task: Task, items: Sequence[int]) -> Scores:
    assert task.content is not None
    ids, vectors = task.content
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    row = {item: place for place, item in enumerate(ids)}
    placed = unit[[row[item] for item in items]]

    def scores(histories: Sequence[list[int]]) -> NDArray[np.float32]:
        return np.stack([placed @ unit[[row[i] for i in h[-10:]]].mean(axis=0) for h in histories])

    return scores


def item_neighbours(task: Task, items: Sequence[int]) -> Scores:
    """Cosine of items in sessions, summed over the history, fading by .8."""
    column = {item: place for place, item in enumerate(items)}
    pairs = [(n, column[i]) for n, session in enumerate(task.train) for i in set(session)]
    places = tuple(np.array(pairs).T)
    held = csr_matrix(
        (np.ones(len(pairs), np.float32), places), shape=(len(task.train), len(items))
    )
    norms = np.sqrt(np.maximum(np.asarray(held.sum(axis=0)).ravel(), 1))
    scaled = (held.multiply(1 / norms)).tocsr()
    likeness = (scaled.T @ scaled).tolil()
    likeness.setdiag(0)
    near = likeness.tocsr()

    def scores(histories: Sequence[list[int]]) -> NDArray[np.float32]:
        entries = [
            (n, column[i], 0.8**age)
            for n, history in enumerate(histories)
            for age, i in enumerate(history[::-1])
            if i in column
        ]
        rows, columns, weights = (np.array(part) for part in zip(*entries, strict=True))
        shape = (len(histories), len(items))
        found = csr_matrix((weights.astype(np.float32), (rows, columns)), shape=shape) @ near
        return np.asarray(found.toarray(), np.float32)

    return scores


def systems(task: Task) -> Iterator[tuple[str, Sequence[int], Scores]]:
    begin = time.process_time()
    plain = fit(task.train, times=task.times)
    print(f"fitted in {time.process_time() - begin:.0f} s: {plain.report}", flush=True)
    plays = np.zeros(len(plain.items), np.float32)
    np.add.at(plays, [plain.row_of[i] for session in task.train for i in session], 1)
    yield "popularity", plain.items, lambda histories: np.tile(plays, (len(histories), 1))
    yield "item kNN", plain.items, item_neighbours(task, plain.items)
    yield from alone(plain)
    yield "auto", plain.items, plain.scores
    if task.content is not None:
        begin = time.process_time()
        whole = fit(task.train, times=task.times, content=task.content)
        told = {name: whole.report[name] for name in ("content", "weights")}
        print(f"fitted in {time.process_time() - begin:.0f} s: {told}", flush=True)
        yield "content mean", whole.items, content_mean(task, whole.items)
        yield "auto with content", whole.items, whole.scores
        yield from transformer(task)
        yield "semantic ids", whole.items, generated(task, whole)


def transformer(task: Task) -> Iterator[tuple[str, Sequence[int], Scores]]:
    """The transformer by itself, and its own scores of items without plays (extra `train`)."""
    if not trainable():
        print("no transformer: the extra train is not installed")
        return
    begin = time.process_time()
    model = fit(task.train, times=task.times, content=task.content, kind="transformer")
    seconds = time.process_time() - begin
    print(f"fitted in {seconds:.0f} s: {model.report['ndcg']}", flush=True)
    yield "transformer with content", model.items, model.scores
    head = model.scorers["transformer"]
    yield (
        "transformer's head",
        model.items,
        lambda histories: np.stack([head.scores(model.rows(h)) for h in histories]),
    )


def alone(model: NextItemModel) -> Iterator[tuple[str, Sequence[int], Scores]]:
    """Each scorer by itself, under the settings that were chosen for it."""
    for name in ("rules", "ease", "neighbours"):
        weights = {name: 1.0, "popularity": 1e-4}
        settings = replace(model.settings, weights=weights)
        yield name, model.items, replace(model, settings=settings).scores


def generated(task: Task, model: NextItemModel) -> Scores:
    """Beam search over semantic ids of the content, by the rules' settings."""
    assert task.content is not None
    ids, vectors = task.content
    row = {item: place for place, item in enumerate(ids)}
    found = SemanticIds.of(model.items, vectors[[row[item] for item in model.items]])
    shared = found.collisions
    print(f"semantic ids: {shared:.4f} share their code before its last digit")
    head = SemanticHead.of(found.codes, model.counts.sessions, model.settings.rules)
    return lambda histories: np.stack([head.scores(model.rows(h)) for h in histories])


def ndcg_of(rank: NDArray[np.float64]) -> NDArray[np.float64]:
    """NDCG@10 of each target."""
    return np.where(rank < 10, 1 / np.log2(np.where(rank < 10, rank, 0) + 2), 0)


def with_ends(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """A mean with its interval, over draws of the targets."""
    n = len(values)
    draws = values[np.random.default_rng(0).integers(n, size=(500, n))].mean(axis=1)
    ends = interval(draws)
    assert ends is not None
    return float(np.mean(values)), ends.low, ends.high


def figures(found: Answers, items: int, base: Answers | None) -> str:
    rank, n = found.rank, len(found.rank)
    ndcg = ndcg_of(rank)
    text = (
        f"HR@10 {np.mean(rank < 10):.4f} NDCG@10 {ndcg.mean():.4f} P@20 {np.mean(rank < 20):.4f} "
        f"MRR@20 {np.where(rank < 20, 1 / (rank + 1), 0).mean():.4f} "
        f"coverage@10 {len(found.shown) / items:.3f} repeats@10 {found.again:.3f} "
        f"famous@10 {found.famous:.3f} "
        f"{1e3 * found.seconds / max(n, 1):.2f} ms"
    )
    if base is not None:
        value, low, high = with_ends(ndcg - ndcg_of(base.rank))
        text += f" | NDCG@10 - base {value:+.4f} [{low:+.4f}, {high:+.4f}]"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["lastfm", "sports", "toys", "nowplaying"])
    parser.add_argument("--every", type=int, default=1)
    add_out(parser)
    options = parser.parse_args()
    panels: dict[str, dict[str, Measured]] = {}
    for name in options.sets:
        task = load(name, options.data)
        warm_items = {item for session in task.train for item in session}
        known = [target in warm_items for _, target in task.cases]
        parts = {
            "warm": np.flatnonzero(known)[:: options.every].tolist(),
            "cold": np.flatnonzero(np.logical_not(known)).tolist(),
        }
        bases: dict[str, Answers] = {}
        for system, items, scores in systems(task):
            for part, which in parts.items():
                if not which:
                    continue
                found = answers(scores, task, items, which)
                print(name, part, len(which), system, figures(found, len(items), bases.get(part)))
                if len(which) >= FEWEST_DRAWN:
                    rows = panels.setdefault(f"{name}, {len(which):,} {part} targets", {})
                    rows[NAMES.get(system, system)] = with_ends(ndcg_of(found.rank))
                if system in {"popularity", "auto"}:
                    bases[part] = found
    if options.out:
        unit = "NDCG@10, all items ranked."
        write_plot(options.out, "What comes next", unit, panels, ours=NAMES.values())


if __name__ == "__main__":
    main()
