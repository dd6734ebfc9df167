"""The tags by which what we made is found again: whose it is, and which it is. Pure.

A tag is a label that anybody with the right may copy or remove, so a tag alone never decides between two that both have it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

#: What boto3 returns and takes.
Json = dict[str, Any]

INSTALL, DISK, OWNER = "gpudev:install", "gpudev:disk", "gpudev:owner"
VOLUME, SNAPSHOT = "gpudev:volume", "gpudev:snapshot"
#: On a volume: our id of the snapshot that it was made of. On a snapshot: EBS's id of the volume that it was taken of.
RESTORED_FROM, SOURCE = "gpudev:restored-from", "gpudev:source"


def read(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of something."""
    return {tag["Key"]: tag["Value"] for tag in item.get("Tags") or []}


def id_in(item: Mapping[str, Any], key: str) -> uuid.UUID | None:
    """Return the id that a tag holds; None if there is no such tag, or it is no id."""
    try:
        return uuid.UUID(read(item).get(key, ""))
    except ValueError:
        return None


def specification(kind: str, tags: Mapping[str, str]) -> list[Json]:
    """Return tags as a call takes them that makes a `volume` or a `snapshot`: they are there from the first moment."""
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}]


def filters(install: uuid.UUID, **more: Iterable[str]) -> list[Json]:
    """Return the filter for what carries our install id, and these values of more filters, `tag_X` being `tag:gpudev:X`."""
    named = {name.replace("tag_", "tag:gpudev:"): list(values) for name, values in more.items()}
    return [{"Name": name, "Values": values} for name, values in ({f"tag:{INSTALL}": [str(install)]} | named).items()]
