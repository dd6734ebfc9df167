"""Who the tests of logins are about, and where they think they dial."""

from __future__ import annotations

import datetime as dt
import pathlib
import uuid

from gpudev_sdk.client.origins import Origin
from gpudev_sdk.domain.user import Challenge
from gpudev_sdk.providers import Context
from gpudev_sdk.ssh.audience import audience
from tests.corp_login import CorpIdentity, CorpSettings

ORIGIN = Origin("https://lab:7070", "ab" * 32)
AUDIENCE = audience(ORIGIN.url, ORIGIN.pin)
CONTEXT = Context(install_id=uuid.UUID(int=1), name="corp", data_folder=pathlib.Path("/nowhere"))


def corp(**settings):
    """Return the login of the tests, on either side."""
    return CorpIdentity(CorpSettings(**settings), CONTEXT)


def challenge(nonce, dialled=AUDIENCE):
    """Return what a client makes of a nonce."""
    return Challenge(nonce=nonce, expires_at=dt.datetime.now(dt.UTC), audience=dialled)


def users(bench):
    """Return the names of everybody."""
    return sorted(row["name"] for row in bench.sql("SELECT name FROM app_user"))


def audit(bench):
    """Return who did what, oldest first."""
    rows = bench.sql("SELECT actor, via, action, object FROM audit_event ORDER BY number")
    return [tuple(row.values()) for row in rows]
