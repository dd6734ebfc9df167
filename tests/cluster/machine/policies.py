"""What NetworkPolicies mean, as rules of iptables. Pure; `policies_enforcer` keeps them in place.

https://kubernetes.io/docs/concepts/services-networking/network-policies/

- Rules see a pod's own address: those of services are translated before. A block of addresses means pods in it, too.
- A pod is always let in from its own node, whose packets to it are not judged (they are the kernel's OUTPUT), and to itself.
- The documentation lets a pod always reach its node as well; most networks judge that, and so does this: it is stricter.
- What belongs to a connection that stands is let through, also when a later policy would have refused it.
- An address of the pods' network that is not known to be anybody's is closed both ways.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

import attrs

from tests.cluster.machine.policies_read import EGRESS, INGRESS, Peer, Policy, Port, Rule, Unsupported

#: The chains' names begin as those of network plugins do, so they go with the cluster (`network.CHAINS`).
CHAIN = "CNI-NP"
#: After services' addresses were translated, and before the first rule of kube-proxy, which lets some packets through.
TABLE = "mangle"
ANYWHERE = "0.0.0.0/0"
#: How the other end of a packet is called, whose rules come first, and the words of a chain's name.
_ENDS = {EGRESS: ("-s", "-d", "OUT"), INGRESS: ("-d", "-s", "IN")}


@attrs.frozen
class Pod:
    """A pod that has an address of the pods' network."""

    namespace: str
    address: str
    labels: Mapping[str, str]
    #: Numbers by protocol and name.
    ports: Mapping[tuple[str, str], int] = attrs.field(factory=dict)


@attrs.frozen
class Scene:
    """All that rules are made of."""

    pods: Sequence[Pod]
    #: The labels of each namespace.
    namespaces: Mapping[str, Mapping[str, str]]
    policies: Sequence[Policy]


@attrs.frozen
class _Allowed:
    network: str
    #: None of a pod that has no port of that name; without numbers, all ports; without a protocol, everything.
    protocol: str = ""
    ports: str = ""


def chains(scene: Scene, network: str) -> dict[str, list[str]]:
    """Return the rules of each chain, `CHAIN` the first: packets that come back from it have passed."""
    made = {
        CHAIN: [
            "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN",
            f"-s {network} -j {CHAIN}-OUT",
            f"-d {network} -j {CHAIN}-IN",
        ]
    }
    gateway = next(ipaddress.ip_network(network).hosts())
    for direction, (here, _, word) in _ENDS.items():
        whose = [f"{here} {gateway} -j RETURN"]
        for pod in scene.pods:
            allowed = _allowed(scene, pod, direction)
            name = f"{CHAIN}-{word}-{pod.address}"
            whose.append(f"{here} {pod.address} {'-j RETURN' if allowed is None else f'-g {name}'}")
            if allowed is not None:
                made[name] = [*dict.fromkeys(_text(each, direction) for each in allowed), "-j DROP"]
        made[f"{CHAIN}-{word}"] = [*whose, "-j DROP"]
    return made


def _allowed(scene: Scene, pod: Pod, direction: str) -> list[_Allowed] | None:
    """Return what may pass; None where no policy isolates the pod in that direction."""
    policies = [
        each
        for each in scene.policies
        if direction in each.rules and each.namespace == pod.namespace and each.selector.matches(pod.labels)
    ]
    if not policies:
        return None
    passing = [_Allowed(pod.address)]
    for policy in policies:
        for rule in policy.rules[direction]:
            passing += _of_rule(scene, policy.namespace, rule, pod if direction == INGRESS else None)
    return passing


def _of_rule(scene: Scene, namespace: str, rule: Rule, target: Pod | None) -> Iterator[_Allowed]:
    """Yield what a rule lets through; `target` is whose ports are named, unless they are each peer's own."""
    named = target is None and any(isinstance(port.number, str) for port in rule.ports)
    for network, peer in _places(scene, namespace, rule.peers, each_pod=named):
        for port in rule.ports:
            yield from _of_port(network, port, target or peer)
        if not rule.ports:
            yield _Allowed(network)


def _places(scene: Scene, namespace: str, peers: Sequence[Peer], each_pod: bool) -> Iterator[tuple[str, Pod | None]]:
    """Yield networks, with the pod that one is."""
    for peer in peers:
        for network in peer.networks or ():
            yield network, None
        if peer.networks is None:
            for pod in scene.pods:
                if _is_meant(scene, namespace, peer, pod):
                    yield pod.address, pod
    if not peers:
        yield ANYWHERE, None
        if each_pod:
            yield from ((pod.address, pod) for pod in scene.pods)


def _is_meant(scene: Scene, namespace: str, peer: Peer, pod: Pod) -> bool:
    if peer.namespaces is None:
        there = pod.namespace == namespace
    else:
        there = peer.namespaces.matches(scene.namespaces.get(pod.namespace, {}))
    return there and peer.pods.matches(pod.labels)


def _of_port(network: str, port: Port, whose: Pod | None) -> Iterator[_Allowed]:
    if isinstance(port.number, str):
        if whose is None and network != ANYWHERE:
            raise Unsupported(f"the port {port.number} of addresses that are no pod's")
        number = None if whose is None else whose.ports.get((port.protocol, port.number))
        if number is not None:
            yield _Allowed(network, port.protocol, str(number))
        return
    ports = "" if port.number is None else f"{port.number}:{port.last or port.number}"
    yield _Allowed(network, port.protocol, ports)


def _text(allowed: _Allowed, direction: str) -> str:
    there = _ENDS[direction][1]
    words = [] if allowed.network == ANYWHERE else [there, allowed.network]
    words += ["-p", allowed.protocol.lower()] if allowed.protocol else []
    words += ["--dport", allowed.ports] if allowed.ports else []
    return " ".join([*words, "-j RETURN"])


def restoring(wanted: Mapping[str, list[str]], there: Sequence[str], leading: Sequence[str]) -> str:
    """Return what `iptables-restore --noflush` is told: the chains, those that are there and no longer wanted, and a rule
    at the head of each of the kernel's chains that does not lead to ours yet; all at once."""
    old = [name for name in there if name not in wanted]
    lines = [f":{name} - [0:0]" for name in [*wanted, *old]]
    lines += [f"-A {name} {rule}" for name, rules in wanted.items() for rule in rules]
    lines += [f"-X {name}" for name in old]
    lines += [f"-I {name} 1 -j {CHAIN}" for name in leading]
    return "\n".join([f"*{TABLE}", *lines, "COMMIT", ""])
