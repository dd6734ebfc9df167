"""The machines behind nodes, as Compute Engine has them: https://cloud.google.com/compute/docs/reference/rest/v1/instances"""

from __future__ import annotations

from typing import Any

from gpudev_gcp import marks
from gpudev_gcp.session import Session
from gpudev_sdk.domain.gpu import Instance

#: GKE puts them on the instances of its nodes: https://cloud.google.com/kubernetes-engine/docs/how-to/creating-managing-labels
_CLUSTER, _LOCATION = "goog-k8s-cluster-name", "goog-k8s-cluster-location"


def find_zone(session: Session, node: str) -> str | None:
    """Return the zone of a node, whose name is its instance's; None if there is no such instance."""
    found = _all(session, "find a node's zone", marks.by_name(node))
    zones = {_last(each.zone) for each in found}
    # Names are of one zone each: of two, nobody can say which is the node.
    return zones.pop() if len(zones) == 1 else None


def of_cluster(session: Session) -> tuple[Instance, ...]:
    """Return the instances of the nodes of our cluster, by the ids that Kubernetes has of them."""
    cluster, location = session.settings.cluster, session.settings.cluster_location
    found = _all(session, "list instances", f'labels.{_CLUSTER}="{cluster}"')
    project = session.settings.project
    return tuple(
        Instance(
            id=f"gce://{project}/{_last(each.zone)}/{each.name}",
            type=_last(each.machine_type),
            zone=_last(each.zone),
            state=each.status.lower(),
        )
        for each in sorted(found, key=lambda each: str(each.name))
        if each.labels.get(_LOCATION, location) == location
    )


def _all(session: Session, what: str, criteria: str) -> list[Any]:
    pages = session.pages(what, session.instances.aggregated_list, filter=criteria)
    return [each for page in pages for part in page.items.values() for each in part.instances]


def _last(url: str) -> str:
    return url.rpartition("/")[2]
