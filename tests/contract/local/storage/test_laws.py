"""The public laws of storage and snapshots, over `local`."""

from __future__ import annotations

import contextlib
import os
import pathlib

import pytest

from gpudev_sdk.local import locks
from gpudev_sdk.local.settings import LocalSettings
from gpudev_sdk.local.storage import LocalStorage
from gpudev_sdk.testing import SnapshotContract, StorageContract

SETTINGS = LocalSettings(free_floor_bytes=0)


class Local:
    """How the suites reach this storage."""

    @pytest.fixture
    def storage(self, context):
        return LocalStorage(SETTINGS, context)

    @pytest.fixture
    def other_storage(self, other_context):
        return LocalStorage(SETTINGS, other_context)

    @contextlib.contextmanager
    def attached(self, mount):
        held = locks.take(pathlib.Path(mount.source))
        try:
            yield
        finally:
            os.close(held)

    def write(self, mount, content):
        home = pathlib.Path(mount.source, "home")
        (home / "work.txt").write_bytes(content)
        os.chown(home / "work.txt", home.stat().st_uid, home.stat().st_gid)

    def read(self, mount):
        path = pathlib.Path(mount.source, "home", "work.txt")
        return path.read_bytes() if path.exists() else b""


class TestVolumes(Local, StorageContract):
    pass


class TestSnapshots(Local, SnapshotContract):
    pass
