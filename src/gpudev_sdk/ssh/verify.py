"""Verifies SSH signatures in this process; for servers only, since it needs a cryptographic library."""

from __future__ import annotations

import asyncssh

from gpudev_sdk.ssh.signature import Signature


def is_valid(signature: Signature, message: bytes) -> bool:
    """Say whether the key of `signature` signed `message`; the caller has compared key and namespace."""
    try:
        key = asyncssh.import_public_key(signature.key.line)
        # Of a hardware key: that somebody was there and touched it.
        key.set_touch_required(True)
        return bool(key.verify(signature.signed(message), signature.raw))
    except (asyncssh.KeyImportError, ValueError):
        return False
