"""What a project of Compute Engine has, and how it changes: disks, snapshots, instances and operations.

Statuses, words and rules are those of https://cloud.google.com/compute/docs/reference/rest/v1 as far as gpudev uses them. An
operation takes some looks: whoever lists or gets anything moves all of them on by one.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import threading
import uuid

import attrs

Json = dict
PROJECT = "gpu-lab-1"
ZONES = ("us-central1-a", "us-central1-b")
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z"), re.compile(r"[a-z0-9_-]{0,63}\Z")
_SMALLEST = {"pd-standard": 10, "pd-balanced": 10, "pd-ssd": 10, "hyperdisk-balanced": 4}
_ROOT = "https://www.googleapis.com/compute/v1"


class Answer(Exception):
    """A refusal, as the API words it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def not_found(path: str) -> Answer:
    return Answer(404, "notFound", f"The resource '{path}' was not found")


def invalid(message: str) -> Answer:
    return Answer(400, "invalid", message)


@attrs.define
class World:
    """One project."""

    disks: dict[tuple[str, str], Json] = attrs.field(factory=dict)
    snapshots: dict[str, Json] = attrs.field(factory=dict)
    instances: dict[tuple[str, str], Json] = attrs.field(factory=dict)
    operations: dict[str, Json] = attrs.field(factory=dict)
    #: What is written on a disk or kept in a snapshot, by number.
    content: dict[str, bytes] = attrs.field(factory=dict)
    #: How many looks an operation takes.
    looks: int = 2
    #: A disk is shown only once its operation is done.
    shown_late: bool = False
    #: Snapshots stay CREATING.
    snapshots_stay: bool = False
    #: An operation that takes a snapshot names its disk, as that of `disks.createSnapshot` does.
    names_source: bool = False
    #: What the next operations fail of: a code and a message each; at once if operations take no look.
    failing: list[tuple[str, str]] = attrs.field(factory=list)
    lock: threading.RLock = attrs.field(factory=threading.RLock)
    _requests: dict[str, str] = attrs.field(factory=dict)
    _ends: dict[str, tuple] = attrs.field(factory=dict)
    _numbers: itertools.count = attrs.field(factory=lambda: itertools.count(1_000_000_000_001))
    _seconds: itertools.count = attrs.field(factory=itertools.count)

    def look(self) -> None:
        """Move what is under way on by one look."""
        for name, (left, end) in list(self._ends.items()):
            if left > 1:
                self._ends[name] = (left - 1, end)
            elif not (self.snapshots_stay and "/snapshots/" in self.operations[name]["targetLink"]):
                del self._ends[name]
                end()
                self.operations[name] |= {"status": "DONE", "progress": 100, "endTime": self._now()}

    def insert_disk(self, zone: str, body: Json, request_id: str) -> Json:
        path = f"projects/{PROJECT}/zones/{zone}/disks/{body.get('name')}"
        if (known := self._again(request_id)) is not None:
            return known
        _check_body(body)
        if (zone, body["name"]) in self.disks:
            raise Answer(409, "alreadyExists", f"The resource '{path}' already exists")
        source = self._source_of(body)
        disk = self._disk(zone, body, source)
        operation = self._begin("insert", path, disk["id"], zone, request_id)
        if self.failing:
            self._fail(operation)
            return operation
        if not self.shown_late:
            self.disks[zone, body["name"]] = disk
        kept = self.content.get(source["id"], b"") if source else b""

        def end() -> None:
            self.disks[zone, body["name"]] = disk
            disk["status"] = "READY"
            self.content[disk["id"]] = kept

        self._ends[operation["name"]] = (self.looks, end)
        return operation

    def delete_disk(self, zone: str, name: str) -> Json:
        disk = self.get_disk(zone, name)
        if disk["users"]:
            user = disk["users"][0].partition("/v1/")[2]
            path = f"projects/{PROJECT}/zones/{zone}/disks/{name}"
            said = f"The disk resource '{path}' is already being used by '{user}'"
            raise Answer(400, "resourceInUseByAnotherResource", said)
        operation = self._begin("delete", f"projects/{PROJECT}/zones/{zone}/disks/{name}", disk["id"], zone, "")
        if self.failing:
            self._fail(operation)
            return operation
        disk["status"] = "DELETING"
        self._ends[operation["name"]] = (self.looks, lambda: self.disks.pop((zone, name), None))
        return operation

    def get_disk(self, zone: str, name: str) -> Json:
        if (zone, name) not in self.disks:
            raise not_found(f"projects/{PROJECT}/zones/{zone}/disks/{name}")
        return self.disks[zone, name]

    def insert_snapshot(self, body: Json, request_id: str) -> Json:
        path = f"projects/{PROJECT}/global/snapshots/{body.get('name')}"
        if (known := self._again(request_id)) is not None:
            return known
        _check_body(body)
        if body["name"] in self.snapshots:
            raise Answer(409, "alreadyExists", f"The resource '{path}' already exists")
        zone, _, name = body["sourceDisk"].partition("zones/")[2].partition("/disks/")
        disk = self.get_disk(zone, name)
        number = str(next(self._numbers))
        target = body["sourceDisk"] if self.names_source else path
        operation = self._begin("insert", target, number, "", request_id)
        if self.failing:
            self._fail(operation)
            return operation
        snapshot = {
            "kind": "compute#snapshot", "id": number, "creationTimestamp": self._now(), "name": body["name"],
            "status": "CREATING", "sourceDisk": f"{_ROOT}/{body['sourceDisk']}", "sourceDiskId": disk["id"],
            "diskSizeGb": disk["sizeGb"], "labels": body.get("labels", {}), "labelFingerprint": _print(),
            "selfLink": f"{_ROOT}/{path}",
        }  # fmt: skip
        self.snapshots[body["name"]] = snapshot
        self.content[number] = self.content.get(disk["id"], b"")
        self._ends[operation["name"]] = (self.looks, lambda: snapshot.update(status="READY", storageBytes="4096"))
        return operation

    def delete_snapshot(self, name: str) -> Json:
        snapshot = self.get_snapshot(name)
        snapshot["status"] = "DELETING"
        operation = self._begin("delete", f"projects/{PROJECT}/global/snapshots/{name}", snapshot["id"], "", "")
        self._ends[operation["name"]] = (self.looks, lambda: self.snapshots.pop(name, None))
        return operation

    def get_snapshot(self, name: str) -> Json:
        if name not in self.snapshots:
            raise not_found(f"projects/{PROJECT}/global/snapshots/{name}")
        return self.snapshots[name]

    def set_labels(self, found: Json, body: Json) -> Json:
        """Put labels in the place of others, if the fingerprint is that of these."""
        if body.get("labelFingerprint") != found["labelFingerprint"]:
            raise Answer(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")
        _check_labels(body.get("labels", {}))
        found |= {"labels": body.get("labels", {}), "labelFingerprint": _print()}
        return self._begin("setLabels", found["selfLink"].removeprefix(f"{_ROOT}/"), found["id"], "", "", done=True)

    def add_instance(self, name: str, zone: str, machine_type: str = "g2-standard-4", **fields) -> None:
        """Put a machine there."""
        self.instances[zone, name] = {
            "kind": "compute#instance", "id": str(next(self._numbers)), "name": name, "status": "RUNNING",
            "zone": f"{_ROOT}/projects/{PROJECT}/zones/{zone}", "labels": {},
            "machineType": f"{_ROOT}/projects/{PROJECT}/zones/{zone}/machineTypes/{machine_type}",
        } | fields  # fmt: skip

    def _again(self, request_id: str) -> Json | None:
        """Return the operation that a request of this id began: the second one is ignored, whatever became of the first."""
        if not request_id:
            return None
        try:
            lawful = uuid.UUID(request_id).int
        except ValueError:
            lawful = 0
        if not lawful:
            raise invalid(f"Invalid value for field 'requestId': '{request_id}'.")
        name = self._requests.get(request_id)
        return self.operations[name] if name else None

    def _begin(self, kind: str, path: str, number: str, zone: str, request_id: str, *, done: bool = False) -> Json:
        name = f"operation-{len(self.operations) + 1}"
        self.operations[name] = {
            "kind": "compute#operation", "id": str(next(self._numbers)), "name": name, "operationType": kind,
            "targetLink": f"{_ROOT}/{path}", "targetId": number, "status": "DONE" if done else "RUNNING", "progress": 0,
            "insertTime": self._now(), "user": "gpudev",
        } | ({"zone": f"{_ROOT}/projects/{PROJECT}/zones/{zone}"} if zone else {})  # fmt: skip
        if request_id:
            self._requests[request_id] = name
        return self.operations[name]

    def _fail(self, operation: Json) -> None:
        code, message = self.failing.pop(0)
        error = {"errors": [{"code": code, "message": message}]}
        if self.looks:
            self._ends[operation["name"]] = (self.looks, lambda: operation.update(error=error))
        else:
            operation |= {"error": error, "status": "DONE"}

    def _source_of(self, body: Json) -> Json | None:
        if "sourceSnapshot" not in body:
            return None
        source = self.get_snapshot(body["sourceSnapshot"].rpartition("/")[2])
        if source["status"] != "READY":
            raise Answer(400, "resourceNotReady", f"The resource '{body['sourceSnapshot']}' is not ready")
        return source

    def _disk(self, zone: str, body: Json, source: Json | None) -> Json:
        kind = body["type"].rpartition("/")[2]
        smallest = max(_SMALLEST[kind], int(source["diskSizeGb"]) if source else 0)
        if int(body["sizeGb"]) < smallest:
            said = f"Invalid value for field 'resource.sizeGb': '{body['sizeGb']}'. Must be at least {smallest}."
            raise invalid(said)
        path = f"projects/{PROJECT}/zones/{zone}/disks/{body['name']}"
        made_of = {"sourceSnapshot": source["selfLink"], "sourceSnapshotId": source["id"]} if source else {}
        return body | made_of | {
            "kind": "compute#disk", "id": str(next(self._numbers)), "status": "CREATING", "users": [],
            "zone": f"{_ROOT}/projects/{PROJECT}/zones/{zone}", "selfLink": f"{_ROOT}/{path}",
            "creationTimestamp": self._now(), "labelFingerprint": _print(), "type": f"{_ROOT}/{body['type']}",
        }  # fmt: skip

    def _now(self) -> str:
        """Return the time in Google's form; each is a second after the one before."""
        at = dt.datetime(2026, 1, 1, tzinfo=dt.timezone(-dt.timedelta(hours=8)))
        return (at + dt.timedelta(seconds=next(self._seconds))).isoformat(timespec="milliseconds")


def _check_body(body: Json) -> None:
    if not _NAME.match(body.get("name", "")):
        raise invalid(f"Invalid value for field 'resource.name': '{body.get('name')}'.")
    _check_labels(body.get("labels", {}))


def _check_labels(labels: Json) -> None:
    for key, value in labels.items():
        if not _LABEL[0].match(key) or not _LABEL[1].match(value):
            raise invalid(f"Invalid value for field 'resource.labels': '{key}={value}'.")


def _print() -> str:
    return uuid.uuid4().hex[:12]
