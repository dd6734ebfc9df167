"""What the cluster changes of the host's network: an address of `lo`, a bridge, and rules of iptables; and back."""

from __future__ import annotations

import json
import shutil
import subprocess

from tests.cluster.machine.layout import Layout

#: The chains of kube-proxy, the kubelet and the network plugins begin so.
CHAINS = ("KUBE-", "CNI-")
FAMILIES = ("iptables", "ip6tables")
#: A table of routes of our own, which only packets of pods to pretended addresses are looked up in.
ROUTES = "4231"


class AnotherNode(Exception):
    """The machine is a node of another Kubernetes; the message says how that is known."""


def add(layout: Layout) -> None:
    """Give `lo` the cluster's address."""
    _run("ip", "address", "add", f"{layout.address}/32", "dev", "lo")


def refuse_another_node() -> None:
    """Raise when rules of another Kubernetes are there: ours could not be told from them when they are removed."""
    found = chains()
    if found:
        raise AnotherNode(f"this machine is a node of another Kubernetes, or was: it has the chains {found[:3]}")


def pretend(layout: Layout, address: str) -> None:
    """Let this host be an address to its pods alone; it itself goes to that address where it always did."""
    _run("ip", "route", "replace", "local", f"{address}/32", "dev", "lo", "table", ROUTES)
    _run("ip", "rule", "add", "from", layout.pods, "to", f"{address}/32", "lookup", ROUTES)


def pretend_nothing() -> None:
    """Take pretended addresses back."""
    for rule in json.loads(_run("ip", "-json", "rule", "show", "table", ROUTES) or "[]"):
        _run("ip", "rule", "delete", "priority", str(rule["priority"]), "lookup", ROUTES)
    subprocess.run(["ip", "route", "flush", "table", ROUTES], capture_output=True, check=False)


def remove(layout: Layout) -> None:
    """Undo everything; what is undone already stays so."""
    pretend_nothing()
    if has_address(layout):
        _run("ip", "address", "delete", f"{layout.address}/32", "dev", "lo")
    for device in devices(layout):
        # A pod's end may be going by itself at this moment.
        subprocess.run(["ip", "link", "delete", device], capture_output=True, check=False)
    for family in FAMILIES:
        for table in _tables(family):
            _remove_chains(family, table)


def has_address(layout: Layout) -> bool:
    """Tell whether `lo` has the cluster's address."""
    return f"inet {layout.address}/32 " in _run("ip", "-4", "address", "show", "dev", "lo")


def devices(layout: Layout) -> list[str]:
    """Return the bridge and what hangs on it."""
    links = json.loads(_run("ip", "-json", "link", "show"))
    return [link["ifname"] for link in links if layout.bridge in (link["ifname"], link.get("master"))]


def chains() -> list[str]:
    """Return the chains of a Kubernetes that are there, by family and table."""
    found = []
    for family in FAMILIES:
        for table in _tables(family):
            found += [f"{family} {table} {name}" for name in _ours(_save(family, table))]
    return found


def _tables(family: str) -> list[str]:
    """Return the tables that exist: to ask for one that does not would make it."""
    if not shutil.which(f"{family}-save"):
        return []
    lines = _run(f"{family}-save").splitlines()
    return [line.removeprefix("*") for line in lines if line.startswith("*")]


def _save(family: str, table: str) -> list[str]:
    return _run(f"{family}-save", "-t", table).splitlines()


def _ours(lines: list[str]) -> list[str]:
    return [line[1:].split()[0] for line in lines if line.startswith(":") and line[1:].startswith(CHAINS)]


def _remove_chains(family: str, table: str) -> None:
    """Remove our chains and the rules that lead to them, all at once."""
    lines = _save(family, table)
    ours = _ours(lines)
    if not ours:
        return
    leading = [
        f"-D {line.removeprefix('-A ')}"
        for line in lines
        if line.startswith("-A ") and not line.split()[1].startswith(CHAINS) and _leads_to(line, ours)
    ]
    flushed, removed = [f"-F {name}" for name in ours], [f"-X {name}" for name in ours]
    text = "\n".join([f"*{table}", *leading, *flushed, *removed, "COMMIT", ""])
    subprocess.run([f"{family}-restore", "--noflush"], input=text, text=True, capture_output=True, check=True)


def _leads_to(line: str, ours: list[str]) -> bool:
    words = line.split()
    return any(words[place - 1] in ("-j", "-g") and word in ours for place, word in enumerate(words))


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
