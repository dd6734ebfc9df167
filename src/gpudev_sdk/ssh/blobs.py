"""SSH's binary encoding (RFC 4251): just enough to read keys and signatures without a cryptographic library."""

from __future__ import annotations

import struct


class Blob:
    """Reads fields off the front of bytes; raises ValueError for whatever is not as the format says."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise ValueError("the data ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def uint32(self) -> int:
        """Return the next number of 32 bits."""
        number: int = struct.unpack(">I", self.take(4))[0]
        return number

    def string(self) -> bytes:
        """Return the next counted string."""
        return self.take(self.uint32())

    def text(self) -> str:
        """Return the next counted string, which has to be ASCII."""
        return self.string().decode("ascii")

    def mpint(self) -> int:
        """Return the next positive number; it must be written in the one shortest way."""
        data = self.string()
        number = int.from_bytes(data, "big")
        if not data or data[0] & 0x80 or mpint(number) != data:
            raise ValueError("a number is not written as it should be")
        return number

    def end(self) -> None:
        """Raise if anything is left."""
        if self._at != len(self._data):
            raise ValueError("there is more data than there should be")


def string(data: bytes | str) -> bytes:
    """Return a counted string."""
    raw = data.encode() if isinstance(data, str) else data
    return struct.pack(">I", len(raw)) + raw


def mpint(number: int) -> bytes:
    """Return the bytes of a positive number, without their count."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
