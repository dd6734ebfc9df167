"""`/metrics` in the text form of Prometheus: broken laws, what is live, what waits. For the owner of the install."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from litestar import Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gpudev_sdk import clock
from gpudev_sdk.engine import doctor
from gpudev_sdk.engine.check import LAWS
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.errors import NotAllowed, Unavailable
from gpudev_sdk.store.pool import Store
from gpudev_services.api.desk import Who
from gpudev_services.api.figures import about_service, counts, gauge

#: Seconds for which a look at all laws counts.
FRESH = 60.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: A law with a part of its own for its bound is one law to people.
SHOWN = tuple(dict.fromkeys(law.removesuffix("b") for law in LAWS))


class Shown(Collector):
    """A collector as the text that is scraped. While the database is away, that is what it says."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all of it."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        """Name nothing ahead of the first scrape, which would be a look at everything."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield what is measured."""
        try:
            asked = self.asked()
        except Unavailable:
            asked = None
        yield from about_service(self._service, database_up=asked is not None)
        yield from self.own()
        yield from asked or ()

    def asked(self) -> list[Metric]:
        """Return what has to be asked of the database; raises Unavailable."""
        return []

    def own(self) -> list[Metric]:
        """Return what the process knows by itself."""
        return []


class Figures(Shown):
    """What is live and held, which needs no look at any backend and no right but the API's."""

    def __init__(
        self,
        store: Store,
        backends: Collection[str] | None = None,
        certificate_end: Callable[[], float | None] = lambda: None,
    ) -> None:
        super().__init__("api")
        self._store = store
        self._backends = backends
        self._certificate_end = certificate_end

    def asked(self) -> list[Metric]:
        """Return what the tables say."""
        return counts(self._store, self._backends)

    def own(self) -> list[Metric]:
        """Return until when the certificate is good, where TLS ends here."""
        end = self._certificate_end()
        about = "Until when the certificate that the API shows is good."
        return [] if end is None else [gauge("gpudev_certificate_expiry_timestamp_seconds", about, {(): end})]


class Metrics(Shown):
    """What is measured of one engine with the right to read everything; safe to use from any number of threads."""

    def __init__(self, engine: Engine, service: str, loops: Callable[[], Mapping[str, float]] = dict) -> None:
        super().__init__(service)
        self._engine = engine
        self._loops = loops
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._found: doctor.Diagnosis | None = None

    def asked(self) -> list[Metric]:
        """Return what the tables say, and the laws as of at most 60 seconds ago."""
        found = self._diagnosis()
        laws = self._laws(found) if found is not None else ()
        return [*laws, *counts(self._engine.store, self._engine.backends)]

    def own(self) -> list[Metric]:
        """Return by how much each loop of this process is late."""
        late = {(name,): seconds for name, seconds in self._loops().items()}
        about = "By how much a loop of this process is late to do its work without an error."
        return [gauge("gpudev_loop_late_seconds", about, late, ["loop"])] if late else []

    def _diagnosis(self) -> doctor.Diagnosis | None:
        """Look, unless somebody is looking: a backend that hangs holds up one reading, and the others have what there was."""
        if self._lock.acquire(blocking=False):
            try:
                if self._looked is None or clock.monotonic() - self._looked > FRESH:
                    self._found = doctor.diagnose(self._engine)
                    self._looked = clock.monotonic()
            finally:
                self._lock.release()
        return self._found

    def _laws(self, found: doctor.Diagnosis) -> Iterator[Metric]:
        broken = Counter(one.law for one in found.violations)
        laws = {(law,): float(broken[law]) for law in SHOWN}
        yield gauge("gpudev_invariant_violations", "Violations of each law.", laws, ["law"])
        kinds = Counter(one.law for one in found.standing)
        waiting = {(kind,): float(kinds[kind]) for kind in doctor.STANDING}
        yield gauge("gpudev_findings", "What else waits for a person, by kind.", waiting, ["kind"])
        things = Counter(one.what.partition(" ")[0] for one in found.standing if one.law == "attention")
        asking = {(thing,): float(things[thing]) for thing in ("reservation", "disk")}
        yield gauge("gpudev_attention", "What asks for a person, by what it is.", asking, ["thing"])
        looked = {(): found.as_of.timestamp()}
        yield gauge("gpudev_invariants_checked_timestamp_seconds", "When the laws were last checked.", looked)


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
