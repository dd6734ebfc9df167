"""`/metrics` in the text form of Prometheus: broken laws, live reservations and slots. For the owner of the install."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

from litestar import Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gpudev_sdk import clock
from gpudev_sdk.domain.reservation import LIVE
from gpudev_sdk.engine import doctor
from gpudev_sdk.engine.check import LAWS
from gpudev_sdk.engine.check.reading import Q
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import NotAllowed
from gpudev_sdk.store.pool import Store
from gpudev_services.api.desk import Who

#: Seconds for which a look at all laws counts.
FRESH = 60.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: A law with a part of its own for its bound is one law to people.
SHOWN = tuple(dict.fromkeys(law.removesuffix("b") for law in LAWS))


def _counts(store: Store) -> Iterator[Metric]:
    with store.transaction() as conn:
        states = {row["state"]: row["reservations"] for row in conn.execute(Q["live_states"])}
        slots = conn.execute(Q["slot_counts"]).fetchall()
    live = GaugeMetricFamily("gpudev_reservations", "Reservations that did not end, by state.", labels=["state"])
    for state in LIVE:
        live.add_metric([state], states.get(state, 0))
    yield live
    counts = GaugeMetricFamily("gpudev_slots", "Slots by type and use.", labels=["backend", "gpu_type", "use"])
    for row in slots:
        for use in ("total", "held", "free"):
            counts.add_metric([row["backend"], row["gpu_type"], use], row[use])
    yield counts


class Figures(Collector):
    """What is live and held, which needs no look at any backend and no right but the API's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of it."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Name nothing ahead of the first scrape: the database may be away."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what is measured."""
        yield from _counts(self._store)


class Metrics(Collector):
    """What is measured of one engine with the right to read everything; safe to use from any number of threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._found: doctor.Diagnosis | None = None
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of it, the laws as of at most 60 seconds ago."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Name nothing ahead of the first scrape, which would be a look at everything."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what is measured."""
        yield from self._laws(self._diagnosis())
        yield from _counts(self._engine.store)

    def _diagnosis(self) -> doctor.Diagnosis:
        with self._lock:
            if self._found is None or self._looked is None or clock.monotonic() - self._looked > FRESH:
                self._found = doctor.diagnose(self._engine)
                self._looked = clock.monotonic()
            return self._found

    def _laws(self, found: doctor.Diagnosis) -> Iterator[Metric]:
        broken = GaugeMetricFamily("gpudev_invariant_violations", "Violations of each law.", labels=["law"])
        counts = Counter(one.law for one in found.violations)
        for law in SHOWN:
            broken.add_metric([law], counts[law])
        yield broken
        waiting = GaugeMetricFamily("gpudev_findings", "What else waits for a person, by kind.", labels=["kind"])
        kinds = Counter(one.law for one in found.standing)
        for kind in doctor.STANDING:
            waiting.add_metric([kind], kinds[kind])
        yield waiting
        looked = GaugeMetricFamily("gpudev_invariants_checked_timestamp_seconds", "When the laws were last checked.")
        looked.add_metric([], found.as_of.timestamp())
        yield looked


def metrics_of(state: State) -> Metrics:
    """Return the application's own."""
    found: Metrics = state.metrics
    return found


TheMetrics = NamedDependency[Metrics]


@get("/metrics", sync_to_thread=True)
def show_metrics(metrics: TheMetrics, who: Who) -> Response[bytes]:
    """Say how many violations of each law there are, and what is live and held."""
    if not who.is_admin:
        raise NotAllowed("this is for the owner of the install", hint="Scrape it by the server's local socket.")
    return Response(metrics.text(), media_type=CONTENT_TYPE)


ROUTES = [show_metrics]
