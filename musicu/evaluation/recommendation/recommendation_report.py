"""The report page of candidates: accuracy, what it costs in coverage, groups, every number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from musicu.evaluation.charts import (
    Beside,
    Chart,
    axis_end,
    beside,
    cells,
    chart,
    colours_of,
    number,
    title,
    with_interval,
)
from musicu.evaluation.metrics import ACCURACY
from musicu.evaluation.recommendation.groups import LISTENER_GROUPS
from musicu.items.creator_groups import TRACK_GROUPS
from musicu.pages.document import render

if TYPE_CHECKING:
    from musicu.evaluation.recommendation.recommendation_findings import Findings

#: The columns of the large table.
HEAD = (
    *("listeners", "tracks", "metric", "k", "model", "value", "low", "high", "count"),
    *("baseline", "difference", "diff_low", "diff_high"),
)
AROUND = ("coverage", "gini", "novelty", "artist diversity", "long tail", "emerging artists")
#: Groups of creators, whose share of lists stands beside that of what listeners have heard.
CREATORS = ("long tail", "emerging artists")
#: Of the plot's inner field in its own units, width and height; by the width of the screen.
SIZES = {"wide": (640, 360), "narrow": (280, 340)}
_LETTER, _LINE = 6.6, 15  # how much room a name takes on the plot

Box: TypeAlias = "tuple[float, float, float]"  # from, to, and the height of the middle


@dataclass(frozen=True, slots=True)
class Spot:
    """A model on the plot of accuracy against coverage, in its units; y downwards.

    low, high: the ends of its interval. label_y: where its name stands, clear of others.
    """

    model: str
    shown: str
    x: float
    y: float
    low: float | None
    high: float | None
    label_x: float
    label_y: float
    anchor: str
    colour: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Accuracy against coverage: spots, and the ends of both axes; for which screens."""

    screen: str
    width: int
    height: int
    metric: str
    top: str
    right: str
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class CreatorShare:
    """A group of creators: shares as texts with intervals, by model.

    heard: its share of what listeners have heard. shown: of lists. over: the one over the other.
    uplift: of (model, baseline), what the model's share of lists is beside the baseline's.
    """

    group: str
    heard: str
    shown: dict[str, str]
    over: dict[str, str]
    uplift: dict[tuple[str, str], Beside]


@dataclass(frozen=True, slots=True)
class GroupChart:
    """A group of listeners or tracks, with a chart of its own."""

    name: str
    count: int
    chart: Chart


def render_report(findings: Findings) -> str:
    """The page as HTML; nothing in it is fetched, and no name can become markup."""
    rows = findings.to_table().to_pylist()
    models = sorted(findings.figures, key=lambda name: name in findings.baselines)
    colours = colours_of(models, findings.baselines)
    k = findings.about["ks"][-1]
    accuracy = (*ACCURACY, "artist recall")
    return render(
        "recommendation-report",
        about=findings.about,
        split=findings.split,
        notes=findings.notes,
        k=k,
        colours=colours,
        baselines=findings.baselines,
        differences=_differences(rows, k, accuracy, findings.baselines),
        metrics=[title(metric, k) for metric in accuracy],
        charts=[_chart(rows, metric, k, colours) for metric in accuracy],
        plots=[_plot(rows, k, colours, screen) for screen in SIZES],
        around=[(title(metric, k), _values(rows, metric, k)) for metric in AROUND],
        creators=list(_creators(rows, k)),
        shares=list(creator_shares(rows, k)),
        listeners=_bands(
            rows, "listeners", _groups(rows, "listeners", LISTENER_GROUPS), k, colours
        ),
        tracks=_bands(rows, "tracks", _groups(rows, "tracks", TRACK_GROUPS), k, colours),
        head=HEAD,
        rows=[cells(row, HEAD) for row in rows],
    )


def _of(
    rows: list[dict[str, Any]], metric: str, k: int, listeners: str = "all", tracks: str = "all"
) -> list[dict[str, Any]]:
    wanted = (metric, k, listeners, tracks)
    keys = ("metric", "k", "listeners", "tracks")
    return [row for row in rows if tuple(row[key] for key in keys) == wanted]


def _chart(rows: list[dict[str, Any]], metric: str, k: int, colours: dict[str, str]) -> Chart:
    return chart(title(metric, k), _of(rows, metric, k), colours)


def _values(
    rows: list[dict[str, Any]], metric: str, k: int, listeners: str = "all"
) -> dict[str, str]:
    """The number of each model, as text."""
    return {row["model"]: number(row["value"]) for row in _of(rows, metric, k, listeners)}


def _creators(rows: list[dict[str, Any]], k: int) -> Iterator[tuple[str, dict[str, str], str]]:
    """For groups of listeners and creators the share of lists of each model, and of the heard."""
    for listeners in ("all", *LISTENER_GROUPS):
        for metric in CREATORS:
            heard = list(_values(rows, f"{metric} heard", k, listeners).values())
            if heard:
                values = _values(rows, metric, k, listeners)
                yield f"{title(metric, k)}, {listeners} listeners", values, heard[0]


def creator_shares(rows: list[dict[str, Any]], k: int) -> Iterator[CreatorShare]:
    """For each group of creators its share of listening, and of each model's lists."""
    for group in _groups(rows, "tracks", TRACK_GROUPS):
        shown = _of(rows, "exposure share", k, tracks=group)
        heard = _of(rows, "listening share", k, tracks=group)
        if shown and heard:
            over = _of(rows, "exposure over listening", k, tracks=group)
            yield CreatorShare(
                group,
                number(heard[0]["value"]),
                {row["model"]: with_interval(row) for row in shown},
                {row["model"]: with_interval(row) for row in over},
                {
                    (row["model"], row["baseline"]): beside(row)
                    for row in shown
                    if row["difference"] is not None
                },
            )


def _groups(rows: list[dict[str, Any]], kind: str, first: tuple[str, ...]) -> list[str]:
    """The groups of listeners or tracks that rows are of, the usual ones first."""
    return [name for name in dict.fromkeys([*first, *(row[kind] for row in rows)]) if name != "all"]


def _bands(
    rows: list[dict[str, Any]], kind: str, groups: list[str], k: int, colours: dict[str, str]
) -> list[GroupChart]:
    """Recall by group, on one axis for all of them."""
    parts = {name: _of(rows, "recall", k, **{kind: name}) for name in groups}
    known = {name: part for name, part in parts.items() if part}
    values = [r["high"] or r["value"] or 0.0 for part in known.values() for r in part]
    end = max(values, default=0.0)
    return [
        GroupChart(name, part[0]["count"], chart(name, part, colours, end))
        for name, part in known.items()
    ]


def _plot(rows: list[dict[str, Any]], k: int, colours: dict[str, str], screen: str) -> Plot:
    """Recall upwards, coverage to the right, each from 0."""
    width, height = SIZES[screen]
    first = {m: next(g) for m, g in groupby(_of(rows, "recall", k), key=lambda r: r["model"])}
    cover = {row["model"]: row["value"] for row in _of(rows, "coverage", k)}
    shown = [m for m, row in first.items() if row["value"] is not None and cover.get(m) is not None]
    top = axis_end(max((first[m]["high"] or first[m]["value"] for m in shown), default=0.0))
    right = axis_end(max((cover[m] for m in shown), default=0.0))
    places = {m: (width * cover[m] / right, height / top) for m in shown}
    spots = [_spot(first[m], cover[m], places[m], SIZES[screen], colours[m]) for m in shown]
    ends = (title("recall", k), number(top), number(right))
    return Plot(screen, width, height, *ends, tuple(_apart(spots, height)))


def _spot(
    row: dict[str, Any],
    cover: float,
    place: tuple[float, float],
    size: tuple[int, int],
    colour: str,
) -> Spot:
    """A model's spot; place: its x, and the units of height that stand for a recall of 1."""
    (x, unit), (width, height) = place, size
    y = round(height - unit * row["value"], 1)
    bounded = row["low"] is not None
    room = x + 14 + _LETTER * len(row["model"]) < width
    return Spot(
        model=row["model"],
        shown=f"{row['model']}: recall {number(row['value'])}, coverage {number(cover)}",
        x=round(x, 1),
        y=y,
        low=round(height - unit * row["low"], 1) if bounded else None,
        high=round(height - unit * row["high"], 1) if bounded else None,
        label_x=round(x + (10 if room else -10), 1),
        label_y=y + 4,
        anchor="start" if room else "end",
        colour=colour,
    )


def _apart(spots: list[Spot], height: int) -> list[Spot]:
    """The spots with their names as near as they can be without covering a name or a spot."""
    dots = {spot.model: (spot.x - 7, spot.x + 7, spot.y) for spot in spots}
    far = sorted(range(-height, height, 3), key=abs)  # how far a name may go, the least first
    names: list[Box] = []
    placed = []
    for spot in sorted(spots, key=lambda s: -s.y):
        taken = names + [dot for model, dot in dots.items() if dot != dots[spot.model]]
        moves = (replace(spot, label_y=spot.label_y + move) for move in far)
        inside = [moved for moved in moves if 0 <= moved.label_y <= height]
        free = (m for m in inside if not any(_meet(_name(m), box) for box in taken))
        placed.append(next(free, inside[0]))
        names.append(_name(placed[-1]))
    return sorted(placed, key=lambda s: s.colour.startswith("own"))  # drawn last, on top


def _name(spot: Spot) -> Box:
    """From where to where a name reaches, and its middle."""
    width = _LETTER * len(spot.model)
    start = spot.label_x if spot.anchor == "start" else spot.label_x - width
    return start, start + width, spot.label_y - 4


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and abs(one[2] - other[2]) < _LINE


def _differences(
    rows: list[dict[str, Any]], k: int, metrics: tuple[str, ...], baselines: tuple[str, ...]
) -> list[tuple[str, str, list[Beside | None]]]:
    """Each model beside each baseline, by metric; baselines only where there is nothing else."""
    found = {
        (row["model"], row["baseline"], metric): beside(row)
        for metric in metrics
        for row in _of(rows, metric, k)
        if row["difference"] is not None
    }
    pairs = dict.fromkeys((model, baseline) for model, baseline, _ in found)
    own = [pair for pair in pairs if pair[0] not in baselines] or list(pairs)
    return [(m, b, [found.get((m, b, metric)) for metric in metrics]) for m, b in own]
