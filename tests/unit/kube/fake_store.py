"""Objects as an API server keeps them: versions, finalizers, owners, and the three ways to change one.

In memory, one process, every kind alike; a pod differs in how it goes. Semantics follow
https://kubernetes.io/docs/reference/using-api/api-concepts/ and https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import threading
import uuid
from collections.abc import Callable

import attrs

Json = dict
#: Kind, namespace and name.
Key = tuple[str, str, str]


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, reason: str, message: str, name: str = "") -> None:
        super().__init__(message)
        self.status, self.reason, self.name = status, reason, name

    def body(self) -> Json:
        """Return it as a Status."""
        details = {"name": self.name} if self.name else {}
        plain = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self)}
        return plain | {"reason": self.reason, "code": self.status, "details": details}


@attrs.define
class Store:
    """What is there, and what changed since the oldest version that is remembered."""

    changed: threading.Condition = attrs.field(factory=threading.Condition)
    objects: dict[Key, Json] = attrs.field(factory=dict)
    #: (version, ADDED, MODIFIED or DELETED, key, object) of every change.
    log: list[tuple[int, str, Key, Json]] = attrs.field(factory=list)
    version: int = 100
    #: Versions before this one are forgotten.
    oldest: int = 0
    #: Called after each change with the store and the key, as controllers are.
    controllers: list[Callable[[Store, Key], None]] = attrs.field(factory=list)
    _applied: dict[Key, Json] = attrs.field(factory=dict)
    _uids: itertools.count = attrs.field(factory=lambda: itertools.count(1))

    def get(self, key: Key) -> Json:
        """Return an object, or refuse as an API server does for one that is not there."""
        with self.changed:
            if key not in self.objects:
                raise Refused(404, "NotFound", f'{key[0]} "{key[2]}" not found', key[2])
            return copy.deepcopy(self.objects[key])

    def list(self, kind: str, namespace: str | None, selector: str = "") -> tuple[list[Json], int]:
        """Return what a selector names, of one namespace or of all, and the version at which it is so."""
        with self.changed:
            found = [
                copy.deepcopy(item)
                for key, item in sorted(self.objects.items())
                if key[0] == kind and namespace in (None, key[1]) and matches(item, selector)
            ]
            return found, self.version

    def create(self, key: Key, body: Json) -> Json:
        """Make an object."""
        with self.changed:
            if key in self.objects:
                raise Refused(409, "AlreadyExists", f'{key[0]} "{key[2]}" already exists', key[2])
            if "resourceVersion" in body["metadata"]:
                raise Refused(400, "BadRequest", "resourceVersion should not be set on objects to be created")
            item = copy.deepcopy(body)
            item["metadata"] |= {
                "name": key[2],
                "uid": str(uuid.UUID(int=next(self._uids))),
                "creationTimestamp": now(),
            }
            if key[1]:
                item["metadata"]["namespace"] = key[1]
            if key[0] in ("pods", "persistentvolumeclaims"):
                item.setdefault("status", {}).setdefault("phase", "Pending")
            return self._put(key, item)

    def apply(self, key: Key, body: Json) -> Json:
        """Make the fields of the one applier we know exactly those of `body`."""
        with self.changed:
            if key not in self.objects:
                self._applied[key] = copy.deepcopy(body)
                return self.create(key, body)
            item = self.get(key)
            self._check(key, body["metadata"])
            laid = _lay(_without(item, self._applied.get(key, {}), body), body)
            self._applied[key] = copy.deepcopy(body)
            return self._put(key, laid)

    def merge(self, key: Key, patch: Json) -> Json:
        """Change fields by a merge patch (RFC 7386)."""
        with self.changed:
            item = self.get(key)
            self._check(key, patch.get("metadata") or {})
            return self._put(key, _merge(item, patch))

    def replace(self, key: Key, body: Json) -> Json:
        """Put an object in the place of the version it names."""
        with self.changed:
            item = self.get(key)
            self._check(key, body["metadata"])
            kept = {name: item["metadata"][name] for name in ("uid", "creationTimestamp")}
            return self._put(key, body | {"metadata": kept | body["metadata"]})

    def delete(self, key: Key, uid: str | None = None, grace: int | None = None) -> Json:
        """Begin an object's end: it stays while a finalizer, or for a pod its node, keeps it."""
        with self.changed:
            item = self.get(key)
            self._check(key, {"uid": uid} if uid else {})
            metadata = item["metadata"]
            metadata.setdefault("deletionTimestamp", now())
            wanted = grace if grace is not None else _grace(key, item)
            metadata["deletionGracePeriodSeconds"] = min(wanted, metadata.get("deletionGracePeriodSeconds", wanted))
            return self._put(key, item)

    def change(self, key: Key, **parts: Json) -> Json:
        """Change parts of an object as whoever owns them does, its status among them."""
        return self.merge(key, parts)

    def remove(self, key: Key) -> None:
        """Make an object gone, whatever keeps it, as somebody does who writes into the database."""
        with self.changed:
            self._drop(key)

    def forget(self) -> None:
        """Forget all that changed so far: who watches from before has to list again."""
        with self.changed:
            self.oldest = self.version
            self.changed.notify_all()

    def since(self, version: int, kind: str, namespace: str | None) -> list[tuple[int, str, Json]]:
        """Return what changed after a version, or refuse if that is forgotten."""
        with self.changed:
            if version < self.oldest:
                raise Refused(410, "Expired", f"too old resource version: {version} ({self.oldest})")
            return [
                (number, what, item)
                for number, what, key, item in self.log
                if number > version and key[0] == kind and namespace in (None, key[1])
            ]

    def _check(self, key: Key, metadata: Json) -> None:
        """Refuse a change meant for another object of that name, or for another version of it."""
        known = self.objects[key]["metadata"]
        for field in ("uid", "resourceVersion"):
            if metadata.get(field) not in (None, known[field]):
                raise Refused(409, "Conflict", f"the {field} of {key[2]} is {known[field]}", key[2])

    def _put(self, key: Key, item: Json) -> Json:
        known = self.objects.get(key)
        if known is not None and _plain(known) == _plain(item):
            return copy.deepcopy(known)
        metadata = item["metadata"]
        is_leaving = "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) == 0
        if is_leaving and not metadata.get("finalizers"):
            self._drop(key)
            return item
        self._note(key, "MODIFIED" if known else "ADDED", item)
        self.objects[key] = item
        self._react(key)
        return copy.deepcopy(item)

    def _drop(self, key: Key) -> None:
        item = self.objects.pop(key)
        self._applied.pop(key, None)
        self._note(key, "DELETED", item)
        uid = item["metadata"]["uid"]
        owned = [
            each
            for each, other in self.objects.items()
            if any(owner["uid"] == uid for owner in other["metadata"].get("ownerReferences") or [])
        ]
        for each in owned:
            if each in self.objects:
                self.delete(each)
        self._react(key)

    def _note(self, key: Key, what: str, item: Json) -> None:
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.log.append((self.version, what, key, copy.deepcopy(item)))
        self.changed.notify_all()

    def _react(self, key: Key) -> None:
        for controller in self.controllers:
            controller(self, key)


def now() -> str:
    """Return the time as Kubernetes writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def matches(item: Json, selector: str) -> bool:
    """Say whether an object has the labels of a selector, of which only `a=b,c=d` is known."""
    labels = item["metadata"].get("labels") or {}
    pairs = [pair.partition("=") for pair in selector.split(",") if pair]
    return all(labels.get(name) == value for name, _, value in pairs)


def _grace(key: Key, item: Json) -> int:
    """A pod that a node has is given time to end."""
    spec = item.get("spec") or {}
    if key[0] != "pods" or not spec.get("nodeName") or item["status"]["phase"] in ("Succeeded", "Failed"):
        return 0
    return spec.get("terminationGracePeriodSeconds", 30)


def _plain(item: Json) -> Json:
    return item | {"metadata": {name: value for name, value in item["metadata"].items() if name != "resourceVersion"}}


def _merge(item: Json, patch: Json) -> Json:
    found = dict(item)
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict):
            known = found.get(name)
            found[name] = _merge(known if isinstance(known, dict) else {}, value)
        else:
            found[name] = copy.deepcopy(value)
    return found


def _lay(item: Json, body: Json) -> Json:
    """Lay applied fields over an object; null has no meaning of its own here."""
    found = dict(item)
    for name, value in body.items():
        known = found.get(name)
        found[name] = (
            _lay(known, value) if isinstance(known, dict) and isinstance(value, dict) else copy.deepcopy(value)
        )
    return found


def _without(item: Json, before: Json, now: Json) -> Json:
    """Take off what was applied before and is not applied now."""
    found = {}
    for name, value in item.items():
        if name not in before:
            found[name] = value
        elif isinstance(value, dict) and isinstance(before[name], dict):
            found[name] = _without(value, before[name], now.get(name) or {})
        elif name in now:
            found[name] = value
    return found
