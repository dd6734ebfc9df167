"""The files that should be in a box now: keys, host key, notices, and what it may know of itself."""

from __future__ import annotations

import datetime as dt
import json

from gpudev_sdk.domain.reservation import Reservation
from gpudev_sdk.domain.times import format_duration
from gpudev_sdk.engine.context import HostCa
from gpudev_sdk.store import people
from gpudev_sdk.store.reservations import Q, secrets_of
from gpudev_sdk.store.rows import Conn, Row

HOST_KEY, HOST_CERT, HOST_CERT_UNTIL, HOST_PUBLIC = "host_key", "host_cert", "host_cert_until", "host_public"
ENV = "env:"
#: Certificates last a day; they are renewed when half of it is over.
CERT_LASTS = dt.timedelta(hours=24)


def ensure_host_key(conn: Conn, row: Reservation, ca: HostCa, now: dt.datetime) -> dict[str, str]:
    """Return the box's secrets with a host key and a certificate that is good for hours yet."""
    secrets = secrets_of(conn, row.id)
    attempt = str(row.attempt)
    if secrets.get("host_attempt") != attempt:
        private, public = ca.new_host_key()
        fresh = {HOST_KEY: private, HOST_PUBLIC: public, "host_attempt": attempt}
        return secrets | _put(conn, row, fresh | _certificate(ca, public, row, now))
    ends_soon = dt.datetime.fromisoformat(secrets[HOST_CERT_UNTIL]) - now < CERT_LASTS / 2
    # People know only the present authority.
    if ends_soon or not ca.has_signed(secrets[HOST_CERT]):
        return secrets | _put(conn, row, _certificate(ca, secrets[HOST_PUBLIC], row, now))
    return secrets


def _certificate(ca: HostCa, public: str, row: Reservation, now: dt.datetime) -> dict[str, str]:
    certificate = ca.sign_host_key(public, row.seq)
    return {HOST_CERT: certificate, HOST_CERT_UNTIL: (now + CERT_LASTS).isoformat()}


def _put(conn: Conn, row: Reservation, values: dict[str, str]) -> dict[str, str]:
    for name, value in values.items():
        conn.execute(Q["put_secret"], {"id": row.id, "name": name, "value": value})
    return values


def wanted_files(conn: Conn, row: Reservation, secrets: dict[str, str], warned: list[Row]) -> dict[str, bytes]:
    """Return what `configure` should put into the box."""
    keys = people.keys_of(conn, row.owner_id)
    return {
        "authorized_keys": "".join(f"{key['public_key']}\n" for key in keys).encode(),
        "host_key": secrets[HOST_KEY].encode(),
        "host_key-cert.pub": secrets[HOST_CERT].encode(),
        "reservation.json": _about(row).encode(),
        "notice": _notice(row, warned).encode(),
    }


def env_of(secrets: dict[str, str]) -> dict[str, str]:
    """Return the person's own secret environment."""
    return {name.removeprefix(ENV): value for name, value in secrets.items() if name.startswith(ENV)}


def _about(row: Reservation) -> str:
    about = {
        "id": str(row.id),
        "name": row.name,
        "owner": row.owner,
        "gpu_type": row.request.gpu_type,
        "gpus": row.request.gpus,
        "agent_forwarding": row.request.agent_forwarding,
        "expires_at": None if row.expires_at is None else row.expires_at.isoformat(),
    }
    return json.dumps(about, sort_keys=True) + "\n"


def _notice(row: Reservation, warned: list[Row]) -> str:
    """Return the text for every terminal: that of the nearest warning shown for the present end."""
    if not warned or row.expires_at is None:
        return ""
    nearest = min(warned, key=lambda warning: (warning["threshold"], -warning["gaps"]))
    end = row.expires_at.astimezone(dt.UTC).strftime("%H:%M UTC")
    more_time = f"More time: gpudev extend {row.name} 2h"
    if nearest["threshold"] == 0:
        again = f" (said again after a pause, {nearest['gaps']})" if nearest["gaps"] else ""
        return f"gpudev: the time of {row.name} was up at {end}; this box ends in a moment{again}. {more_time}\n"
    left = format_duration(dt.timedelta(seconds=nearest["threshold"]))
    return f"gpudev: {row.name} ends at {end}, in {left}. {more_time}\n"
