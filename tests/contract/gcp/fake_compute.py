"""The Compute REST API over HTTP on this machine, for what gpudev uses of it, with the faults that a test asks for.

Paths and forms: https://cloud.google.com/compute/docs/reference/rest/v1 ; filters: the two forms that gpudev writes.
"""

from __future__ import annotations

import base64
import http.server
import json
import re
import socket
import threading
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import attrs

from tests.contract.gcp.fake_compute_world import PROJECT, ZONES, Answer, Json, World, invalid, not_found

_PATH = re.compile(
    r"/compute/v1/projects/([^/]+)/(aggregated|global|zones/[^/]+)/([a-zA-Z]+)(?:/([^/]+))?(?:/([a-zA-Z]+))?\Z"
)
_CLUSTER = re.compile(r"/v1/projects/([^/]+)/locations/([^/]+)/clusters/([^/]+)\Z")
_EXACT = re.compile(r'(name|labels\.[a-z0-9_-]+)="([^"]*)"\Z')
_LIKE = re.compile(r"(targetLink) eq (.+)\Z")
_VERBS = {"GET": "get", "POST": "create", "DELETE": "delete"}


@attrs.frozen
class Call:
    """One call."""

    verb: str
    path: str
    options: dict[str, str] = attrs.field(factory=dict, repr=False)


#: What happens to a call: None (nothing), "cut" before it is carried out, "lose" its answer afterwards, or a refusal.
Trouble = Callable[[Call], "str | Answer | None"]


@attrs.define
class FakeCompute:
    """The server."""

    world: World = attrs.field(factory=World)
    calls: list[Call] = attrs.field(factory=list)
    trouble: Trouble = attrs.field(default=lambda call: None)
    #: Permissions that we lack, such as `compute.disks.create`.
    denied: set[str] = attrs.field(factory=set)
    #: Zones that lists do not reach.
    unreachable: set[str] = attrs.field(factory=set)
    #: What lists do not show yet, by kind.
    hidden: set[str] = attrs.field(factory=set)
    #: Clusters by their path; what is not here is not found.
    clusters: dict[str, Json] = attrs.field(factory=dict)
    #: What the token endpoint answers: a status and a body.
    token: tuple[int, Json] = (200, {"access_token": "fake", "expires_in": 3600, "token_type": "Bearer"})
    #: The tokens that calls came with.
    bearers: list[str] = attrs.field(factory=list)
    #: Connections that are open.
    connections: int = 0
    _changed: threading.Condition = attrs.field(factory=threading.Condition)
    _server: http.server.ThreadingHTTPServer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def count(self, change: int) -> None:
        """Note that a connection came or went."""
        with self._changed:
            self.connections += change
            self._changed.notify_all()

    def is_left(self, seconds: float = 10.0) -> bool:
        """Wait until nobody is connected; say whether that came to be."""
        with self._changed:
            return self._changed.wait_for(lambda: self.connections == 0, seconds)

    def writes(self) -> list[Call]:
        """Return the calls that change something."""
        return [call for call in self.calls if call.verb != "GET"]

    def answer(self, call: Call, body: Json) -> Json:
        """Carry a call out."""
        if call.path.startswith("/v1/"):
            return self._cluster(call)
        match = _PATH.match(call.path)
        if match is None:
            raise Answer(404, "", f"no such page: {call.path}")
        project, place, kind, name, action = match.groups()
        if project != PROJECT:
            raise not_found(f"projects/{project}")
        zone = place.removeprefix("zones/") if place.startswith("zones/") else ""
        if zone and zone not in ZONES:
            raise invalid(f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
        self._permit(call.verb, kind, name, action, zone)
        with self.world.lock:
            if call.verb == "GET":
                self.world.look()
            if name is None and call.verb == "GET":
                return self._list(place, kind, zone, call.options)
            return self._one(call, kind, name, zone, action, body)

    def _permit(self, verb: str, kind: str, name: str | None, action: str | None, zone: str) -> None:
        what = "list" if verb == "GET" and name is None else action or _VERBS[verb]
        permission = f"compute.{kind}.{what}"
        if permission in self.denied:
            where = f"projects/{PROJECT}/" + (f"zones/{zone}/" if zone else "") + f"{kind}/{name or 'x'}"
            raise Answer(403, "forbidden", f"Required '{permission}' permission for '{where}'")

    def _one(self, call: Call, kind: str, name: str | None, zone: str, action: str | None, body: Json) -> Json:
        world, request_id = self.world, call.options.get("requestId", "")
        if kind == "operations" and name in world.operations:
            return world.operations[name]
        if action == "setLabels":
            found = world.get_disk(zone, name or "") if kind == "disks" else world.get_snapshot(name or "")
            return world.set_labels(found, body)
        done = {
            ("GET", "disks"): lambda: world.get_disk(zone, name or ""),
            ("POST", "disks"): lambda: world.insert_disk(zone, body, request_id),
            ("DELETE", "disks"): lambda: world.delete_disk(zone, name or ""),
            ("GET", "snapshots"): lambda: world.get_snapshot(name or ""),
            ("POST", "snapshots"): lambda: world.insert_snapshot(body, request_id),
            ("DELETE", "snapshots"): lambda: world.delete_snapshot(name or ""),
        }.get((call.verb, kind))
        if done is None:
            raise not_found(f"projects/{PROJECT}/{kind}/{name}")
        return done()

    def _list(self, place: str, kind: str, zone: str, options: dict[str, str]) -> Json:
        things = () if kind in self.hidden else getattr(self.world, kind).values()
        found = [each for each in things if _matches(each, options.get("filter", ""))]
        scopes = place == "aggregated"
        if not scopes:
            found = [each for each in found if each.get("zone", "").rpartition("/")[2] == zone]
        start, most = int(options.get("pageToken") or 0), int(options.get("maxResults") or 500)
        page = found[start : start + most]
        more = {"nextPageToken": str(start + most)} if start + most < len(found) else {}
        return {"items": self._scoped(kind, page) if scopes else page} | more

    def _scoped(self, kind: str, page: list[Json]) -> Json:
        """Return a page by scope; one without results says so, and so does one that is not reached."""
        scopes = {}
        for scope in ("global", *(f"zones/{zone}" for zone in ZONES)):
            mine = [each for each in page if _scope(each) == scope]
            code = "UNREACHABLE" if scope.removeprefix("zones/") in self.unreachable else "NO_RESULTS_ON_PAGE"
            empty = {"warning": {"code": code, "message": f"There are no results for scope '{scope}' on this page."}}
            scopes[scope] = {kind: mine} if mine and code != "UNREACHABLE" else empty
        return scopes

    def _cluster(self, call: Call) -> Json:
        if "container.clusters.get" in self.denied:
            said = 'Required "container.clusters.get" permission(s) for "projects/x".'
            raise Answer(403, "forbidden", said)
        match = _CLUSTER.match(call.path)
        if match is None or call.path.removeprefix("/v1/") not in self.clusters:
            raise Answer(404, "notFound", f"Not found: {call.path.removeprefix('/v1/')}.")
        return self.clusters[call.path.removeprefix("/v1/")]

    def add_cluster(self, name: str, location: str, endpoint: str, ca_pem: str) -> None:
        """Put a cluster there."""
        encoded = base64.b64encode(ca_pem.encode()).decode()
        auth = {"clusterCaCertificate": encoded} if ca_pem else {}
        status = "RUNNING" if endpoint else "PROVISIONING"
        path = f"projects/{PROJECT}/locations/{location}/clusters/{name}"
        self.clusters[path] = {"name": name, "endpoint": endpoint, "status": status, "masterAuth": auth}


class _Handler(http.server.BaseHTTPRequestHandler):
    fake: FakeCompute
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.fake.count(1)

    def finish(self) -> None:
        super().finish()
        self.fake.count(-1)

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_GET

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if parts.path == "/token":
            return self._send(*self.fake.token)
        call = Call(self.command, parts.path, dict(parse_qsl(parts.query)))
        self.fake.calls.append(call)
        self.fake.bearers.append(self.headers.get("Authorization", ""))
        trouble = self.fake.trouble(call)
        if trouble == "cut":
            return self._cut()
        try:
            if isinstance(trouble, Answer):
                raise trouble
            status, body = 200, self.fake.answer(call, json.loads(raw or b"{}"))
        except Answer as refusal:
            status, body = refusal.status, _refused(refusal)
        return self._cut() if trouble == "lose" else self._send(status, body)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, body: Json) -> None:
        with self.fake.world.lock:
            content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _refused(refusal: Answer) -> Json:
    each = {"message": refusal.message, "domain": "global", "reason": refusal.reason}
    return {"error": {"code": refusal.status, "message": refusal.message, "errors": [each]}}


def _scope(item: Json) -> str:
    zone = item.get("zone", "").rpartition("/")[2]
    return f"zones/{zone}" if zone else "global"


def _matches(item: Json, criteria: str) -> bool:
    if not criteria:
        return True
    exact, like = _EXACT.match(criteria), _LIKE.match(criteria)
    if exact:
        field = exact[1]
        value = item.get("labels", {}).get(field[7:]) if field.startswith("labels.") else item.get(field)
        return value == exact[2]
    if like:
        return re.fullmatch(like[2], item.get(like[1], "")) is not None
    raise invalid(f"Invalid value for field 'filter': '{criteria}'.")
