"""The JSON API of Cloud Storage, as far as its client uses it for us: https://cloud.google.com/storage/docs/json_api/v1

Objects have generations and checksums; preconditions are kept on uploads, reads and deletes.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import google_crc32c

from tests.unit.gcp_more.web import Asked, Reply, Web


class Failed(Exception):
    def __init__(self, status: int, message: str, reason: str) -> None:
        super().__init__(message)
        error = {"code": status, "message": message, "errors": [{"message": message, "reason": reason}]}
        self.reply = Reply.of({"error": error}, status)


@attrs.frozen
class Stored:
    generation: int
    content: bytes
    metadata: dict[str, str] = attrs.field(factory=dict)


@attrs.define
class FakeStorage:
    """One bucket."""

    web: Web = attrs.field(factory=Web)
    bucket: str = "lab"
    objects: dict[str, Stored] = attrs.field(factory=dict)
    #: How many objects a page of a list has at most.
    page: int = 1000
    #: What happens just before a request is carried out.
    before: list = attrs.field(factory=list)
    _generation: int = 1_700_000_000_000_000
    _begun: dict[str, tuple[dict, dict]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.web.answer = self.answer

    def put(self, name: str, content: bytes, metadata: dict[str, str] | None = None) -> None:
        """Store an object, as somebody else may do too."""
        self._generation += 1
        self.objects[name] = Stored(self._generation, content, metadata or {})

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        kind, _, rest = parts.path.partition("/storage/v1/b/")
        bucket, _, name = rest.partition("/o")
        try:
            for each in self.before:
                each(asked)
            if bucket != self.bucket:
                raise Failed(404, "The specified bucket does not exist.", "notFound")
            if kind == "/upload":
                return self._upload(asked, query)
            if not name:
                return self._list(query)
            return self._one(asked, unquote(name.removeprefix("/")), query)
        except Failed as failed:
            return failed.reply

    def _upload(self, asked: Asked, query: dict[str, str]) -> Reply:
        if query["uploadType"] == "multipart":
            told, content = _parts(asked)
            return self._store(told, content, query)
        if asked.verb == "POST":
            told = asked.json()
            self._check(told["name"], query)
            begun = f"upload-{len(self._begun)}"
            self._begun[begun] = told, query
            place = f"{self.web.address}/upload/storage/v1/b/{self.bucket}/o?uploadType=resumable&upload_id={begun}"
            return Reply.of({}, Location=place)
        told, condition = self._begun.pop(query["upload_id"])
        return self._store(told, asked.body, condition)

    def _store(self, told: dict, content: bytes, query: dict[str, str]) -> Reply:
        self._check(told["name"], query)
        if "crc32c" in told and told["crc32c"] != _crc(content):
            raise Failed(400, "Provided CRC32C doesn't match calculated CRC32C.", "invalid")
        self.put(told["name"], content, told.get("metadata"))
        return Reply.of(self._resource(told["name"]))

    def _check(self, name: str, query: dict[str, str]) -> None:
        there = self.objects.get(name)
        if "ifGenerationMatch" in query and int(query["ifGenerationMatch"]) != (there.generation if there else 0):
            message = "At least one of the pre-conditions you specified did not hold."
            raise Failed(412, message, "conditionNotMet")

    def _one(self, asked: Asked, name: str, query: dict[str, str]) -> Reply:
        if name not in self.objects:
            raise Failed(404, f"No such object: {self.bucket}/{name}", "notFound")
        self._check(name, query)
        if asked.verb == "DELETE":
            del self.objects[name]
            return Reply(status=204)
        if query.get("alt") == "media":
            content = self.objects[name].content
            headers = {"X-Goog-Hash": f"crc32c={_crc(content)}", "Content-Type": "application/octet-stream"}
            return Reply(body=content, headers=headers)
        return Reply.of(self._resource(name))

    def _list(self, query: dict[str, str]) -> Reply:
        names = sorted(name for name in self.objects if name.startswith(query.get("prefix", "")))
        begin = int(query.get("pageToken") or 0)
        answer: dict = {"kind": "storage#objects"}
        shown = names[begin : begin + self.page]
        if shown:
            answer["items"] = [self._resource(name) for name in shown]
        if names[begin + self.page :]:
            answer["nextPageToken"] = str(begin + self.page)
        return Reply.of(answer)

    def _resource(self, name: str) -> dict:
        stored = self.objects[name]
        now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        size, generation = str(len(stored.content)), str(stored.generation)
        checksum = _crc(stored.content)
        plain = {"name": name, "generation": generation, "size": size, "crc32c": checksum, "updated": now}
        return plain | ({"metadata": stored.metadata} if stored.metadata else {})


def _parts(asked: Asked) -> tuple[dict, bytes]:
    """Read an upload of metadata and content in one: https://cloud.google.com/storage/docs/uploading-objects#multipart"""
    mark = b"--" + re.search(r'boundary="?([^";]+)', asked.headers["content-type"])[1].encode()
    _, first, second, end = asked.body.split(mark)
    assert end.strip() == b"--"
    told, content = (part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in (first, second))
    return json.loads(told), content


def _crc(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
