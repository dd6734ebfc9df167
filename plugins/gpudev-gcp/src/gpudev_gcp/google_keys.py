"""Google's public keys for ID tokens, fetched as a JSON Web Key Set and kept for as long as Google says.

https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken ,
https://www.rfc-editor.org/rfc/rfc7517 . What comes is not believed to be small, fast, or keys.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import TYPE_CHECKING

import attrs

from gpudev_gcp.claims import ALGORITHM, Json, decode
from gpudev_sdk import clock
from gpudev_sdk.errors import TryLater

if TYPE_CHECKING:
    import httpx2
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

CERTS = "https://www.googleapis.com/oauth2/v3/certs"
#: The set has two or three keys of 2048 bits; a mistake or an attack has more.
_LARGEST = 64 * 1024
_READ_SECONDS, _ALL_SECONDS = 3.0, 6.0
#: Between fetches because a token names a key that we do not have: anybody may send such tokens.
ASKED_AGAIN = 60.0
#: After a fetch that failed, so that logins do not queue up for one that hangs.
FAILED_AGAIN = 5.0
#: How long keys are kept at least and at most, whatever Google says; and where it says nothing.
_SHORTEST_LIFE, _LONGEST_LIFE, _LIFE = 300.0, 24 * 3600.0, 3600.0
_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})")
_WEAKEST_BITS = 2048


@attrs.frozen
class _Held:
    """Keys as they were fetched, and until when they hold."""

    keys: dict[str, RSAPublicKey]
    fetched_at: float
    until: float


class GoogleKeys:
    """The keys by their ids. Threads may share it: one of them fetches, and who needs no new key does not wait for it."""

    def __init__(self, address: str = CERTS) -> None:
        self._address = address
        self._fetching = threading.Lock()
        self._held = _Held({}, -ASKED_AGAIN, 0.0)
        self._failed_at = -FAILED_AGAIN

    def find(self, kid: str) -> RSAPublicKey | None:
        """Return a key, or None if Google has none of that id; raise TryLater if that cannot be told."""
        held = self._held
        if kid in held.keys and clock.monotonic() < held.until:
            return held.keys[kid]
        with self._fetching:
            now, held = clock.monotonic(), self._held
            # Those whose life is over were fetched before that; those that are younger came while this one waited.
            if now - held.fetched_at >= ASKED_AGAIN:
                self._fetch(now)
            return self._held.keys.get(kid)

    def _fetch(self, now: float) -> None:
        if now - self._failed_at < FAILED_AGAIN:
            raise _cannot("the last try failed just now")
        try:
            plain, life = self._download()
            self._held = _Held(read_keys(plain), now, now + life)
        except TryLater:
            self._failed_at = clock.monotonic()
            raise

    def _download(self) -> tuple[bytes, float]:
        """Return what is at the address and how long it holds.

        Has an event loop of its own, as only that can end a call whatever it is waiting for.
        """
        import httpx2

        try:
            return asyncio.run(self._get())
        except TimeoutError as error:
            raise _cannot("they answer too slowly") from error
        except httpx2.HTTPError as error:
            raise _cannot(type(error).__name__) from error

    async def _get(self) -> tuple[bytes, float]:
        """Ask the address itself: it is the proof, so no redirect is followed, and nothing of the environment stands between."""
        import httpx2

        # Plain: what is packed small could be large.
        headers = {"accept-encoding": "identity"}
        async with (
            asyncio.timeout(_ALL_SECONDS),
            httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=_READ_SECONDS) as client,
            client.stream("GET", self._address, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise _cannot(f"they answer {response.status_code}")
            return await _body(response), _life(response.headers.get("cache-control", ""))


async def _body(response: httpx2.Response) -> bytes:
    """Read an answer as it comes; one that is too long is given up."""
    plain = bytearray()
    async for piece in response.aiter_raw():
        plain += piece
        if len(plain) > _LARGEST:
            raise _cannot("they answer with too much")
    return bytes(plain)


def _life(cache_control: str) -> float:
    said = _MAX_AGE.search(cache_control.lower())
    return min(_LONGEST_LIFE, max(_SHORTEST_LIFE, float(said[1]) if said else _LIFE))


def read_keys(plain: bytes) -> dict[str, RSAPublicKey]:
    """Read a key set; raise TryLater if it is none, or has no key that we take."""
    try:
        listed = [
            each for each in json.loads(plain)["keys"] if isinstance(each, dict) and isinstance(each.get("kid"), str)
        ]
        keys = {each["kid"]: key for each in listed if (key := _key(each)) is not None}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _cannot("they answer with something else") from error
    if not keys:
        raise _cannot("they answer with no key")
    return keys


def _key(each: Json) -> RSAPublicKey | None:
    """Return a key for signatures of the one kind we take, or None."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    if each.get("kty") != "RSA" or each.get("alg", ALGORITHM) != ALGORITHM or each.get("use", "sig") != "sig":
        return None
    key = RSAPublicNumbers(
        e=int.from_bytes(decode(each["e"]), "big"), n=int.from_bytes(decode(each["n"]), "big")
    ).public_key()
    return key if key.key_size >= _WEAKEST_BITS else None


def _cannot(why: str) -> TryLater:
    hint = "See that the server reaches www.googleapis.com."
    return TryLater(f"Google's keys cannot be had now, so nobody can be told from anybody: {why}", hint=hint)
