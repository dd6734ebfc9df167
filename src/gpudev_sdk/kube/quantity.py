"""Quantities as Kubernetes writes them: `500m`, `2`, `64Gi`, `128974848`, `1e3`.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(n|u|m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?\Z"
)
_SCALE = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def read(text: str | int | None) -> float:
    """Return a quantity as a number; nothing is 0. Raises ValueError for what is no quantity."""
    match = _QUANTITY.match(str(text if text is not None else "0"))
    if match is None:
        raise ValueError(f"{text!r} is not a quantity")
    return float(Decimal(match[1]) * _SCALE.get(match[2] or "", Decimal(1)))


def cpus(number: float) -> str:
    """Write a number of CPUs, in whole thousandths and at least one."""
    return f"{max(1, int(number * 1000))}m"


def size(number: float) -> str:
    """Write a number of bytes."""
    return str(int(number))
