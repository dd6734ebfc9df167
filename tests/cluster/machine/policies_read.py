"""NetworkPolicies as values, read from the API's objects; what the enforcer of the tests does not know is refused.

A field that is passed over in silence would be a fence that only seems to be tried.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

import attrs

PROTOCOLS = ("TCP", "UDP", "SCTP")
INGRESS, EGRESS = "Ingress", "Egress"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


class Unsupported(Exception):
    """A policy says something that is not enforced here; the message names it."""


@attrs.frozen
class Selector:
    """Which labels are meant; the empty one means all."""

    labels: tuple[tuple[str, str], ...] = ()
    #: Key, operator and values.
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether something with these labels is meant."""
        return all(labels.get(key) == value for key, value in self.labels) and all(
            _holds(labels.get(key), operator, values) for key, operator, values in self.expressions
        )


@attrs.frozen
class Port:
    """A port by number or name, or those from one number to another; without any, all of a protocol."""

    protocol: str
    number: int | str | None = None
    last: int | None = None


@attrs.frozen
class Peer:
    """Networks, or pods by labels of theirs and of their namespace: without `namespaces`, of the policy's own."""

    #: Those of IPv4 alone: the pods of the cluster have no other addresses, and nothing of IPv6 passes.
    networks: tuple[str, ...] | None = None
    pods: Selector = Selector()
    namespaces: Selector | None = None


@attrs.frozen
class Rule:
    """Whom one may speak with, on which ports; nothing said means any."""

    peers: tuple[Peer, ...]
    ports: tuple[Port, ...]


@attrs.frozen
class Policy:
    """Whom a policy isolates, in which directions, and what it lets through."""

    namespace: str
    selector: Selector
    rules: dict[str, tuple[Rule, ...]]


def policy(body: dict) -> Policy:
    """Read a policy."""
    spec, metadata = body["spec"], body["metadata"]
    try:
        _only(spec, "podSelector", "policyTypes", "ingress", "egress")
        types = spec.get("policyTypes") or [INGRESS, *([EGRESS] if spec.get("egress") else [])]
        if not {*types} <= {INGRESS, EGRESS}:
            raise Unsupported(f"policyTypes {types}")
        rules = {
            INGRESS: tuple(_rule(each, "from") for each in spec.get("ingress") or ()),
            EGRESS: tuple(_rule(each, "to") for each in spec.get("egress") or ()),
        }
        selector = _selector(spec["podSelector"])
        return Policy(metadata["namespace"], selector, {name: rules[name] for name in types})
    except Unsupported as error:
        raise Unsupported(f"the policy {metadata['namespace']}/{metadata['name']}: {error}") from None


def _rule(body: dict, peers: str) -> Rule:
    _only(body, peers, "ports")
    return Rule(
        tuple(_peer(each) for each in body.get(peers) or ()), tuple(_port(each) for each in body.get("ports") or ())
    )


def _peer(body: dict) -> Peer:
    _only(body, "ipBlock", "podSelector", "namespaceSelector")
    if "ipBlock" in body:
        _only(body, "ipBlock")
        return Peer(networks=_networks(body["ipBlock"]))
    if not body:
        raise Unsupported("a peer that is nobody")
    namespaces = _selector(body["namespaceSelector"]) if "namespaceSelector" in body else None
    return Peer(pods=_selector(body.get("podSelector", {})), namespaces=namespaces)


def _networks(block: dict) -> tuple[str, ...]:
    """Return the networks that a block is made of when its exceptions are cut out."""
    _only(block, "cidr", "except")
    whole = ipaddress.ip_network(block["cidr"], strict=False)
    if not isinstance(whole, ipaddress.IPv4Network):
        return ()
    left = [whole]
    for text in block.get("except") or ():
        hole = ipaddress.IPv4Network(text, strict=False)
        left = [piece for network in left for piece in _without(network, hole)]
    return tuple(str(network) for network in sorted(left))


def _without(network: ipaddress.IPv4Network, hole: ipaddress.IPv4Network) -> list[ipaddress.IPv4Network]:
    if not network.overlaps(hole):
        return [network]
    return [] if network.subnet_of(hole) else list(network.address_exclude(hole))


def _port(body: dict) -> Port:
    _only(body, "protocol", "port", "endPort")
    protocol, number, last = body.get("protocol", "TCP"), body.get("port"), body.get("endPort")
    if protocol not in PROTOCOLS:
        raise Unsupported(f"the protocol {protocol}")
    if last is not None and not isinstance(number, int):
        raise Unsupported(f"endPort after the port {number}")
    return Port(protocol, number, last)


def _selector(body: dict) -> Selector:
    _only(body, "matchLabels", "matchExpressions")
    expressions = []
    for each in body.get("matchExpressions") or ():
        _only(each, "key", "operator", "values")
        if each["operator"] not in OPERATORS:
            raise Unsupported(f"the operator {each['operator']}")
        expressions.append((each["key"], each["operator"], tuple(each.get("values") or ())))
    return Selector(tuple((body.get("matchLabels") or {}).items()), tuple(expressions))


def _holds(value: str | None, operator: str, values: tuple[str, ...]) -> bool:
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) is (operator == "Exists")
    # Where the label lacks, it is in no set: `NotIn` holds.
    return (value in values) is (operator == "In")


def _only(body: dict, *names: str) -> None:
    others = sorted(body.keys() - {*names})
    if others:
        raise Unsupported(f"the field {', '.join(others)}")
