"""What the tables say of an install, as gauges: what is live, what waits and for how long, what the tables weigh."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import GaugeMetricFamily, Metric

from gpudev_sdk.domain.reservation import LIVE
from gpudev_sdk.store.figures import Q
from gpudev_sdk.store.pool import Store
from gpudev_sdk.store.rows import Row
from gpudev_services.api.fleet import VERSION

#: Columns of `ages` that are of rows whose time has come.
DUE = ("reservation", "disk")
#: The values of a family's labels.
K = TypeVar("K", bound=tuple[str, ...])


def gauge(name: str, about: str, values: Mapping[K, float], labels: Iterable[str] = ()) -> Metric:
    """Return one family with its values by labels."""
    made = GaugeMetricFamily(name, about, labels=list(labels))
    for key, value in values.items():
        made.add_metric(list(key), value)
    return made


def about_service(service: str, *, database_up: bool) -> Iterator[Metric]:
    """Yield what a service says of itself whether or not its database answers."""
    who = {(service, VERSION): 1.0}
    yield gauge("gpudev_build_info", "Which service and version this is.", who, ["service", "version"])
    up = {(service,): float(database_up)}
    yield gauge("gpudev_database_up", "Whether the service's database answered now.", up, ["service"])


def counts(store: Store, backends: Collection[str] | None) -> list[Metric]:
    """Return what the tables say; of backends only those that are named, if any are."""
    with store.transaction() as conn:
        states = {row["state"]: row["reservations"] for row in conn.execute(Q["live_states"])}
        slots = conn.execute(Q["slot_counts"]).fetchall()
        ages = conn.execute(Q["ages"]).fetchone() or {}
        places = [row for row in conn.execute(Q["backend_ages"]) if backends is None or row["backend"] in backends]
        tables = conn.execute(Q["table_sizes"]).fetchall()
    return [*_live(states, slots), *_ages(ages), *_backends(places), *_tables(tables)]


def _live(states: Mapping[str, int], slots: list[Row]) -> Iterator[Metric]:
    live = {(str(state),): float(states.get(state, 0)) for state in LIVE}
    yield gauge("gpudev_reservations", "Reservations that did not end, by state.", live, ["state"])
    used = {
        (row["backend"], row["gpu_type"], use): float(row[use]) for row in slots for use in ("total", "held", "free")
    }
    yield gauge("gpudev_slots", "Slots by type and use.", used, ["backend", "gpu_type", "use"])


def _ages(ages: Row) -> Iterator[Metric]:
    due = {(kind,): float(ages[kind]) for kind in DUE}
    about = "For how long the oldest row whose time has come waits for a processor."
    yield gauge("gpudev_oldest_due_seconds", about, due, ["kind"])
    about = "Since when the oldest snapshot is not completed."
    yield gauge("gpudev_oldest_open_snapshot_seconds", about, {(): ages["snapshot"]})
    about = "How old the plan is while another one is wanted; 0 while none is."
    yield gauge("gpudev_plan_overdue_seconds", about, {(): ages["plan"]})
    about = "How long ago a processor last counted what was served."
    yield gauge("gpudev_served_age_seconds", about, {(): ages["served"]})


def _backends(rows: list[Row]) -> Iterator[Metric]:
    seen = {(row["backend"],): row["unseen"] for row in rows if row["unseen"] is not None}
    yield gauge("gpudev_backend_seen_age_seconds", "How long ago a backend was last seen whole.", seen, ["backend"])
    trouble = {(row["backend"],): float(row["trouble"]) for row in rows}
    about = "Whether the last look at a backend found something in the way."
    yield gauge("gpudev_backend_trouble", about, trouble, ["backend"])
    paused = {(row["backend"],): float(row["paused"]) for row in rows}
    yield gauge("gpudev_backend_paused", "Whether a backend waits for an adoption.", paused, ["backend"])


def _tables(rows: list[Row]) -> Iterator[Metric]:
    weights = {(row["name"],): float(row["bytes"]) for row in rows}
    yield gauge("gpudev_table_bytes", "Bytes of a table with its indexes.", weights, ["table"])
    kept = {(row["name"], kind): float(row[kind]) for row in rows for kind in ("live", "dead")}
    yield gauge("gpudev_table_rows", "Rows of a table as the server estimates them.", kept, ["table", "kind"])
