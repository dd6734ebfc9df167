"""The API of Filestore, as far as shares use it. An instance is ready, or gone, after it was looked at a few times."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import attrs

from tests.unit.gcp_more.web import Asked, Reply, Web

PARENT = "/v1/projects/my-lab-123456/locations/"


def failed(status: int, message: str, code: str) -> Reply:
    return Reply.of({"error": {"code": status, "message": message, "status": code}}, status)


@attrs.define
class FakeFilestore:
    """One project."""

    web: Web = attrs.field(factory=Web)
    instances: dict[str, dict] = attrs.field(factory=dict)
    unreachable: list[str] = attrs.field(factory=list)
    page: int = 500
    #: How often an instance is looked at before it gets into its next state.
    takes: int = 2
    #: What becomes of the next create.
    error: dict | None = None

    def __attrs_post_init__(self) -> None:
        self.web.answer = self.answer

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.target)
        assert parts.path.startswith(PARENT), asked.target
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        location, _, rest = parts.path.removeprefix(PARENT).partition("/instances")
        if asked.verb == "POST":
            return self._create(location, query["instanceId"], asked.json())
        if asked.verb == "DELETE":
            return self._delete(f"projects/my-lab-123456/locations/{location}/instances{rest}")
        assert (location, rest) == ("-", "")
        return self._list(query)

    def _create(self, location: str, name: str, body: dict) -> Reply:
        full = f"projects/my-lab-123456/locations/{location}/instances/{name}"
        if full in self.instances:
            return failed(409, f"Resource '{full}' already exists", "ALREADY_EXISTS")
        if self.error is not None:
            return Reply.of({"name": "operations/1", "done": True, "error": self.error})
        assert len(name) <= 63
        assert all(len(share["name"]) <= 16 for share in body["fileShares"])
        self.instances[full] = {"name": full, "state": "CREATING", "left": self.takes} | body
        return Reply.of({"name": "operations/1", "done": False})

    def _delete(self, full: str) -> Reply:
        there = self.instances.get(full)
        if there is None:
            return failed(404, f"Resource '{full}' was not found", "NOT_FOUND")
        if there["state"] == "CREATING":
            return failed(400, "The instance is being created", "FAILED_PRECONDITION")
        there |= {"state": "DELETING", "left": self.takes}
        return Reply.of({"name": "operations/2", "done": False})

    def _list(self, query: dict[str, str]) -> Reply:
        for full, each in list(self.instances.items()):
            each["left"] -= 1
            if each["left"] <= 0 and each["state"] == "CREATING":
                each["state"] = "READY"
                each["networks"] = [network | {"ipAddresses": ["10.0.0.2"]} for network in each["networks"]]
            if each["left"] <= 0 and each["state"] == "DELETING":
                del self.instances[full]
        begin = int(query.get("pageToken") or 0)
        everything = [{name: part for name, part in each.items() if name != "left"} for each in self.instances.values()]
        answer: dict = {"instances": everything[begin : begin + self.page]}
        if everything[begin + self.page :]:
            answer["nextPageToken"] = str(begin + self.page)
        if self.unreachable:
            answer["unreachable"] = self.unreachable
        return Reply.of(answer)
