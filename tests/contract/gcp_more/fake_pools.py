"""Node pools and the groups of machines behind them, over HTTP: the Container API and a part of Compute's.

What is begun is done after it was looked at a few times: a machine that is deleted stays in its group's list for a while.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import attrs

from tests.unit.gcp_more.web import Asked, Reply, Web

PROJECT = "my-lab-123456"
_GROUP = re.compile(
    rf"/compute/v1/projects/{PROJECT}/zones/([a-z0-9-]+)/instanceGroupManagers/([a-z0-9-]+)(?:/(\w+))?\Z"
)
_POOLS = f"/v1/projects/{PROJECT}/locations/us-central1/clusters/gpu-dev/nodePools"


def failed(status: int, message: str, reason: str = "invalid") -> Reply:
    error = {"code": status, "message": message, "errors": [{"message": message, "reason": reason}]}
    return Reply.of({"error": error}, status)


@attrs.define
class FakeGroup:
    """A managed instance group."""

    zone: str
    name: str
    size: int = 0
    #: By name: what is being done to it, and for how many looks more.
    machines: dict[str, list] = attrs.field(factory=dict)

    def url(self) -> str:
        return f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{self.zone}/instanceGroupManagers/{self.name}"

    def look(self) -> None:
        for name, state in list(self.machines.items()):
            state[1] -= 1
            if state[1] <= 0 and state[0] == "DELETING":
                del self.machines[name]
            elif state[1] <= 0:
                state[0] = "NONE"


@attrs.define
class FakePools:
    """One cluster."""

    web: Web = attrs.field(factory=Web)
    pools: list[dict] = attrs.field(factory=list)
    groups: list[FakeGroup] = attrs.field(factory=list)
    reservations: list[dict] = attrs.field(factory=list)
    #: What became of what was begun, where that is told at once.
    error: dict | None = None
    page: int = 500
    #: Machines that are in no group.
    loose: dict[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.web.answer = self.answer

    def add(self, name: str, zones: dict[str, int], **more) -> dict:
        """Make a pool with so many machines in each zone."""
        made = []
        for zone, count in zones.items():
            group = FakeGroup(zone, f"gke-gpu-dev-{name}-{zone[-1]}-grp", count)
            for number in range(count):
                group.machines[f"gke-gpu-dev-{name}-{zone[-1]}-{number}"] = ["NONE", 0]
            made.append(group)
        self.groups += made
        pool = {"name": name, "locations": list(zones), "instanceGroupUrls": [group.url() for group in made]} | more
        self.pools.append(pool)
        return pool

    def of(self, name: str) -> list[FakeGroup]:
        urls = next(pool for pool in self.pools if pool["name"] == name)["instanceGroupUrls"]
        return [group for group in self.groups if group.url() in urls]

    def machines(self, name: str) -> set[str]:
        """Return what a pool has, as whoever looks at the machines sees it."""
        for group in self.of(name):
            group.look()
        return {each for group in self.of(name) for each in group.machines}

    def changes(self) -> list[tuple[str, dict]]:
        """Return what was asked for that changes something."""
        return [
            (asked.target.split("?")[0].rpartition("/")[2], asked.json())
            for asked in self.web.asked
            if asked.verb == "POST" and "listManaged" not in asked.target
        ]

    def answer(self, asked: Asked) -> Reply:
        parts = urlsplit(asked.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == _POOLS:
            return Reply.of({"nodePools": self.pools} if self.pools else {})
        if parts.path == f"/compute/v1/projects/{PROJECT}/aggregated/reservations":
            return Reply.of({"items": _scoped(self.reservations, "reservations")})
        if parts.path == f"/compute/v1/projects/{PROJECT}/aggregated/instances":
            return self._instances(query["filter"])
        found = _GROUP.match(parts.path)
        group = next((each for each in self.groups if found and (each.zone, each.name) == found.group(1, 2)), None)
        if found is None or group is None:
            return failed(404, f"The resource '{parts.path.removeprefix('/compute/v1/')}' was not found", "notFound")
        return self._group(group, found[3], asked, query)

    def _group(self, group: FakeGroup, verb: str | None, asked: Asked, query: dict[str, str]) -> Reply:
        if verb is None:
            base = group.name.removesuffix("-grp")
            return Reply.of({"name": group.name, "targetSize": group.size, "baseInstanceName": base})
        if verb == "listManagedInstances":
            return self._listed(group, query)
        if self.error is not None:
            return Reply.of(self._operation(error={"errors": [self.error]}, status="DONE"))
        change = {"createInstances": self._create, "deleteInstances": self._delete}[verb]
        return change(group, asked.json()["instances"]) or Reply.of(self._operation(status="RUNNING"))

    def _create(self, group: FakeGroup, instances: list[dict]) -> Reply | None:
        names = [each["name"] for each in instances]
        if any(name in group.machines for name in names):
            return failed(409, "The instance already exists", "alreadyExists")
        assert all(len(name) <= 63 for name in names)
        group.machines |= {name: ["CREATING", 2] for name in names}
        group.size += len(names)
        return None

    def _delete(self, group: FakeGroup, urls: list[str]) -> Reply | None:
        for url in urls:
            zone, name = url.split("/")[1], url.split("/")[3]
            if zone != group.zone or name not in group.machines or group.machines[name][0] == "DELETING":
                return failed(400, f"Invalid value for field 'instances': {name} is not a member of the group")
            group.machines[name] = ["DELETING", 3]
            group.size -= 1
        return None

    def _listed(self, group: FakeGroup, query: dict[str, str]) -> Reply:
        group.look()
        base = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{group.zone}/instances/"
        everyone = [
            {"name": name, "instance": base + name, "currentAction": state[0]} for name, state in group.machines.items()
        ]
        begin, size = int(query.get("pageToken") or 0), min(self.page, int(query["maxResults"]))
        answer: dict = {"managedInstances": everyone[begin : begin + size]}
        if everyone[begin + size :]:
            answer["nextPageToken"] = str(begin + size)
        return Reply.of(answer)

    def _instances(self, criteria: str) -> Reply:
        name = re.fullmatch(r'name="(.+)"', criteria)[1]
        zones = [group.zone for group in self.groups if name in group.machines]
        zones += [zone for each, zone in self.loose.items() if each == name]
        return Reply.of({"items": _scoped([{"name": name, "zone": f"zones/{zone}"} for zone in zones], "instances")})

    def _operation(self, **more) -> dict:
        return {"name": "operation-1", "operationType": "compute.instanceGroupManagers.createInstances"} | more


def _scoped(items: list[dict], key: str) -> dict:
    """Return a list over all zones: those that have none are told with a warning."""
    scopes: dict = {"zones/europe-west4-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
    for each in items:
        scopes.setdefault(f"zones/{each['zone'].rpartition('/')[2]}", {key: []})[key].append(each)
    return scopes
