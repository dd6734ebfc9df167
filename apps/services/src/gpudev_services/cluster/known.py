"""A backend as a service knows it that never calls one: by its name, and by what the tables say of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from gpudev_sdk import config
from gpudev_sdk.engine.context import Backend
from gpudev_sdk.errors import NotAllowed
from gpudev_sdk.providers import Compute, Storage
from gpudev_sdk.store.pool import Store

DOCTOR = "Ask beside a processor: kubectl exec deploy/RELEASE-processor -- gpudev-services doctor."


class Elsewhere:
    """Stands where a provider would, and refuses whatever it is asked: only a look at all laws asks."""

    def __getattr__(self, name: str) -> Any:
        """Refuse."""
        raise NotAllowed(f"this service calls no provider, and was asked for {name}", hint=DOCTOR)


@attrs.frozen(kw_only=True)
class KnownBackend(Backend):
    """One configured place of which only the rows are looked at."""

    provider: str
    store: Store

    def notes(self) -> dict[str, str]:
        """Return whose it is, and what was in the way when it was last looked at."""
        with self.store.transaction() as conn:
            row = conn.execute("SELECT trouble FROM inventory WHERE backend = %s", (self.name,)).fetchone()
        trouble = None if row is None else row["trouble"]
        return {"compute": self.provider} | ({} if trouble is None else {"trouble": trouble})


def backends(configuration: config.Configuration, store: Store) -> Mapping[str, Backend]:
    """Return every configured backend without loading its plugin."""
    nobody = Elsewhere()
    return {
        name: KnownBackend(
            name=name,
            compute=cast("Compute", nobody),
            storage=cast("Storage", nobody),
            provider=str(table.get("compute", "")),
            store=store,
        )
        for name, table in configuration.backends.items()
    }
