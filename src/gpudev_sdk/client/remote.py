"""The way to a server on another machine: HTTPS, with the pinned certificate authority as the only one where there is a pin."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import ssl
import time
from collections.abc import Iterator

import httpx2

from gpudev_sdk.client.files import saying, write_private
from gpudev_sdk.client.origins import Origin
from gpudev_sdk.client.places import Places
from gpudev_sdk.client.transport import MAX_REPLY, MAX_SECONDS, Call, Reply, Transport, broken, slow
from gpudev_sdk.errors import NotAllowed, ServerUnreachable

_CA_PATH = "/v1/ca.pem"


def fetch_ca(origin: Origin, timeout: float = 20.0) -> bytes:
    """Return the DER of the certificate authority that `origin` shows, seen to be the pinned one.

    The connection itself proves nothing; only the pin does. No token is ever sent by it.
    """
    unproved = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unproved.check_hostname = False
    unproved.verify_mode = ssl.CERT_NONE
    with contextlib.closing(HttpsTransport(origin, unproved)) as transport:
        reply = transport.send(Call("GET", _CA_PATH), timeout)
    try:
        der = ssl.PEM_cert_to_DER_cert(reply.body.decode("ascii").strip()) if reply.status == 200 else b""
    except ValueError:
        der = b""
    if not der:
        raise NotAllowed(
            f"{origin.url} shows no authority of its own, which the address promises",
            hint="Ask its operator. Where something in front of it ends TLS there is none, and one signs in without #sha256=…",
        )
    return check_ca(der, origin)


def check_ca(der: bytes, origin: Origin) -> bytes:
    """Return `der` if it is what the pin says; raise NotAllowed otherwise."""
    if hashlib.sha256(der).hexdigest() != origin.pin:
        raise NotAllowed(
            f"{origin.url} does not show the certificate that the address promises",
            hint="Do not go on; ask the operator for the address that `gpudev up` prints now.",
        )
    return der


def _ca_path(places: Places, origin: Origin) -> pathlib.Path:
    return places.config / "ca" / f"{origin.pin}.der"


def find_kept_ca(places: Places, origin: Origin) -> bytes | None:
    """Return the authority of an origin as it was kept, if it still is what the pin says."""
    with saying(places.config), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        der = _ca_path(places, origin).read_bytes()
        return der if hashlib.sha256(der).hexdigest() == origin.pin else None
    return None


def keep_ca(places: Places, origin: Origin, der: bytes) -> None:
    """Keep an authority that was seen to be the pinned one."""
    write_private(_ca_path(places, origin), der)


def context_for(ca: bytes | None) -> ssl.SSLContext:
    """Return what proves a server: the pinned authority alone, or the system's."""
    return ssl.create_default_context(cadata=ca)


class HttpsTransport(Transport):
    """HTTPS by httpx2. Follows no redirect, so a token goes nowhere else."""

    def __init__(self, origin: Origin, context: ssl.SSLContext) -> None:
        self.where = origin.url
        self._client = httpx2.Client(base_url=origin.url, verify=context, follow_redirects=False)

    @contextlib.contextmanager
    def _ask(self, call: Call, timeout: float) -> Iterator[httpx2.Response]:
        try:
            request = self._client.build_request(
                call.method, call.target, headers=dict(call.headers), content=call.body, timeout=timeout
            )
            response = self._client.send(request, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise self._unreached(error) from error
        except httpx2.TimeoutException as error:
            raise slow(self.where) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise broken(self.where, type(error).__name__) from error
        try:
            yield response
        except httpx2.TimeoutException as error:
            raise slow(self.where) from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise broken(self.where, type(error).__name__) from error
        finally:
            response.close()

    def _unreached(self, error: httpx2.HTTPError) -> ServerUnreachable:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return ServerUnreachable(
                f"{self.where} cannot prove that it is the server you signed in to",
                hint="Sign in again with the address that its operator gives you: gpudev login https://…#sha256=…",
            )
        return ServerUnreachable(
            f"no gpudev server answers at {self.where}", hint="See that it is up and that the address is right."
        )

    def send(self, call: Call, timeout: float) -> Reply:
        """Send a call and return the answer."""
        with self._ask(call, timeout) as response:
            return Reply(response.status_code, _headers(response), self._read(response))

    def _read(self, response: httpx2.Response) -> bytes:
        end, parts, size = time.monotonic() + MAX_SECONDS, [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > MAX_REPLY:
                raise broken(self.where, "the answer has no end")
            if time.monotonic() > end:
                raise slow(self.where)
        return b"".join(parts)

    @contextlib.contextmanager
    def stream(self, call: Call, timeout: float) -> Iterator[Reply | Iterator[bytes]]:
        """Open a stream of lines; what is not a 200 comes back as a Reply."""
        with self._ask(call, timeout) as response:
            if response.status_code != 200:
                yield Reply(response.status_code, _headers(response), self._read(response))
            else:
                yield (line.encode() for line in response.iter_lines())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _headers(response: httpx2.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
