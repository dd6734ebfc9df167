"""What `helm test` runs: the API is ready, and the gateway speaks SSH."""

from __future__ import annotations

import socket
import ssl
import sys
import urllib.request

#: The certificate is for the name that people dial, which is not how a pod reaches the Service.
_ANY = ssl.create_default_context()
_ANY.check_hostname, _ANY.verify_mode = False, ssl.CERT_NONE


def ready(url: str) -> None:
    """Ask the API whether its database answers; an answer other than 2xx raises."""
    with urllib.request.urlopen(url, timeout=20, context=_ANY if url.startswith("https:") else None) as answer:
        print(f"{url}: {answer.status}")


def greets(address: str) -> None:
    """Read the gateway's greeting, and end without one of SSH's."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as dialled:
        greeting = dialled.recv(8)
    if not greeting.startswith(b"SSH-2.0-"):
        raise SystemExit(f"{address} does not speak SSH: {greeting!r}\n  See the gateway's log.")
    print(f"{address}: {greeting.decode()}")


if __name__ == "__main__":
    ready(sys.argv[1])
    greets(sys.argv[2])
