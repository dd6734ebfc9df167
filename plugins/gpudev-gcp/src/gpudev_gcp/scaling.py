"""Machines that come and go: node pools of GKE, through the managed instance groups that they are made of.

Machines are added by names of ours (createInstances) and removed by theirs (deleteInstances), never by a number: of two who set a
group's size at once, the second might shrink it, and Google would choose whose machine goes.
https://cloud.google.com/compute/docs/reference/rest/v1/instanceGroupManagers
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from gpudev_gcp import instances, pools
from gpudev_gcp.apis import address
from gpudev_gcp.cluster import path
from gpudev_gcp.operations import raise_failed
from gpudev_gcp.pools import Group, Sized
from gpudev_gcp.session import PAGE, Session
from gpudev_sdk.errors import Conflict, MissingAbility, NotFound, TryLater, Unworkable
from gpudev_sdk.providers.scaling import CapacityReservation, NodePool, Scaling

_HOST = "container.googleapis.com"
#: What is being done to a machine that is as good as gone:
#: https://cloud.google.com/compute/docs/instance-groups/getting-info-about-migs#currentaction
_LEAVING = ("DELETING", "ABANDONING")
_RESOURCE = "instance_group_managers_{}_instances_request_resource"


class GcpScaling(Scaling):
    """A base for compute with a session; its settings name the cluster."""

    _session: Session

    def node_pools(self) -> tuple[NodePool, ...]:
        return tuple(self._read(each, self._sized(each)) for each in self._pools())

    def grow(self, pool: str, wanted: int) -> None:
        found = self._pool(pool)
        sized = self._sized(found)
        seen = self._read(found, sized)
        if wanted > seen.maximum:
            hint = "Raise the limits of its autoscaling in GKE, or ask for fewer."
            raise Unworkable(
                f"the pool {pool} has at most {seen.maximum} machines, and {wanted} are asked for", hint=hint
            )
        if wanted > seen.wanted and not sized:
            raise TryLater(f"the pool {pool} has no group of machines yet", delay=10.0)
        added = pools.spread(sized, max(0, wanted - seen.wanted))
        for each in sized:
            if each.group in added:
                self._add(each, added[each.group])

    def remove_node(self, pool: str, node: str) -> None:
        found = self._pool(pool)
        sized = self._sized(found)
        for each in sized:
            machine = self._machines(each.group).get(node)
            if machine is None:
                continue
            if machine in _LEAVING:
                return
            seen = self._read(found, sized)
            if seen.wanted <= seen.minimum:
                raise Conflict(f"the pool {pool} is kept at {seen.minimum} machines at least")
            self._delete(each.group, node)
            return
        if instances.find_zone(self._session, node) is not None:
            raise NotFound(f"the machine {node[:80]!r} is not of the pool {pool}")

    def capacity_reservations(self) -> tuple[CapacityReservation, ...]:
        what = "list reservations"
        pages = self._session.pages(what, self._session.client("ReservationsClient").aggregated_list)
        found = [each for page in pages for part in page.items.values() for each in part.reservations]
        ours = [each for each in found if self._is_here(_last(each.zone)) and each.specific_reservation.count]
        return tuple(sorted(map(_reservation, ours), key=lambda each: each.id))

    def _pools(self) -> list[pools.Json]:
        settings = self._session.settings
        if not settings.cluster:
            hint = "Say `cluster` and `cluster_location` of the backend."
            raise MissingAbility("only a cluster of GKE can grow and shrink", hint=hint)
        url = f"{address(settings, _HOST)}/v1/{path(settings)}/nodePools"
        found = self._session.rest("list node pools", "container", "GET", url)
        return [pool for pool in found.get("nodePools") or [] if pools.is_ours(pool, settings)]

    def _pool(self, name: str) -> pools.Json:
        for each in self._pools():
            if each["name"] == name:
                return each
        raise NotFound(f"there is no pool {name[:80]!r} in this cluster")

    def _read(self, pool: pools.Json, sized: list[Sized]) -> NodePool:
        return pools.read(pool, self._session.settings, sum(each.size for each in sized))

    @property
    def _managers(self) -> Any:
        return self._session.client("InstanceGroupManagersClient")

    def _sized(self, pool: pools.Json) -> list[Sized]:
        """Return a pool's groups; raise TryLater if one of them cannot be seen."""
        found = []
        for group in pools.groups_of(pool):
            seen = self._session.read(
                "look at a group of machines", self._managers.get, zone=group.zone, instance_group_manager=group.name
            )
            found.append(Sized(group, int(seen.target_size), seen.base_instance_name or group.name))
        return found

    def _machines(self, group: Group) -> dict[str, str]:
        """Return a group's machines by name, and what is being done to each."""
        where = {"zone": group.zone, "instance_group_manager": group.name, "max_results": PAGE}
        found: dict[str, str] = {}
        token = ""
        while True:
            method = self._managers.list_managed_instances
            pager = self._session.read("list machines", method, page_token=token, **where)
            page = next(iter(pager.pages))
            found |= {each.name or _last(each.instance): str(each.current_action) for each in page.managed_instances}
            token = page.next_page_token
            if not token:
                return found

    def _add(self, sized: Sized, count: int) -> None:
        names = pools.new_names(sized.base, set(self._machines(sized.group)), count)
        body = {"instances": [{"name": name} for name in names]}
        self._change("create", sized.group, body)

    def _delete(self, group: Group, node: str) -> None:
        self._change("delete", group, {"instances": [f"zones/{group.zone}/instances/{node}"]})

    def _change(self, verb: str, group: Group, body: Any) -> None:
        what, method = f"{verb} machines", getattr(self._managers, f"{verb}_instances_unary")
        request = {"zone": group.zone, "instance_group_manager": group.name, _RESOURCE.format(verb): body}
        raise_failed(self._session.write(what, method, **request), what)

    def _is_here(self, zone: str) -> bool:
        """Say whether a zone is one where this backend has machines."""
        settings = self._session.settings
        if settings.zones:
            return zone in settings.zones
        location = settings.cluster_location or settings.region
        return not location or zone == location or zone.rpartition("-")[0] == location


def _reservation(found: Any) -> CapacityReservation:
    machines = found.specific_reservation
    return CapacityReservation(
        id=f"{_last(found.zone)}/{found.name}",
        machine_type=_last(machines.instance_properties.machine_type),
        zone=_last(found.zone),
        total=int(machines.count),
        available=max(0, int(machines.count) - int(machines.in_use_count)),
        state=str(found.status).lower(),
        ends_at=dt.datetime.fromisoformat(found.delete_at_time) if found.delete_at_time else None,
    )


def _last(url: str) -> str:
    return url.rpartition("/")[2]
