"""What iptables would do with a packet, for the few words that the enforcer of the test cluster writes."""

from __future__ import annotations

import ipaddress

import attrs


@attrs.frozen
class Packet:
    """The first packet of a connection, unless it stands."""

    source: str
    target: str
    protocol: str = "TCP"
    port: int = 80
    stands: bool = False


def passes(chains: dict[str, list[str]], packet: Packet) -> bool:
    """Tell whether a packet comes back from the first chain."""
    return _through(chains, next(iter(chains)), packet)


def _through(chains: dict[str, list[str]], name: str, packet: Packet) -> bool:
    for rule in chains[name]:
        conditions, jump, target = _parsed(rule)
        if not all(_holds(option, value, packet) for option, value in conditions):
            continue
        if target in ("RETURN", "DROP"):
            return target == "RETURN"
        passed = _through(chains, target, packet)
        # Who was sent on by -g comes back to where the chain was called from.
        if jump == "-g" or not passed:
            return passed
    return True


def _parsed(rule: str) -> tuple[list[tuple[str, str]], str, str]:
    words = rule.split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    jump, target = pairs[-1]
    assert jump in ("-j", "-g"), rule
    return pairs[:-1], jump, target


def _holds(option: str, value: str, packet: Packet) -> bool:
    match option, value:
        case ("-m", "conntrack"):
            return True
        case ("--ctstate", "ESTABLISHED,RELATED"):
            return packet.stands
        case ("-s", network):
            return _is_in(packet.source, network)
        case ("-d", network):
            return _is_in(packet.target, network)
        case ("-p", protocol):
            return packet.protocol.lower() == protocol
        case ("--dport", ports):
            first, last = ports.split(":") if ":" in ports else (ports, ports)
            return int(first) <= packet.port <= int(last)
    raise AssertionError(f"{option} {value} is not known here")


def _is_in(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)
