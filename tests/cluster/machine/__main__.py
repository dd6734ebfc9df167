"""`python -m tests.cluster.machine up|down|status`: the test cluster for people. `up` stays up until `down`."""

from __future__ import annotations

import argparse
import sys
import time

from tests.cluster.machine.commands import ORDER
from tests.cluster.machine.machine import Machine
from tests.cluster.machine.network import AnotherNode
from tests.cluster.machine.packages import Lacking
from tests.cluster.machine.processes import DidNotStart
from tests.cluster.machine.programs import CannotBuild


def up(machine: Machine) -> int:
    """Bring the cluster up, or say that it is."""
    began = time.monotonic()
    machine.up()
    print(f"up after {time.monotonic() - began:.1f} s; kubectl is {machine.kubectl}", file=sys.stderr)
    print(f"export KUBECONFIG={machine.kubeconfig}")
    return 0


def down(machine: Machine) -> int:
    """Take the cluster away, and say what is left of it, which is nothing."""
    began = time.monotonic()
    machine.down()
    left = machine.leftovers()
    print(f"down after {time.monotonic() - began:.1f} s", file=sys.stderr)
    for line in left:
        print(f"left: {line}", file=sys.stderr)
    return 1 if left else 0


def status(machine: Machine) -> int:
    """Say what runs."""
    running = machine.processes.names()
    for name in ORDER:
        print(f"{name:20} {machine.processes.pid(name) or 'down'}")
    if running:
        print(f"export KUBECONFIG={machine.kubeconfig}")
    return 0 if {*ORDER} <= {*running} else 1


def main() -> int:
    """Do what was asked; what a person can put right is said in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.machine", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status"])
    asked = {"up": up, "down": down, "status": status}[parser.parse_args().command]
    try:
        return asked(Machine(detached=True))
    except (AnotherNode, CannotBuild, DidNotStart, Lacking) as problem:
        print(problem, file=sys.stderr)
        return 1


sys.exit(main())
