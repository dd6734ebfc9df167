"""The kinds of objects we touch, and the paths under which an API server has them.

Paths are those of the Kubernetes API concepts: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

from typing import Any

import attrs

#: An object of Kubernetes as JSON has it.
Json = dict[str, Any]


@attrs.frozen
class Kind:
    """One kind of object."""

    name: str
    group_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str, name: str | None = None) -> str:
        """Return the path of one object, or of all."""
        root = f"/apis/{self.group_version}" if "/" in self.group_version else f"/api/{self.group_version}"
        within = f"/namespaces/{namespace}" if self.namespaced else ""
        return f"{root}{within}/{self.plural}" + (f"/{name}" if name else "")

    def body(self, metadata: Json, **parts: Any) -> Json:
        """Return an object of this kind."""
        return {"apiVersion": self.group_version, "kind": self.name, "metadata": metadata, **parts}


POD = Kind("Pod", "v1", "pods")
CONFIG_MAP = Kind("ConfigMap", "v1", "configmaps")
SECRET = Kind("Secret", "v1", "secrets")
EVENT = Kind("Event", "v1", "events")
SERVICE = Kind("Service", "v1", "services")
CLAIM = Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
SNAPSHOT = Kind("VolumeSnapshot", "snapshot.storage.k8s.io/v1", "volumesnapshots")
NETWORK_POLICY = Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
ROLE = Kind("Role", "rbac.authorization.k8s.io/v1", "roles")
ROLE_BINDING = Kind("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings")
SERVICE_ACCOUNT = Kind("ServiceAccount", "v1", "serviceaccounts")
NAMESPACE = Kind("Namespace", "v1", "namespaces", namespaced=False)
NODE = Kind("Node", "v1", "nodes", namespaced=False)
VOLUME = Kind("PersistentVolume", "v1", "persistentvolumes", namespaced=False)
STORAGE_CLASS = Kind("StorageClass", "storage.k8s.io/v1", "storageclasses", namespaced=False)
CSI_NODE = Kind("CSINode", "storage.k8s.io/v1", "csinodes", namespaced=False)
ATTACHMENT = Kind("VolumeAttachment", "storage.k8s.io/v1", "volumeattachments", namespaced=False)
CLUSTER_ROLE = Kind("ClusterRole", "rbac.authorization.k8s.io/v1", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Kind(
    "ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "clusterrolebindings", namespaced=False
)
#: Pods of every namespace, which a cluster may not let us see.
POD_ANYWHERE = Kind("Pod", "v1", "pods", namespaced=False)
