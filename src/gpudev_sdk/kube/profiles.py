"""What a pod of each profile may do, as security contexts. Pure.

The ordinary one is lawful under *restricted*, `root` under *baseline*, `profiling` under neither:
https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

import attrs

from gpudev_sdk.domain.profiles import PROFILING, ROOT
from gpudev_sdk.errors import Unworkable
from gpudev_sdk.kube.kinds import Json

#: Who an ordinary person is in a box.
UID = 1000
#: What root of a box needs: to be anybody in it, and to let its SSH server fence itself in. Never MKNOD (CVE-2021-1056).
_ROOTS = (
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Profile:
    """What the manifest takes from a profile."""

    uid: int = UID
    capabilities: tuple[str, ...] = ()
    #: Whether it needs users of its own (True), cannot have them (False), or has them where it can (None).
    user_namespaces: bool | None = None

    @property
    def is_root(self) -> bool:
        """Whether the person is root in the box."""
        return self.uid == 0

    @property
    def key_mode(self) -> int:
        """The mode of the files with keys: an SSH server minds what is its own and open to others."""
        return 0o400 if self.is_root else 0o440

    def of_pod(self) -> Json:
        """Return the pod's security context."""
        common = {
            "runAsUser": self.uid,
            "runAsGroup": self.uid,
            "runAsNonRoot": not self.is_root,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        # A group would be let at the key files too, which root's SSH server then refuses.
        return common if self.is_root else {**common, "fsGroup": UID, "fsGroupChangePolicy": "OnRootMismatch"}

    def of_container(self) -> Json:
        """Return a container's."""
        capabilities: Json = {"drop": ["ALL"]}
        if self.capabilities:
            capabilities["add"] = list(self.capabilities)
        return {"allowPrivilegeEscalation": self.is_root, "capabilities": capabilities}

    def host_users(self, able: bool) -> Json:
        """Return the pod's `hostUsers`, on a node whose runtime is `able` to give it users of its own, or not."""
        if self.user_namespaces and not able:
            hint = "Ask for a box without the profile."
            raise Unworkable("its node cannot make root of a box nobody on the node", hint=hint)
        return {"hostUsers": False} if able and self.user_namespaces is not False else {}


_PROFILES = {
    None: Profile(),
    ROOT: Profile(uid=0, capabilities=_ROOTS, user_namespaces=True),
    # The right to look at counters counts only outside of a user namespace.
    PROFILING: Profile(uid=0, capabilities=(*_ROOTS, "SYS_ADMIN"), user_namespaces=False),
}


def of(name: str | None) -> Profile:
    """Return a profile by its name; raise Unworkable for one that pods do not have."""
    if name not in _PROFILES:
        raise Unworkable(f"a pod has no profile {str(name)[:40]!r}")
    return _PROFILES[name]
