"""Candidates beside the baselines, on public listening data.

    python benchmarks/candidates_quality.py DATA [--sets hetrec s3rec nowplaying] [--encoder]

DATA holds the folders hetrec2011_lastfm_2k, lastfm_s3rec and nowplaying_gcegnn.

hetrec: HetRec 2011 Last.fm. Artists stand for tracks, the tags that people gave them, as often as
they did, for content; a fifth of the artists, drawn by the seed, is new. The listeners asked are
among the taggers, so tags know a little of the answers. s3rec: its artists in the order of tagging,
leave-last-out, to check the metrics: PopRec was published with HR@10 .0440 and NDCG@10 .0203.
nowplaying: sessions of tracks without metadata, leave-last-out, 5,000 sessions drawn by the seed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from plotted import add_out, recalls, write_plot
from public_sets import (
    PublicSet,
    hetrec_lastfm,
    nowplaying_sessions,
    s3rec_lastfm,
)

from musicu.evaluation.recommendation import (
    BASELINES,
    Findings,
    Protocol,
    evaluate_candidates,
    evaluate_models,
)
from musicu.pipeline.run import scan

METRICS = ("recall", "ndcg", "mrr", "hit rate", "coverage", "gini", "artist recall")
PLOTTED = {
    "track-encoder": "musicu, as served",
    "track-encoder, set fit": "the best plain scorer",
    "content-knn": "content k-nearest neighbours",
    "artist": "artist",
    "als": "matrix factorisation",
    "popularity": "popularity",
    "random": "random",
}
CONTENT_FREE = ("random", "popularity", "als")


def with_all_tags(public: PublicSet) -> pa.Table:
    """The items with their tags as often as given."""
    tags: dict[str, list[str]] = {}
    for row in public.taggings.select(["track_id", "context"]).to_pylist():
        tags.setdefault(row["track_id"], []).append(row["context"])
    ids = public.items["track_id"].to_pylist()
    at = public.items.column_names.index("genres")
    return public.items.select(["track_id", "artists"]).append_column(
        public.items.schema.field(at).with_name("tags"), pa.array([tags.get(i, []) for i in ids])
    )


def hetrec(data: Path, seed: int, encoder: bool) -> Findings:
    public = hetrec_lastfm(data / "hetrec2011_lastfm_2k")
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(with_all_tags(public), Path(folder) / "artists.parquet")
        catalog = scan(Path(folder) / "artists.parquet", Path(folder) / "catalog").catalog
        protocol = Protocol(split="new-artists", ks=(20,), seed=seed)
        return evaluate_candidates(
            catalog, public.listens, protocol, encoder=encoder, against=BASELINES
        )


def s3rec(data: Path, seed: int) -> Findings:
    public = s3rec_lastfm(data / "lastfm_s3rec")
    protocol = Protocol(split="leave-last-out", ks=(10, 20), seed=seed)
    return evaluate_models(public.items, public.listens, {}, protocol, against=CONTENT_FREE)


def nowplaying(data: Path, seed: int) -> Findings:
    public = nowplaying_sessions(data / "nowplaying_gcegnn")
    protocol = Protocol(split="leave-last-out", ks=(20,), seed=seed, listeners=5000)
    return evaluate_models(public.items, public.listens, {}, protocol, against=CONTENT_FREE)


def show(name: str, found: Findings) -> None:
    print(f"\n{name}, {found.split}: {found.about}")
    for k in found.about["ks"]:
        print(f"| at {k} | {' | '.join(METRICS)} |")
        for model in found.figures:
            values = [found.value(metric, k, model) for metric in METRICS]
            print(f"| {model} | {' | '.join('' if v is None else f'{v:.4f}' for v in values)} |")
    for row in found.to_table().to_pylist():
        if row["listeners"] == row["tracks"] == "all" and row["metric"] in ("recall", "ndcg"):
            own = row["model"] not in found.baselines or row["model"] == "content-knn"
            if own and row["baseline"]:
                print(
                    f"{row['metric']}@{row['k']} {row['model']} - {row['baseline']}: "
                    f"{row['difference']:+.4f} [{row['diff_low']:+.4f}, {row['diff_high']:+.4f}]"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=["hetrec", "s3rec", "nowplaying"])
    parser.add_argument("--encoder", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    add_out(parser)
    options = parser.parse_args()
    panels = {}
    for name in options.sets:
        began = time.process_time()
        if name == "hetrec":
            found = hetrec(options.data, options.seed, options.encoder)
            panels["new artists"] = recalls(found, 20, PLOTTED)
        else:
            found = {"s3rec": s3rec, "nowplaying": nowplaying}[name](options.data, options.seed)
        show(name, found)
        print(f"{name}: {time.process_time() - began:.0f} s of processor time", flush=True)
    if options.out:
        write_plot(
            options.out,
            "Candidates for listeners, as they are served",
            "Recall@20 among the new artists of HetRec Last.fm, a fifth held out whole.",
            panels,
            ours=[PLOTTED["track-encoder"]],
        )


if __name__ == "__main__":
    main()
