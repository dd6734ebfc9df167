"""The profile *restricted* of Pod Security, for pods of Linux, as a list of what a pod breaks of it.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_SECCOMP = {"RuntimeDefault", "Localhost"}
_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}


def broken(pod: dict) -> list[str]:
    """Return the rules that a pod breaks, each with where."""
    spec = pod["spec"]
    found = list(_of_pod(pod, spec))
    for container in [*spec.get("initContainers", []), *spec["containers"], *spec.get("ephemeralContainers", [])]:
        found += [f"{container['name']}: {rule}" for rule in _of_container(spec.get("securityContext", {}), container)]
    return found


def _of_pod(pod: dict, spec: dict) -> Iterator[str]:
    yield from (f"{name} is the node's" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    for volume in spec.get("volumes", []):
        yield from (f"volume {volume['name']} is a {kind}" for kind in set(volume) - {"name"} - _VOLUMES)
    security = spec.get("securityContext", {})
    yield from (f"sysctl {each['name']}" for each in security.get("sysctls", []) if each["name"] not in _SYSCTLS)
    if security.get("runAsUser") == 0:
        yield "the pod runs as root"
    if any(name.startswith("container.apparmor.security.beta") for name in pod["metadata"].get("annotations", {})):
        yield "its AppArmor profile is overridden"


def _of_container(of_pod: dict, container: dict) -> Iterator[str]:
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    rules = {
        "it is privileged": own.get("privileged"),
        "it may win privileges": own.get("allowPrivilegeEscalation") is not False,
        "it may be root": own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True,
        "it is root": own.get("runAsUser") == 0,
        "it keeps capabilities": "ALL" not in capabilities.get("drop", []),
        "it adds capabilities": set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"},
        "it has no seccomp profile": _seccomp(own, of_pod) not in _SECCOMP,
        "its /proc is unmasked": own.get("procMount", "Default") != "Default",
        "it has a port of the node": any(port.get("hostPort") for port in container.get("ports", [])),
        "it is a process of Windows' host": own.get("windowsOptions", {}).get("hostProcess"),
    }
    yield from (rule for rule, is_broken in rules.items() if is_broken)


def _seccomp(own: dict, of_pod: dict) -> str | None:
    return (own.get("seccompProfile") or of_pod.get("seccompProfile") or {}).get("type")
