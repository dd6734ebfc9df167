"""Calls of the API server in the life of one reservation, with a disk and two warnings: counted where they are made."""

from __future__ import annotations

import collections
import datetime as dt
import time
from collections.abc import Callable

import attrs
from kube_ground import Ground, until
from measure import line

from gpudev_sdk import config
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.reservation import State
from gpudev_sdk.engine.submit import Submission, submit
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.kinds import Kind
from gpudev_services.up.folder import DataFolder
from gpudev_services.up.life import Back, open_back
from tests.cluster.installs import prepare_on

#: How long it is looked at what is called while nothing happens.
IDLE = 130.0


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
            suffix = (
                ""
                if name is None
                else "-" + name.rpartition("-")[2]
                if name.endswith(("-end", "-claim", "-files"))
                else ""
            )
            self.calls[f"{method if name or method == 'POST' else 'LIST'} {kind.plural}{suffix}"] += 1
            return ask(api, method, kind, name, *more)

        return counted


def measure(ground: Ground) -> None:
    """Print the figures: the control plane runs in this process, as `gpudev up` has it, without its doors."""
    install, count = prepare_on(ground.place), Count()
    text = (install.data / "config.toml").read_text()
    (install.data / "config.toml").write_text(text.replace("[limits]", "[limits]\nwarning_minutes = [0.1, 0.05]"))
    original = Api._ask
    Api._ask = count.wrap(original)  # type: ignore[assignment,method-assign]
    folder = DataFolder(install.data)
    folder.prepare()
    try:
        with open_back(folder, config.read(folder.config)) as back:
            time.sleep(3)
            count.take()
            lives = [_life(back, count, number) for number in range(3)]
            time.sleep(2)
            count.take()
            time.sleep(IDLE)
            idle = count.take()
    finally:
        Api._ask = original  # type: ignore[method-assign]
        install.close()
    for number, life in enumerate(lives):
        line(f"calls in life {number + 1} of a box with a disk", f"{sum(life.values())}", "bar 15 beside watches")
    for what, times in sorted(lives[-1].items()):
        line(f"  {what}", f"{times}")
    line("calls in a minute of idleness, all loops", f"{sum(idle.values()) * 60 / IDLE:.1f}", str(dict(idle)))


def _life(back: Back, count: Count, number: int) -> collections.Counter[str]:
    """Reserve for so short that two warnings and the notice come soon, and let the time run out."""
    request = Request(gpu_type="cpu", gpus=0, duration=dt.timedelta(hours=1), disk="home", name=f"life-{number}")
    made = submit(back.api_engine, back.operator, Submission(request=request, idempotency_key=f"life-{number}"))

    def state() -> str:
        with back.engine.store.transaction() as conn:
            return conn.execute("SELECT state FROM reservation WHERE id = %s", (made,)).fetchone()["state"]

    until(lambda: state() == State.ACTIVE, within=60)
    time.sleep(2)
    with back.engine.store.transaction() as conn:
        conn.execute(
            "UPDATE reservation SET started_at = started_at - interval '3591 seconds', wake_at = gpudev_now(),"
            " expires_at = expires_at - interval '3591 seconds' WHERE id = %s", (made,))  # fmt: skip
    back.workers.wake()
    until(lambda: state() == State.ENDED, within=90)
    return count.take()
