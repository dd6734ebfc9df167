"""Where the STS of a region is: a table and a grammar, so that no host name is ever taken from a client. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_region-endpoints.html
https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Partition(NamedTuple):
    """A part of AWS with accounts and names of its own."""

    #: As in ARNs.
    name: str
    suffix: str


#: How its regions look, for each partition.
_PARTITIONS = (
    (re.compile(r"cn-[a-z]{3,12}-[0-9]{1,2}\Z"), Partition("aws-cn", "amazonaws.com.cn")),
    (re.compile(r"us-gov-[a-z]{3,12}-[0-9]{1,2}\Z"), Partition("aws-us-gov", "amazonaws.com")),
    (re.compile(r"eusc-[a-z]{2}-[a-z]{3,12}-[0-9]{1,2}\Z"), Partition("aws-eusc", "amazonaws.eu")),
    (re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{3,12}-[0-9]{1,2}\Z"), Partition("aws", "amazonaws.com")),
)


def is_region(text: str) -> bool:
    """Say whether a text is the name of a region that can be in the table, and nothing more."""
    return any(pattern.match(text) for pattern, _ in _PARTITIONS)


def partition_of(region: str) -> Partition:
    """Return the partition of a region; raise ValueError for what is no region."""
    for pattern, partition in _PARTITIONS:
        if pattern.match(region):
            return partition
    raise ValueError(f"{region[:80]!r} is not a region")


def sts_host(region: str) -> str:
    """Return the host of a region's own STS."""
    return f"sts.{region}.{partition_of(region).suffix}"
