"""Blobs in a bucket of S3, below this install's own prefix, replaced only by who knows what is there.

Conditions are S3's own, on ETags, and want `s3:GetObject` beside the right to write:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
Equal content has an equal ETag, so each put ends its content with a mark of its own: a version never comes again, and a put whose
answer was lost is known by its mark. Everything is encrypted by S3, with the bucket's own key or `kms_key`; no ACL is set.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
"""

from __future__ import annotations

import contextlib
import re
import secrets
import uuid
from typing import Any

from gpudev_aws.calls import Calls
from gpudev_aws.errors import Absent, translated
from gpudev_aws.session import Session
from gpudev_aws.settings import AwsSettings
from gpudev_aws.tags import Json
from gpudev_sdk.errors import Conflict, InvalidRequest, MissingAbility, Unworkable
from gpudev_sdk.providers.objects import NOTHING, ObjectStorage, StoredObject

_KEY = re.compile(r"(?!.{513})[A-Za-z0-9._/-]+\Z")
_BEGIN = b"\n#gpudev:"
#: How long a mark is, at the end of every blob.
MARK = len(_BEGIN) + 32
_PAGE = 1000


class S3Objects(ObjectStorage):
    """What a storage class of AWS takes in to keep blobs; it has to have the three below."""

    session: Session
    _settings: AwsSettings
    _install: uuid.UUID

    def put_object(self, key: str, content: bytes, *, expected: str | None = None) -> StoredObject:
        mark = _BEGIN + secrets.token_hex(16).encode()
        condition = {} if expected is None else {"IfNoneMatch": "*"} if expected == NOTHING else {"IfMatch": expected}
        asked = {**self._where(key), **self._encryption(), **condition}
        try:
            made = self._s3.one(f"put {key}", "put_object", Body=content + mark, **asked)
        except (Absent, Conflict) as error:
            # The first try may have been carried out, and its answer lost.
            found = self._read(key)
            if found is None or not found[1].endswith(mark):
                raise Conflict(f"{key} is not what it was taken for", hint="Look again, and decide anew.") from error
            return found[0]
        return StoredObject(key=key, version=made["ETag"], size_bytes=len(content))

    def find_object(self, key: str) -> tuple[StoredObject, bytes] | None:
        found = self._read(key)
        return None if found is None else (found[0], found[1][:-MARK])

    def list_objects(self, prefix: str = "") -> tuple[StoredObject, ...]:
        ours = self._prefix
        asked = {"Bucket": self._bucket, "Prefix": ours + prefix, "MaxKeys": _PAGE}
        found: list[Json] = []
        while True:
            page = self._s3.one("list the objects", "list_objects_v2", **asked)
            found += page.get("Contents") or []
            if not page.get("IsTruncated"):
                break
            asked["ContinuationToken"] = page["NextContinuationToken"]
        stored = [_stored(each["Key"].removeprefix(ours), each, each["Size"]) for each in found]
        return tuple(sorted(stored, key=lambda each: each.key))

    def delete_object(self, key: str, *, expected: str | None = None) -> None:
        where = self._where(key)
        if expected == NOTHING:
            if self._is_there(key):
                raise Conflict(f"{key} is there", hint="Look again, and decide anew.")
            return
        condition = {} if expected is None else {"IfMatch": expected}
        try:
            self._s3.one(f"delete {key}", "delete_object", **where, **condition)
        except Absent:
            return
        except Conflict:
            if self._is_there(key):
                raise

    def _read(self, key: str) -> tuple[StoredObject, bytes] | None:
        """Return a blob and all that is stored of it, its mark at the end."""
        where = self._where(key)
        try:
            found = self._s3.one(f"read {key}", "get_object", **where)
            with translated(f"read {key}"), contextlib.closing(found["Body"]) as body:
                whole: bytes = body.read()
        except Absent:
            return None
        if not whole[-MARK:].startswith(_BEGIN):
            raise Unworkable(f"{where['Key']} was not put there by gpudev", hint="Take it away, or use another bucket.")
        return _stored(key, found, len(whole)), whole

    def _is_there(self, key: str) -> bool:
        """Say whether there is such a blob, by a list: a HEAD says 404 of a bucket that is not there as well."""
        where = self._where(key)
        listed = self._s3.one(
            f"look for {key}", "list_objects_v2", Bucket=where["Bucket"], Prefix=where["Key"], MaxKeys=1
        )
        return [each["Key"] for each in listed.get("Contents") or []] == [where["Key"]]

    def _where(self, key: str) -> dict[str, str]:
        if not _KEY.match(key) or any(part in ("", ".", "..") for part in key.split("/")):
            raise InvalidRequest(f"{key[:80]!r} cannot be the key of an object", field="key")
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _encryption(self) -> dict[str, Any]:
        if not self._settings.kms_key:
            return {}
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._settings.kms_key, "BucketKeyEnabled": True}

    @property
    def _bucket(self) -> str:
        if not self._settings.bucket:
            hint = "Set `bucket` of the backend to an S3 bucket that is gpudev's."
            raise MissingAbility("this backend has no bucket for objects", hint=hint)
        return self._settings.bucket

    @property
    def _prefix(self) -> str:
        return f"gpudev/{self._install}/"

    @property
    def _s3(self) -> Calls:
        return Calls(self.session, "s3")


def _stored(key: str, found: Any, whole: int) -> StoredObject:
    size = max(0, whole - MARK)
    return StoredObject(key=key, version=found["ETag"], size_bytes=size, stored_at=found["LastModified"])
