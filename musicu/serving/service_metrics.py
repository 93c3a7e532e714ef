"""What a service counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from musicu.listening.small_groups import is_shown

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
#: What counts what listeners did.
_OF_LISTENERS = (
    "musicu_events",
    "musicu_exposures",
    "musicu_unwritten_exposures",
    "musicu_listeners",
)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class ServiceMetrics:
    """The counters of one service, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own = self._registry
        self.requests = Counter(
            "musicu_requests", "Requests answered.", ["route", "method", "status"], registry=own
        )
        self.seconds = Histogram(
            "musicu_request_seconds",
            "Until the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=own,
        )
        self.events = Counter("musicu_events", "Events by their fate.", ["became"], registry=own)
        self.exposures = Counter("musicu_exposures", "Tracks shown on pages.", registry=own)
        self.unwritten_exposures = Counter(
            "musicu_unwritten_exposures",
            "Tracks shown by a service that writes nothing.",
            registry=own,
        )
        self.uploads = Counter("musicu_uploads", "Uploads by their fate.", ["became"], registry=own)
        self.upload_seconds = Histogram(
            "musicu_upload_seconds",
            "Seconds from the last byte of an upload to its place on a shelf.",
            buckets=_SECONDS,
            registry=own,
        )
        self.tracks = Gauge("musicu_tracks", "Tracks in the catalog.", registry=own)
        self.generation = Gauge("musicu_generation", "Its present number.", registry=own)
        self.listeners = Gauge("musicu_listeners", "Listeners in memory.", registry=own)

    def text(self, listeners: int) -> bytes:
        """All of them in Prometheus's text format; listeners: who have done something.

        What tells of few listeners is left out.
        """
        if is_shown(listeners):
            return bytes(generate_latest(self._registry))
        families = [f for f in self._registry.collect() if f.name not in _OF_LISTENERS]
        shown = [sample.name for family in families for sample in family.samples]
        return bytes(generate_latest(self._registry.restricted_registry(shown)))
