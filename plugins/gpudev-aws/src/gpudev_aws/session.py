"""Clients of AWS's APIs: one a service, with limits on how long and how often, and credentials as boto3 finds them.

Credentials come by boto3's own chain, so the role of a service account (IRSA) or of an instance works with no setting of ours:
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
boto3 is imported when the first client is made.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any

from gpudev_aws.codes import THROTTLED
from gpudev_aws.pace import Pace
from gpudev_sdk import clock
from gpudev_sdk.errors import TryLater

_CONNECT, _READ = 5.0, 15.0
#: The first try and one more. Longer repeating is not ours: a call returns at once, and the engine makes it again.
TRIES = 2
#: How long a call waits for its turn before it is put off.
_PATIENCE = 2.0
_CONNECTIONS = 32
_USER_AGENT = "gpudev-aws"

#: The buckets of this process, which backends in one region of one account have in common.
_paces: dict[tuple[str, str, str, float], Pace] = {}
_pacing = threading.Lock()


class Session:
    """How one backend or login calls AWS. Threads may share it."""

    def __init__(
        self, region: str, endpoint: str, calls_per_second: float, *, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self.region = region
        self._endpoint, self._per_second, self._wait = endpoint, calls_per_second, wait
        self._making = threading.Lock()
        self._boto: Any = None
        self._clients: dict[tuple[str, int], Any] = {}

    def client(self, service: str, *, tries: int = TRIES) -> Any:
        """Return the client of a service, made once; nothing is dialled yet. One try is for what must not be done twice.

        Making one may raise botocore's errors (a profile that is not there), so it is done where they are translated.
        """
        with self._making:
            if (service, tries) not in self._clients:
                self._clients[service, tries] = self._make(service, tries)
            return self._clients[service, tries]

    def close(self) -> None:
        """Close what is open; a client asked for later is made anew."""
        with self._making:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def credentials(self) -> Any:
        """Return botocore's credentials, or None where its chain finds none. May raise its errors, and ask STS."""
        with self._making:
            return self._opened().get_credentials()

    def presign(self, service: str, query: str, headers: dict[str, str], seconds: int) -> str:
        """Return the address of a GET, signed with headers that whoever uses it has to send. May raise botocore's errors."""
        from botocore.exceptions import NoCredentialsError
        from botocore.signers import RequestSigner

        client, credentials = self.client(service), self.credentials()
        if credentials is None:
            raise NoCredentialsError
        meta = client.meta
        signer = RequestSigner(
            meta.service_model.service_id, self.region, meta.service_model.signing_name, "v4", credentials, meta.events
        )
        address = f"{meta.endpoint_url.rstrip('/')}/?{query}"
        asked = {"method": "GET", "url": address, "body": {}, "headers": headers, "context": {}}
        return str(signer.generate_presigned_url(asked, operation_name="", region_name=self.region, expires_in=seconds))

    def _opened(self) -> Any:
        import boto3
        import botocore.session

        if self._boto is None:
            core = botocore.session.get_session()
            core.register_component("data_loader", _descriptions())
            self._boto = boto3.Session(botocore_session=core, region_name=self.region)
        return self._boto

    def _make(self, service: str, tries: int) -> Any:
        from botocore.config import Config

        # Not botocore's "adaptive": it sleeps for as long as it likes. `Pace` slows down as that does, and never waits long.
        retries = {"mode": "standard", "total_max_attempts": tries}
        config = Config(
            connect_timeout=_CONNECT,
            read_timeout=_READ,
            retries=retries,
            max_pool_connections=_CONNECTIONS,
            user_agent_extra=_USER_AGENT,
        )
        made = self._opened().client(service, endpoint_url=self._endpoint or None, config=config)
        self._watch(made, service)
        return made

    def _watch(self, client: Any, service: str) -> None:
        """Have every try wait for its turn, and every refusal for being too many slow the next ones down."""
        pace = self._pace(service)

        def before(**_: Any) -> None:
            wait = pace.take(clock.monotonic(), _PATIENCE)
            if wait is None:
                raise TryLater(f"too many calls to AWS ({service}) wait already", delay=_PATIENCE)
            if wait > 0:
                self._wait(wait)

        def after(parsed_response: Any = None, **_: Any) -> None:
            if ((parsed_response or {}).get("Error") or {}).get("Code") in THROTTLED:
                pace.slow_down(clock.monotonic())

        client.meta.events.register("before-send", before)
        client.meta.events.register("response-received", after)

    def _pace(self, service: str) -> Pace:
        key = (service, self.region, self._endpoint, self._per_second)
        with _pacing:
            return _paces.setdefault(key, Pace(self._per_second))


@functools.cache
def _descriptions() -> Any:
    """Return what reads the descriptions of the APIs, so that they are in memory once: EC2's alone is tens of megabytes."""
    from botocore.loaders import create_loader

    return create_loader()
