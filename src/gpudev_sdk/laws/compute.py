"""The laws of compute that only read."""

from __future__ import annotations

import uuid

from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.domain.server import Claim, Presence, ServerId
from gpudev_sdk.errors import NotFound
from gpudev_sdk.laws.law import Broken, Law, NotTried, Place, demand
from gpudev_sdk.providers import Compute, Gang

#: Each machine that is got is a call of its own.
_SOME = 3


def _types_are_lawful(place: Place, compute: Compute) -> None:
    kinds = place.ask(compute.gpu_types)
    names = [kind.name for kind in kinds]
    demand(len(set(names)) == len(names), f"a type is listed twice: {', '.join(sorted(names))}")
    for kind in kinds:
        demand(LABEL.match(kind.name), f"{kind.name!r} cannot name a type")
        demand(kind.slots > 0, f"{kind.name} has no slots")


def _slots_are_of_types_there_are(place: Place, compute: Compute) -> None:
    kinds = {kind.name for kind in place.ask(compute.gpu_types)}
    for node in place.ask(compute.nodes):
        demand(LABEL.match(node.name), f"{node.name!r} cannot name a node")
        strange = sorted({slot.gpu_type for slot in node.slots} - kinds)
        demand(not strange, f"{node.name} has slots of {', '.join(strange)}, which is no type")
        places = {(slot.gpu_type, slot.index) for slot in node.slots}
        demand(len(places) == len(node.slots), f"two slots of {node.name} have the same index")


def _zones_are_listed(place: Place, compute: Compute) -> None:
    zones = set(place.ask(compute.get_availability_zones))
    strange = sorted({node.zone for node in place.ask(compute.nodes)} - zones)
    demand(not strange, f"nodes are in {', '.join(strange)}, which is no zone of {', '.join(sorted(zones)) or 'none'}")


def _who_takes_nobody_says_why(place: Place, compute: Compute) -> None:
    for node in place.ask(compute.nodes):
        demand(node.schedulable or node.reason, f"{node.name} takes nobody in and does not say why")


def _volumes_can_be_counted(place: Place, compute: Compute) -> None:
    for node in place.ask(compute.nodes):
        demand(node.volumes is None or node.volumes >= 0, f"{node.name} can have {node.volumes} volumes")


def _instances_can_be_got(place: Place, compute: Compute) -> None:
    for instance in place.ask(compute.list_instances)[:_SOME]:
        demand(place.ask(compute.get_instance, instance.id) == instance, f"{instance.id} is another when it is got")
    try:
        place.ask(compute.get_instance, "no-such-instance")
    except NotFound:
        return
    raise Broken("an instance that is not there was got")


def _it_describes_itself(place: Place, compute: Compute) -> None:
    for name, text in place.ask(compute.describe).items():
        demand(isinstance(name, str) and isinstance(text, str), f"{name!r} is not said in words")


def _what_was_never_launched_is_absent(place: Place, compute: Compute) -> None:
    seen = place.ask(compute.observe, ServerId(uuid.uuid4(), 1))
    if seen.presence is Presence.UNKNOWN:
        raise NotTried(f"it could not be told: {seen.reason or 'no reason was given'}")
    demand(seen.presence is Presence.ABSENT, f"a server that was never launched is {seen.presence}")


def _servers_are_listed_once(place: Place, compute: Compute) -> None:
    servers = place.ask(compute.list_servers)
    demand(len(set(servers)) == len(servers), "a server is listed twice")


def _the_claim_can_be_read(place: Place, compute: Compute) -> None:
    claim = place.ask(compute.read_claim)
    demand(claim is None or isinstance(claim, Claim), f"the claim is {type(claim).__name__}")


def _gangs_are_of_who_can(place: Place, compute: Compute) -> None:
    offered = sorted(kind.name for kind in place.ask(compute.gpu_types) if kind.gang)
    demand(isinstance(compute, Gang) or not offered, f"{', '.join(offered)} is offered as a gang without the ability")


def _others_see_no_servers(place: Place, compute: Compute) -> None:
    if place.others_compute is None:
        raise NotTried("it was not built for another install")
    seen = place.ask(place.others_compute.list_servers)
    demand(not seen, f"an install that has launched nothing is shown {len(seen)} servers")


COMPUTE: tuple[Law, ...] = (
    Law(number="1.4", says="another install sees no server", of=Compute, keeps=_others_see_no_servers),
    Law(number="2.1", says="types have lawful names and slots", of=Compute, keeps=_types_are_lawful),
    Law(number="2.2", says="slots are of types there are", of=Compute, keeps=_slots_are_of_types_there_are),
    Law(number="2.2", says="the zone of each node is listed", of=Compute, keeps=_zones_are_listed),
    Law(number="2.2", says="a node that takes nobody says why", of=Compute, keeps=_who_takes_nobody_says_why),
    Law(number="2.2", says="the volumes of a node are none or more", of=Compute, keeps=_volumes_can_be_counted),
    Law(number="2.3", says="what is listed can be got, and no other", of=Compute, keeps=_instances_can_be_got),
    Law(number="2.4", says="it describes itself in words", of=Compute, keeps=_it_describes_itself),
    Law(number="2.5", says="a server never launched is absent", of=Compute, keeps=_what_was_never_launched_is_absent),
    Law(number="2.7", says="each server is listed once", of=Compute, keeps=_servers_are_listed_once),
    Law(number="2.12", says="the claim can be read", of=Compute, keeps=_the_claim_can_be_read),
    Law(number="2.13", says="only who can hold gangs offers them", of=Compute, keeps=_gangs_are_of_who_can),
)
