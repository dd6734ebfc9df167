"""Calls of the API server in the life of one reservation, with a disk and two warnings: counted where they are made."""

from __future__ import annotations

import collections
import datetime as dt
import time
import uuid
from collections.abc import Callable

import attrs
from kube_ground import Ground, until
from measure import line

from gpudev_sdk import config
from gpudev_sdk.domain.request import Request
from gpudev_sdk.engine import edits
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.kube import names
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import Kind
from gpudev_services.up.folder import DataFolder
from gpudev_services.up.life import Back, open_back
from tests.cluster.installs import prepare_on

#: How long it is looked at what is called while nothing happens.
IDLE = 130.0
#: Of a box of an hour: two warnings, three and six seconds after its begin.
WARNINGS = "[limits]\nwarning_minutes = [59.95, 59.9]"
#: Whose calls they are, by the kind of object; what is not named here is the box's own.
DISK, CLAIM, SWEEP = "its disk", "our claim on the backend", "sweeps"


@attrs.define
class Count:
    """What was called, by method and kind. Watches are no calls."""

    calls: collections.Counter[str] = attrs.field(factory=collections.Counter)

    def take(self) -> collections.Counter[str]:
        """Return what was called since the last time."""
        taken, self.calls = self.calls, collections.Counter()
        return taken

    def wrap(self, ask: Callable[..., object]) -> Callable[..., object]:
        """Return `Api._ask` that counts."""

        def counted(api: Api, method: str, kind: Kind, name: str | None, *more: object) -> object:
            listed = method == "GET" and name is None
            selector = more[0].get("labelSelector", "") if listed and more else ""
            which = _whose_list(selector) if listed else _suffix(name)
            self.calls[f"{'LIST' if listed else method} {kind.plural}{which}"] += 1
            return ask(api, method, kind, name, *more)

        return counted


def _whose_list(selector: str) -> str:
    return " of one" if names.RESERVATION in selector else "" if selector else " of all"


def _suffix(name: str | None) -> str:
    last = (name or "").rpartition("-")[2]
    return f" …-{last}" if last in ("claim", "files") else ""


def _whose(call: str) -> str:
    if "…-claim" in call:
        return CLAIM
    if any(what in call for what in ("persistentvolume", "snapshot", "storageclass", "pods of all")):
        return DISK
    return SWEEP if call.startswith("LIST") and not call.endswith("of one") else "the box"


def measure(ground: Ground) -> None:
    """Print the figures: the control plane runs in this process, as `gpudev up` has it, without its doors."""
    install, count = prepare_on(ground.place), Count()
    file = install.data / "config.toml"
    file.write_text(file.read_text().replace("[limits]", WARNINGS))
    original = Api._ask
    Api._ask = count.wrap(original)  # type: ignore[assignment,method-assign]
    folder = DataFolder(install.data)
    folder.prepare()
    try:
        with open_back(folder, config.read(folder.config)) as back:
            time.sleep(3)
            # The first life makes policies and looks up the storage class.
            for disk in (None, None, "home", "home"):
                _print(_life(back, count, disk), disk)
            time.sleep(2)
            count.take()
            time.sleep(IDLE)
            idle = count.take()
    finally:
        Api._ask = original  # type: ignore[method-assign]
        install.close()
    line("calls in a minute of idleness, all loops", f"{sum(idle.values()) * 60 / IDLE:.1f}", _told(idle))


def _life(back: Back, count: Count, disk: str | None) -> collections.Counter[str]:
    """Reserve, be warned twice, cancel."""
    name = f"life-{uuid.uuid4().hex[:6]}"
    request = Request(gpu_type="cpu", gpus=0, duration=dt.timedelta(hours=1), disk=disk, name=name)
    count.take()
    made = submit(back.api_engine, back.operator, Submission(request=request, idempotency_key=name))

    def found(statement: str) -> object:
        with back.engine.store.transaction() as conn:
            return conn.execute(statement, (made,)).fetchone()["found"]

    warned = "SELECT count(*) = 2 AS found FROM reservation_event WHERE reservation_id = %s AND what = 'warning'"
    until(lambda: found(warned), within=60, every=0.05)
    time.sleep(2)
    edits.cancel(back.api_engine, back.operator, str(made))
    until(lambda: found("SELECT state = 'ended' AS found FROM reservation WHERE id = %s"), within=90, every=0.05)
    return count.take()


def _print(life: collections.Counter[str], disk: str | None) -> None:
    shares: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for call, times in life.items():
        shares[_whose(call)][call] += times
    what = "with a disk and its snapshot" if disk else "without a disk"
    line(f"calls in a life {what}, two warnings", f"{sum(life.values())}", "bar 15 beside watches")
    for whose, calls in sorted(shares.items()):
        line(f"  {whose}", f"{sum(calls.values())}", _told(calls))


def _told(calls: collections.Counter[str]) -> str:
    return ", ".join(f"{times} {call}" for call, times in sorted(calls.items()))
