"""Objects in a bucket of Cloud Storage, under `gpudev/INSTALL/`.

The version of an object is its generation, which every put changes, and which a put or a delete can be made to depend on:
https://cloud.google.com/storage/docs/request-preconditions . A put appears whole or not at all, and all see it at once:
https://cloud.google.com/storage/docs/consistency
"""

from __future__ import annotations

import functools
import re
import uuid
from collections.abc import Callable
from typing import Any

from gpudev_gcp.apis import address
from gpudev_gcp.errors import ObjectChanged, translated
from gpudev_gcp.session import Session
from gpudev_sdk.errors import Conflict, InvalidRequest, MissingAbility, TryLater
from gpudev_sdk.providers.objects import NOTHING, ObjectStorage, StoredObject

_KEY = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\Z")
_LONGEST = 512
_HOST = "storage.googleapis.com"
_GENERATION = re.compile(r"[0-9]{1,19}\Z")
#: Seconds that one request may take, and in which a read is made again that met trouble.
_CALL, _REPEATED = 15.0, 3.0
#: How often a read is begun anew because the object was replaced in the middle of it.
_TRIES = 3
#: Metadata of an object: which put made it.
_MARK = "gpudev-put"
#: What the API says of an object that is not there.
_NO_OBJECT = "No such object"


class GcsObjects(ObjectStorage):
    """A base for storage with a session; the bucket is named by its settings."""

    _session: Session
    _install: uuid.UUID

    def put_object(self, key: str, content: bytes, *, expected: str | None = None) -> StoredObject:
        blob = self._blob(key)
        condition, mark = _condition(expected), uuid.uuid4().hex
        blob.metadata = {_MARK: mark}
        self._session.wait_turn("storage")
        try:
            with translated(f"store the object {key}"):
                # Made once: after a lost answer a second try would meet what the first one stored.
                blob.upload_from_string(
                    content, "application/octet-stream", if_generation_match=condition, timeout=_CALL, retry=None
                )
        except ObjectChanged as error:
            raise _conflict(key, expected) from error
        except TryLater:
            # The answer may have been lost, and not the object: its mark says whose it is.
            blob = self._blob(key)
            if not self._look(key, blob) or (blob.metadata or {}).get(_MARK) != mark:
                raise
        return _stored(key, blob)

    def find_object(self, key: str) -> tuple[StoredObject, bytes] | None:
        for _ in range(_TRIES):
            blob = self._blob(key)
            if not self._look(key, blob):
                return None
            # A download has the library forget what it knew of the object.
            stored = _stored(key, blob)
            content = self._download(key, blob)
            if content is not None:
                return stored, content
        raise TryLater(f"the object {key} is replaced again and again", delay=0.5)

    def list_objects(self, prefix: str = "") -> tuple[StoredObject, ...]:
        what, begin = "list objects", self._prefix
        listed = self._bucket.list_blobs(prefix=begin + prefix, timeout=_CALL, retry=_repeated())
        pages = listed.pages
        found: list[StoredObject] = []
        while True:
            self._session.wait_turn("storage")
            with translated(what):
                page = next(pages, None)
            if page is None:
                return tuple(sorted(found, key=lambda each: each.key))
            found += [_stored(blob.name.removeprefix(begin), blob) for blob in page]

    def delete_object(self, key: str, *, expected: str | None = None) -> None:
        blob = self._blob(key)
        condition = _condition(expected)
        self._session.wait_turn("storage")
        try:
            with translated(f"delete the object {key}"):
                self._unless_absent(blob, lambda: blob.delete(if_generation_match=condition, timeout=_CALL, retry=None))
        except ObjectChanged as error:
            if self._look(key, self._blob(key)):
                raise _conflict(key, expected) from error

    @property
    def _prefix(self) -> str:
        return f"gpudev/{self._install}/"

    @functools.cached_property
    def _bucket(self) -> Any:
        """Return the bucket; nothing is asked of it yet."""
        settings = self._session.settings
        if not settings.bucket:
            hint = "Set `bucket` of the backend to a bucket of Cloud Storage that gpudev may use."
            raise MissingAbility("this backend keeps no objects: no bucket is named", hint=hint)
        options = {"api_endpoint": address(settings, _HOST)}
        credentials = self._session.credentials
        with translated("open Cloud Storage"):
            from google.cloud.storage import Client

            client = Client(project=settings.project, credentials=credentials, client_options=options)
        # It would ask for the bucket itself, from a thread and for minutes, to write it into traces that nobody takes.
        client._bucket_metadata_cache = None
        return client.bucket(settings.bucket)

    def _blob(self, key: str) -> Any:
        if len(key) > _LONGEST or not _KEY.match(key) or {".", ".."} & set(key.split("/")):
            hint = f"A key is 1 to {_LONGEST} of a-z A-Z 0-9 . _ - /, without empty parts, . and .."
            raise InvalidRequest(f"{key[:80]!r} is not a key of an object", field="key", hint=hint)
        return self._bucket.blob(self._prefix + key)

    def _look(self, key: str, blob: Any) -> bool:
        """Read what an object is, and say whether there is one."""
        self._session.wait_turn("storage")
        with translated(f"look at the object {key}"):
            return self._unless_absent(blob, lambda: blob.reload(timeout=_CALL, retry=_repeated()))

    def _download(self, key: str, blob: Any) -> bytes | None:
        """Read the very generation that was looked at; None if it is there no more."""
        from google.cloud.storage.exceptions import DataCorruption

        content: list[bytes] = []

        def download() -> None:
            content.append(
                blob.download_as_bytes(if_generation_match=blob.generation, timeout=_CALL, retry=_repeated())
            )

        self._session.wait_turn("storage")
        try:
            with translated(f"read the object {key}"):
                self._unless_absent(blob, download)
        except ObjectChanged:
            return None
        except DataCorruption as error:
            raise TryLater(f"cannot read the object {key}: it did not come whole", delay=1.0) from error
        return content[0] if content else None

    def _unless_absent(self, blob: Any, call: Callable[[], None]) -> bool:
        """Make a call about one object; return False if there is none.

        A bucket that is not there answers with the same status, so where the words do not tell, the bucket is asked for a list.
        """
        from google.api_core.exceptions import NotFound

        try:
            call()
        except NotFound as error:
            if _NO_OBJECT in str(error.message):
                return False
            self._session.wait_turn("storage")
            listed = self._bucket.list_blobs(prefix=blob.name, max_results=1, timeout=_CALL, retry=_repeated())
            if any(each.name == blob.name for each in listed):
                raise
            return False
        return True


def _repeated() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_timeout(_REPEATED)


def _condition(expected: str | None) -> int | None:
    """Return the generation that is to be there; 0 is none: https://cloud.google.com/storage/docs/request-preconditions"""
    if expected is None:
        return None
    if expected == NOTHING:
        return 0
    if not _GENERATION.match(expected) or int(expected) == 0:
        raise InvalidRequest(f"{expected[:80]!r} is not a version of an object", field="expected")
    return int(expected)


def _conflict(key: str, expected: str | None) -> Conflict:
    wanted = "there is one already" if expected == NOTHING else f"it is not {expected} any more, or gone"
    return Conflict(f"the object {key} is not as expected: {wanted}", hint="Look at it again, and decide anew.")


def _stored(key: str, blob: Any) -> StoredObject:
    return StoredObject(key=key, version=str(blob.generation), size_bytes=int(blob.size or 0), stored_at=blob.updated)
