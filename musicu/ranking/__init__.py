"""Rankers: how well candidates fit a listener, a playlist or a seed, and what says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from musicu.public_names import loaded_when_used

if TYPE_CHECKING:
    from musicu.ranking.learned_ranker import LearnedRanker as LearnedRanker
    from musicu.ranking.ranker import RANKERS as RANKERS
    from musicu.ranking.ranker import Pool as Pool
    from musicu.ranking.ranker import PoolScores as PoolScores
    from musicu.ranking.ranker import Ranker as Ranker
    from musicu.ranking.ranker_training import train_ranker as train_ranker
    from musicu.ranking.taste import TasteRanker as TasteRanker

_HOMES = {
    "LearnedRanker": "musicu.ranking.learned_ranker",
    "Pool": "musicu.ranking.ranker",
    "PoolScores": "musicu.ranking.ranker",
    "RANKERS": "musicu.ranking.ranker",
    "Ranker": "musicu.ranking.ranker",
    "TasteRanker": "musicu.ranking.taste",
    "train_ranker": "musicu.ranking.ranker_training",
}
__all__ = sorted(_HOMES)
__getattr__, __dir__ = loaded_when_used(__name__, _HOMES)
