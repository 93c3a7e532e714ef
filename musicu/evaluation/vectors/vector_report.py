"""The report page: one file that stands alone, with every number of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from musicu.evaluation.charts import Chart, cells, chart, colours_of
from musicu.evaluation.vectors.protocols import RETRIEVAL
from musicu.evaluation.vectors.vector_map import draw_vectors
from musicu.pages.document import render

if TYPE_CHECKING:
    from musicu.evaluation.vectors.evaluation_result import Evaluation

FEW_ARTISTS = 20  # below this, percentile intervals of artists are too narrow
#: The columns of the large table.
HEAD = (
    *("protocol", "metric", "model", "value", "low", "high", "queries", "artists", "left_out"),
    *("baseline", "difference", "diff_low", "diff_high", "note"),
)
ABOUT = {protocol.name: protocol.about for protocol in RETRIEVAL} | {
    "linear-probe": "Logistic regression on the vectors, tested on artists not trained on.",
    "neighbour-probe": "A majority vote of the ten nearest tracks by other artists.",
    "clustering": "k-means on the vectors, compared with the labels.",
    "hubness": "How unevenly tracks appear among the ten nearest neighbours of others.",
    "robustness": "Nearest neighbours after a change to the audio that keeps the music.",
    "cost": "What a track costs in time and storage.",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One protocol: its charts, or why it could not be measured."""

    name: str
    about: str
    artists: int
    counts: str
    warning: str
    charts: tuple[Chart, ...]


def render_report(evaluation: Evaluation) -> str:
    """The page as HTML; nothing in it is fetched, and no label can become markup."""
    rows = evaluation.to_table().to_pylist()
    colours = colours_of(list(evaluation.data.models), evaluation.baselines)
    return render(
        "vector-report",
        about=evaluation.about(),
        sections=list(_sections(rows, colours)),
        colours=colours,
        baselines=evaluation.baselines,
        only_baselines=set(evaluation.data.models) <= set(evaluation.baselines),
        map=draw_vectors(evaluation.data),
        head=HEAD,
        rows=[cells(row, HEAD) for row in rows],
    )


def _sections(rows: list[dict[str, Any]], colours: dict[str, str]) -> Iterator[Section]:
    for name, group in groupby(rows, key=lambda row: row["protocol"]):
        found = list(group)
        first = found[0]
        metrics = groupby(found, key=lambda row: row["metric"])
        charts = [chart(metric, list(part), colours) for metric, part in metrics]
        yield Section(
            name=_title(name),
            about=ABOUT[name.partition(":")[0]],
            artists=first["artists"],
            counts=_counts(first),
            warning=first["note"] or _warning(first),
            charts=tuple(chart for chart in charts if chart.bars),
        )


def _title(protocol: str) -> str:
    """`linear-probe:genre` as "Linear probe: genre"."""
    kind, _, column = protocol.partition(":")
    title = kind.replace("-", " ").capitalize()
    return f"{title}: {column}" if column else title


def _counts(row: dict[str, Any]) -> str:
    if not row["queries"]:
        return ""
    artists = "1 artist" if row["artists"] == 1 else f"{row['artists']:,} artists"
    counts = f"{row['queries']:,} queries by {artists}"
    return counts + (f"; {row['left_out']:,} left out" if row["left_out"] else "")


def _warning(row: dict[str, Any]) -> str:
    if row["artists"] == 1:
        return "One artist only: there is no interval, and the numbers mean little."
    if 0 < row["artists"] < FEW_ARTISTS:
        return f"Only {row['artists']} artists: the intervals are too narrow to rely on."
    return ""
