"""An account in which the system before gpudev lived, and the AWS command line as far as a page uses it.

What the old system leaves on EBS: `gpu-dev-user` and `disk_name` on volumes and snapshots, a snapshot at each end of a box, taken
while it still writes; the volume goes at an end by time, and stays where a box was cancelled. A deleted disk is only marked, by a
date on every snapshot of its name. Snapshots have times and states that moto has not, so they are set in moto itself.
"""

from __future__ import annotations

import datetime as dt
import types

import attrs
import jmespath
from botocore import xform_name
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from tests.contract.aws.account import REGION

DAY = dt.timedelta(days=1)
#: What EBS names in the place of the volume that a copy is of.
NO_VOLUME = "vol-ffffffff"


@attrs.define
class OldAccount:
    """The old system's disks of one account; each `at` is a day of its life."""

    ec2: object
    zone: str
    first: dt.datetime = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)

    def start(self, user, disk):
        """Make the volume of a box."""
        asked = {"AvailabilityZone": self.zone, "Size": 1}
        return self.ec2.create_volume(**asked, TagSpecifications=_tags("volume", user, disk))["VolumeId"]

    def save(self, user, disk, volume, at, state="completed"):
        """Take the snapshot of a box's end."""
        made = self.ec2.create_snapshot(VolumeId=volume, TagSpecifications=_tags("snapshot", user, disk))["SnapshotId"]
        return self._set(made, at, status=state)

    def end(self, user, disk, at):
        """Let a box live and end by time."""
        volume = self.start(user, disk)
        made = self.save(user, disk, volume, at)
        self.ec2.delete_volume(VolumeId=volume)
        return made

    def delete(self, user, disk, at):
        """Mark a disk as deleted, by its name, as each run does it again; return the date."""
        filters = [{"Name": "tag:gpu-dev-user", "Values": [user]}, {"Name": "tag:disk_name", "Values": [disk]}]
        marked = [each["SnapshotId"] for each in self.ec2.describe_snapshots(Filters=filters)["Snapshots"]]
        date = (self.first + (at + 30) * DAY).strftime("%Y-%m-%d")
        self.ec2.create_tags(Resources=marked, Tags=[{"Key": "delete-date", "Value": date}])
        return date

    def rename(self, snapshots, name):
        """Rename a disk, on its snapshots alone."""
        self.ec2.create_tags(Resources=snapshots, Tags=[{"Key": "disk_name", "Value": name}])

    def copy(self, snapshot, at, volume=NO_VOLUME, said="standard"):
        """Copy a snapshot with its tags, as a scanner does; EBS names some volume, and that it is a copy in newer answers."""
        (first,) = self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        made = self.ec2.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot)["SnapshotId"]
        self.ec2.create_tags(Resources=[made], Tags=first["Tags"])
        return self._set(made, at, volume=types.SimpleNamespace(id=volume, size=1), transfer_type=said)

    def share(self, user, disk, at):
        """Have another account share a snapshot with this one."""
        return self._set(self.end(user, disk, at), at, owner_id="999999999999")

    def _set(self, snapshot, at, **changes):
        made = get_backend("ec2")[DEFAULT_ACCOUNT_ID][REGION].snapshots[snapshot]
        for name, value in (changes | {"start_time": self.first + at * DAY}).items():
            setattr(made, name, value)
        return snapshot

    def everything(self):
        """Return all there is that carries the old system's tag, as EC2 tells it."""
        filters = [{"Name": "tag-key", "Values": ["gpu-dev-user"]}]
        kinds = {"volumes": "Volumes", "snapshots": "Snapshots", "instances": "Reservations"}
        return {kind: getattr(self.ec2, f"describe_{kind}")(Filters=filters)[key] for kind, key in kinds.items()}


def _tags(kind, user, disk):
    tags = {"gpu-dev-user": user, "disk_name": disk, "created_at": "1740830400", "Name": f"gpu-dev-{disk}"}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def run(ec2, words):
    """Do what `aws ec2 …` does, and return what it prints."""
    (program, service, command), options = words[:3], _options(words[3:])
    assert (program, service) == ("aws", "ec2")
    query = options.pop("query", ["@"])
    operation = command.replace("-", "_")
    shape = ec2.meta.service_model.operation_model(ec2.meta.method_to_api_mapping[operation]).input_shape
    named = {xform_name(member, "-"): member for member in shape.members}
    asked = {named[name]: _value(shape.members[named[name]], values) for name, values in options.items()}
    if ec2.can_paginate(operation):
        answer = ec2.get_paginator(operation).paginate(**asked).build_full_result()
    else:
        answer = getattr(ec2, operation)(**asked)
    if asked.get("OwnerIds") == ["self"]:
        # moto shows what others share, whatever is asked.
        answer["Snapshots"] = [each for each in answer["Snapshots"] if each["OwnerId"] == DEFAULT_ACCOUNT_ID]
    return jmespath.search(query[0], _plain(answer))


def _options(words):
    found = {}
    for word in words:
        if word.startswith("--"):
            found[word.removeprefix("--")] = values = []
        else:
            values.append(word)
    return found


def _value(shape, words):
    """Return an option's words as boto3 takes them; what is in a structure is written `Name=a,Values=b,c`."""
    if shape.type_name != "list":
        (word,) = words
        return word
    if shape.member.type_name != "structure":
        return words
    return [_structure(word) for word in words]


def _structure(word):
    name, _, values = word.removeprefix("Name=").partition(",Values=")
    return {"Name": name, "Values": values.split(",")}


def _plain(answer):
    """Return an answer as the command line has it, which knows times as text alone."""
    if isinstance(answer, dict):
        return {key: _plain(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_plain(value) for value in answer]
    return answer.astimezone(dt.UTC).isoformat() if isinstance(answer, dt.datetime) else answer
