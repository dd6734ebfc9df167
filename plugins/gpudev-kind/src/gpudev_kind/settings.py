"""What an operator may say about a kind cluster; compute and storage share it."""

from __future__ import annotations

import re
from typing import Any

import attrs

from gpudev_sdk.kube.settings import KubeSettings

#: What kind takes for the name of a cluster; it also has to fit into names of nodes and contexts.
_CLUSTER = re.compile(r"[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?\Z")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
#: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names ; empty is none.
_ACCOUNT = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?\Z")
#: A folder that a script can be given: absolute, with nothing that leads elsewhere.
_FOLDER = re.compile(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+\Z")


def _like(pattern: re.Pattern[str], what: str) -> Any:
    def check(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
        if not pattern.match(value):
            raise ValueError(f"{attribute.name}: {value[:80]!r} is not {what}")

    return check


def _context(settings: Any) -> str:
    return f"kind-{settings.cluster}"


@attrs.frozen(kw_only=True)
class KindSettings(KubeSettings):
    """Those of any cluster, and where kind's own differ."""

    #: What kind calls the cluster.
    cluster: str = attrs.field(default="gpudev", validator=_like(_CLUSTER, "a cluster's name: a-z, 0-9, dots and -"))
    #: A context of the kubeconfig: the one that kind makes. Empty is the current one.
    context: str = attrs.field(default=attrs.Factory(_context, takes_self=True))
    #: What kind's nodes run; empty is kind's own choice.
    node_image: str = ""
    #: Where disks lie on the nodes.
    folder: str = attrs.field(default="/var/lib/gpudev", validator=_like(_FOLDER, "an absolute path of plain names"))
    #: Where our short pods work on disks; it allows them host paths.
    helper_namespace: str = attrs.field(default="gpudev-kind", validator=_like(_NAMESPACE, "a namespace's name"))
    #: What they run; empty is the image with the boxes' tools.
    helper_image: str = ""
    #: Disks and snapshots stop before less than this is free on a node.
    free_floor_bytes: int = attrs.field(default=2**30, validator=attrs.validators.ge(0))

    @property
    def helper(self) -> str:
        """Return the image of the short pods."""
        return self.helper_image or self.tools_image


@attrs.frozen(kw_only=True)
class KindLoginSettings:
    """What `[logins.NAME.kind]` may say; on a person's own machine, all is as it is here."""

    cluster: str = attrs.field(default="gpudev", validator=_like(_CLUSTER, "a cluster's name: a-z, 0-9, dots and -"))
    kubeconfig: str = ""
    context: str = attrs.field(default=attrs.Factory(_context, takes_self=True))
    #: Where the accounts of people are; one of another namespace is nobody.
    namespace: str = attrs.field(default="gpudev-people", validator=_like(_NAMESPACE, "a namespace's name"))
    #: Whose token to ask for; empty is the account called like this user.
    account: str = attrs.field(default="", validator=_like(_ACCOUNT, "an account's name"))
