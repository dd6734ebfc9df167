"""The life of `gpudev up`: start everything in order, serve until told to end, end everything in the other order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal
from collections.abc import Callable, Iterator

import attrs
import structlog

from gpudev_sdk import config
from gpudev_sdk.domain.user import User
from gpudev_sdk.engine.accounts import ensure_operator
from gpudev_sdk.engine.claim import Claims
from gpudev_sdk.engine.context import Engine
from gpudev_sdk.engine.listeners import Telling
from gpudev_sdk.store.pool import Store
from gpudev_services.api.fleet import VERSION
from gpudev_services.api.hub import Hub
from gpudev_services.up import build
from gpudev_services.up.database import Database, open_database
from gpudev_services.up.folder import DataFolder, write_private
from gpudev_services.up.front import Front, open_front
from gpudev_services.up.place import refuse_copied, refuse_emptied
from gpudev_services.up.powers import Powers
from gpudev_services.up.processes import start_time
from gpudev_services.up.workers import Workers

log = structlog.get_logger()


@attrs.frozen(kw_only=True)
class Back:
    """What stands behind the doors."""

    folder: DataFolder
    configuration: config.Configuration
    database: Database
    #: With the engine's rights, and with those of the API.
    engine: Engine
    api_engine: Engine
    workers: Workers
    paused: dict[str, str]
    operator: User
    parts: build.Parts


@contextlib.contextmanager
def _stores(database: Database, processors: int) -> Iterator[tuple[Store, Store]]:
    engine, api_store = Store(database.engine_dsn, max_size=processors + 8), Store(database.api_dsn, max_size=12)
    engine.open()
    api_store.open()
    try:
        yield engine, api_store
    finally:
        api_store.close()
        engine.close()


@contextlib.contextmanager
def open_back(folder: DataFolder, configuration: config.Configuration) -> Iterator[Back]:
    """Start the database and the engine; end them in the other order."""
    settings = configuration.settings
    with open_database(folder, settings.dsn) as database, _stores(database, settings.processors) as (store, api_store):
        parts = build.parts(store, configuration, folder)
        engine = build.engine(store, configuration, parts)
        claims = Claims(engine)
        paused = claims.start()
        workers = Workers(engine, claims, database.engine_dsn, settings.processors)
        telling = Telling(engine, parts.plugins)
        workers.watch(telling.rung)
        back = Back(
            folder=folder,
            configuration=configuration,
            database=database,
            engine=engine,
            api_engine=build.engine(api_store, configuration, parts),
            workers=workers,
            paused=paused,
            operator=ensure_operator(engine, build.operator_name()),
            parts=parts,
        )
        workers.start()
        telling.start()
        try:
            yield back
        finally:
            workers.stop()
            telling.stop()


async def serve(back: Back, ready: Callable[[Front], None]) -> None:
    """Open the doors, say so, and serve until SIGTERM or SIGINT."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    hub = Hub()
    hub.bind()
    powers = Powers(back.engine, back.database.dump, back.workers.wake)
    front = await open_front(back, hub, powers)
    back.workers.watch(hub.ring)
    back.workers.watch(front.rung)
    try:
        ready(front)
        await over.wait()
    finally:
        hub.close()
        await front.close()


def run(folder: DataFolder, configuration: config.Configuration, ready: Callable[[Back, Front], None]) -> None:
    """Be up until told to end. Raises what keeps it from starting; `ready` is called once everything answers."""
    build.check(configuration)
    refuse_emptied(folder)
    folder.prepare()
    lock = folder.lock()
    os.umask(0o077)
    try:
        refuse_copied(folder)
        with open_back(folder, configuration) as back:
            _note_process(folder)
            asyncio.run(serve(back, lambda front: ready(back, front)))
            folder.process_file.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _note_process(folder: DataFolder) -> None:
    about = {"pid": os.getpid(), "started": start_time(os.getpid()), "version": VERSION}
    write_private(folder.process_file, json.dumps(about).encode())


def read_configuration(folder: DataFolder, path: pathlib.Path | None, listen: str | None) -> config.Configuration:
    """Read the named file, or the folder's own."""
    overrides = {} if listen is None else {"listen": listen}
    return config.read(path or folder.config, overrides)
