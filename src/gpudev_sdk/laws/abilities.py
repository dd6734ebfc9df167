"""The laws of the abilities that only read."""

from __future__ import annotations

import uuid

from gpudev_sdk.errors import InvalidRequest
from gpudev_sdk.laws.law import Broken, Law, NotTried, Place, demand
from gpudev_sdk.laws.storage import demand_absent, demand_none, demand_once, demand_there, others_of
from gpudev_sdk.providers import Compute, ObjectStorage, Scaling, SharedStorage, Spot
from gpudev_sdk.providers.shares import ShareRef

_UNLAWFUL = ("", "/a", "a//b", "a/../b", "a b", "x" * 513)


def _nothing_is_found_where_nothing_was_put(place: Place, objects: ObjectStorage) -> None:
    demand(place.ask(objects.find_object, f"never-put/{uuid.uuid4()}") is None, "something was found")


def _objects_are_listed_by_key(place: Place, objects: ObjectStorage) -> None:
    keys = [seen.key for seen in place.ask(objects.list_objects)]
    demand(keys == sorted(keys), "the keys are not in their order")
    demand_once("blob", keys)


def _unlawful_keys_are_refused(place: Place, objects: ObjectStorage) -> None:
    for key in _UNLAWFUL:
        try:
            place.ask(objects.find_object, key)
        except InvalidRequest:
            continue
        raise Broken(f"the key {key[:20]!r} was not refused")


def _others_see_no_objects(place: Place, objects: ObjectStorage) -> None:
    others = others_of(place)
    if not isinstance(others, ObjectStorage):
        raise NotTried("it was not built for another install")
    demand_none(place, "blobs", others.list_objects)


def _a_share_never_made_is_absent(place: Place, shares: SharedStorage) -> None:
    seen = place.ask(shares.get_share, ShareRef(share_id=uuid.uuid4()))
    demand_absent("share", seen.presence, seen.reason)


def _shares_are_listed_once(place: Place, shares: SharedStorage) -> None:
    seen = place.ask(shares.list_shares)
    demand_once("share", [each.share_id for each in seen])
    demand_there("share", [each.presence for each in seen])


def _others_see_no_shares(place: Place, shares: SharedStorage) -> None:
    others = others_of(place)
    if not isinstance(others, SharedStorage):
        raise NotTried("it was not built for another install")
    demand_none(place, "shares", others.list_shares)


def _pools_say_what_they_are_made_of(place: Place, scaling: Scaling) -> None:
    pools = place.ask(scaling.node_pools)
    demand_once("pool", [pool.name for pool in pools])
    for pool in pools:
        demand(pool.machine_type and pool.zones, f"the pool {pool.name} does not say its machines and zones")
        demand(pool.minimum <= pool.wanted <= pool.maximum, f"the pool {pool.name} is outside its own bounds")
        demand((pool.gpu_type is None) == (pool.gpus_per_node == 0), f"the pool {pool.name} has a type or GPUs alone")


def _reservations_say_what_is_free(place: Place, scaling: Scaling) -> None:
    for reserved in place.ask(scaling.capacity_reservations):
        demand(reserved.id, "a capacity reservation has no id")
        demand(0 <= reserved.available <= reserved.total, f"{reserved.id}: {reserved.available} of {reserved.total}")


def _spot_nodes_are_nodes(place: Place, spot: Spot) -> None:
    strange = sorted(set(place.ask(spot.spot_nodes)) - set(_nodes(place, spot)))
    demand(not strange, f"{', '.join(strange)} can be taken back and is no node")


def _who_is_taken_back_takes_nobody_in(place: Place, spot: Spot) -> None:
    taken = place.ask(spot.interruptions)
    nodes = _nodes(place, spot)
    for gone in taken:
        demand(gone.at is None or gone.at.tzinfo is not None, f"{gone.node} goes at a time without a zone")
        demand(not nodes.get(gone.node, False), f"{gone.node} is being taken back and takes people in")


def _nodes(place: Place, spot: Spot) -> dict[str, bool]:
    """Return the nodes, and whether each takes people in."""
    if not isinstance(spot, Compute):
        raise Broken("a class that is a Spot is no Compute")
    return {node.name: node.schedulable for node in place.ask(spot.nodes)}


ABILITIES: tuple[Law, ...] = (
    Law(number="1.4", says="another install sees no blob", of=ObjectStorage, keeps=_others_see_no_objects),
    Law(number="7.1", says="nothing is found where nothing was put", of=ObjectStorage,
        keeps=_nothing_is_found_where_nothing_was_put),
    Law(number="7.5", says="blobs are listed by key", of=ObjectStorage, keeps=_objects_are_listed_by_key),
    Law(number="7.6", says="unlawful keys are refused", of=ObjectStorage, keeps=_unlawful_keys_are_refused),
    Law(number="1.4", says="another install sees no share", of=SharedStorage, keeps=_others_see_no_shares),
    Law(number="8.1", says="a share never made is absent", of=SharedStorage, keeps=_a_share_never_made_is_absent),
    Law(number="8.1", says="each share is listed once", of=SharedStorage, keeps=_shares_are_listed_once),
    Law(number="9.1", says="pools say what they are made of", of=Scaling, keeps=_pools_say_what_they_are_made_of),
    Law(number="9.6", says="nodes that can be taken back are nodes", of=Spot, keeps=_spot_nodes_are_nodes),
    Law(number="9.7", says="a node being taken back takes nobody in", of=Spot,
        keeps=_who_is_taken_back_takes_nobody_in),
    Law(number="9.8", says="reservations say what is free", of=Scaling, keeps=_reservations_say_what_is_free),
)  # fmt: skip
