"""Where the APIs are that have no client here."""

from __future__ import annotations

from gpudev_gcp.settings import GcpSettings, is_this_machine


def address(settings: GcpSettings, host: str) -> str:
    """Return an API's address. `endpoint` is that of Compute; only a test has all APIs at one."""
    return settings.endpoint.rstrip("/") if is_this_machine(settings.endpoint) else f"https://{host}"
