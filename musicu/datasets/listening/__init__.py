"""Listening logs: what people export, public sets, and listeners that are made up."""

from musicu.datasets.listening.importing import Imported, import_listens
from musicu.datasets.listening.matching import Matcher
from musicu.datasets.listening.pseudonyms import listener_ids, listener_key, pseudonyms
from musicu.datasets.listening.public import (
    PublicSet,
    fma_subset,
    hetrec_lastfm,
    jamendo,
    nowplaying_sessions,
    s3rec_lastfm,
)
from musicu.datasets.listening.reading import read_listens
from musicu.datasets.listening.simulated import Habits, SimulatedListeners, simulate_listeners

__all__ = [
    "Habits",
    "Imported",
    "Matcher",
    "PublicSet",
    "SimulatedListeners",
    "fma_subset",
    "hetrec_lastfm",
    "import_listens",
    "jamendo",
    "listener_ids",
    "listener_key",
    "nowplaying_sessions",
    "pseudonyms",
    "read_listens",
    "s3rec_lastfm",
    "simulate_listeners",
]
