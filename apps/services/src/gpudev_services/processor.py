"""More workers for an install that is up, in a process of their own: rows and leases keep them apart."""

from __future__ import annotations

import pathlib
import signal
import threading

from gpudev_sdk import config
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.errors import NotFound
from gpudev_sdk.store.embedded import Embedded
from gpudev_sdk.store.pool import Store
from gpudev_services.up import build
from gpudev_services.up.down import running
from gpudev_services.up.folder import DataFolder
from gpudev_services.up.workers import Workers


def _dsn(folder: DataFolder, settings: config.ServerSettings) -> str:
    if settings.dsn:
        return settings.dsn
    if running(folder) is None:
        raise NotFound(f"gpudev is not up in {folder.root}", hint="Start it: gpudev up.")
    return Embedded(folder.database).dsn("gpudev_engine")


def run(folder: DataFolder, path: pathlib.Path | None) -> None:
    """Work until SIGTERM or SIGINT."""
    configuration = config.read(path or folder.config)
    dsn = _dsn(folder, configuration.settings)
    store = Store(dsn, max_size=configuration.settings.processors + 8)
    store.open()
    try:
        parts = build.parts(store, configuration, folder)
        engine = build.engine(store, configuration, parts)
        workers = Workers(engine, Claims(engine), dsn, configuration.settings.processors)
        workers.start()
        _until_told()
        workers.stop()
    finally:
        store.close()


def _until_told() -> None:
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    print("gpudev: more workers are up", flush=True)
    over.wait()
