"""The laws of growing and shrinking over node pools of this machine."""

from __future__ import annotations

import datetime as dt

import pytest

from gpudev_sdk.errors import Conflict, MissingAbility, NoCapacity, NotFound, ProviderError, TryLater, Unworkable
from gpudev_sdk.kube.names import GPU_TYPE
from gpudev_sdk.kube.settings import TypeSettings
from gpudev_sdk.testing import ScalingContract
from tests.contract.gcp_more.fake_pools import FakePools

A, B = "us-central1-a", "us-central1-b"
H100 = {"config": {"machineType": "a3-highgpu-8g"}}


@pytest.fixture
def fake(web):
    made = FakePools(web)
    made.add("default", {A: 1}, config={"machineType": "e2-standard-8"})
    made.add(
        "h100", {A: 2, B: 1}, autoscaling={"enabled": True, "totalMinNodeCount": 1, "totalMaxNodeCount": 5}, **H100
    )
    made.reservations.append(reservation(A, "held", 4, 1))
    return made


@pytest.fixture
def scaling(fake, compute_at):
    return compute_at(fake.web.address)


def reservation(zone: str, name: str, count: int, used: int, **more) -> dict:
    machines = {"count": str(count), "inUseCount": str(used), "instanceProperties": {"machineType": "a3-highgpu-8g"}}
    return {"name": name, "zone": f"zones/{zone}", "status": "READY", "specificReservation": machines} | more


def pool_of(scaling, name: str):
    return next(pool for pool in scaling.node_pools() if pool.name == name)


class TestScaling(ScalingContract):
    @pytest.fixture
    def scaling(self, fake, compute_at):
        self.fake = fake
        return compute_at(fake.web.address)

    @pytest.fixture
    def pool(self, scaling):
        return pool_of(scaling, "h100")

    def machines(self, pool):
        return self.fake.machines(pool.name)


def test_a_pool_is_read_whole(scaling):
    pool = pool_of(scaling, "h100")

    assert (pool.machine_type, pool.gpu_type, pool.gpus_per_node) == ("a3-highgpu-8g", "h100", 8)
    assert (pool.zones, pool.wanted, pool.minimum, pool.maximum, pool.spot) == ((A, B), 3, 1, 5, False)
    assert (pool_of(scaling, "default").gpu_type, pool_of(scaling, "default").maximum) == (None, 1000)


@pytest.mark.parametrize(
    ("scaler", "limits"),
    [
        ({"enabled": True, "minNodeCount": 1, "maxNodeCount": 3}, (2, 6)),
        ({"enabled": True, "maxNodeCount": 3}, (0, 6)),
        ({"enabled": True, "minNodeCount": 1, "maxNodeCount": 1}, (2, 4)),
        ({"enabled": True, "minNodeCount": 3, "maxNodeCount": 4}, (4, 8)),
        ({"minNodeCount": 3, "maxNodeCount": 3}, (0, 2000)),
    ],
    ids=["by zone", "from none", "asked for more than its limits", "asked for fewer", "off"],
)
def test_limits_are_those_of_the_autoscaler_if_it_is_on(scaling, fake, scaler, limits):
    fake.add("l4", {A: 2, B: 2}, config={"machineType": "g2-standard-96", "spot": True}, autoscaling=scaler)

    pool = pool_of(scaling, "l4")

    assert (pool.minimum, pool.maximum, pool.spot, pool.gpus_per_node) == (*limits, True, 8)


@pytest.mark.parametrize(
    ("config", "settings", "name"),
    [
        ({"accelerators": [{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": "2"}]}, {}, "t4"),
        ({"machineType": "a3-highgpu-8g", "labels": {GPU_TYPE: "H100x"}}, {}, "h100x"),
        (
            {"machineType": "a3-highgpu-8g"},
            {"types": {"big": {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}}},
            "big",
        ),
        ({"machineType": "a3-highgpu-8g"}, {"types": {"other": {"team": "x"}}}, "h100"),
        ({"machineType": "a3-highgpu-8g"}, {"types": {"cpu": {}, "any": {}}}, "any"),
    ],
    ids=["accelerators", "a label", "a configured type", "a type of other nodes", "a type of all nodes"],
)
def test_gpus_are_called_as_the_catalogue_calls_them(fake, compute_at, config, settings, name):
    fake.add("some", {A: 1}, config={"machineType": "n1-standard-8"} | config)
    types = {
        key: TypeSettings(labels=wanted, resource="" if key == "cpu" else "nvidia.com/gpu")
        for key, wanted in settings.get("types", {}).items()
    }

    assert pool_of(compute_at(fake.web.address, types=types), "some").gpu_type == name


def test_machines_are_added_by_name_where_there_are_fewest(scaling, fake):
    scaling.grow("h100", 5)

    changes = fake.changes()
    assert [verb for verb, _ in changes] == ["createInstances", "createInstances"]
    assert [group.size for group in fake.of("h100")] == [3, 2]
    names = [each["name"] for _, body in changes for each in body["instances"]]
    assert len(set(names)) == 2
    assert all(name.startswith("gke-gpu-dev-h100-") for name in names)


def test_a_group_is_never_told_a_number(scaling, fake):
    """A number that was read a moment ago may be less than what is there now."""
    scaling.grow("h100", 4)
    scaling.remove_node("h100", "gke-gpu-dev-h100-a-0")

    assert [verb for verb, _ in fake.changes()] == ["createInstances", "deleteInstances"]


def test_two_who_grow_at_once_add_what_one_would(scaling, fake, compute_at):
    """The second one looked before the first one added."""
    stale = [(group.size, dict(group.machines)) for group in fake.of("h100")]
    scaling.grow("h100", 4)
    after = [(group.size, dict(group.machines)) for group in fake.of("h100")]
    answer = fake.web.answer

    def as_before(asked):
        states = after if asked.target.split("?")[0].endswith("createInstances") else stale
        for group, (size, machines) in zip(fake.of("h100"), states, strict=True):
            group.size, group.machines = size, dict(machines)
        return answer(asked)

    fake.web.answer = as_before
    with pytest.raises(TryLater):
        compute_at(fake.web.address).grow("h100", 4)

    assert sum(group.size for group in fake.of("h100")) == 4


def test_a_long_name_of_a_group_still_gives_lawful_names(scaling, fake):
    fake.add("p" * 40, {A: 1}, config={"machineType": "e2-standard-8"})
    fake.groups[-1].name = "g" * 63
    fake.pools[-1]["instanceGroupUrls"] = [fake.groups[-1].url()]

    scaling.grow("p" * 40, 3)

    assert fake.groups[-1].size == 3


def test_quota_that_is_used_up_is_no_capacity(scaling, fake):
    fake.error = {"code": "QUOTA_EXCEEDED", "message": "Quota 'NVIDIA_H100_GPUS' exceeded"}

    with pytest.raises(NoCapacity, match="NVIDIA_H100_GPUS"):
        scaling.grow("h100", 4)


def test_a_refused_removal_says_so(scaling, fake):
    fake.error = {"code": "INVALID_USAGE", "message": "it is protected"}

    with pytest.raises(Unworkable, match="it is protected"):
        scaling.remove_node("h100", "gke-gpu-dev-h100-a-0")


def test_a_machine_of_another_pool_or_of_none_is_not_removed(scaling, fake):
    fake.loose["somebodys"] = A
    for node in ("gke-gpu-dev-default-a-0", "somebodys"):
        with pytest.raises(NotFound, match="not of the pool"):
            scaling.remove_node("h100", node)

    assert fake.changes() == []


def test_a_machine_that_is_nowhere_is_gone_and_fine(scaling, fake):
    scaling.remove_node("h100", "gke-gpu-dev-h100-a-9")

    assert fake.changes() == []


def test_a_machine_that_is_leaving_is_not_removed_again(scaling, fake):
    for _ in range(2):
        scaling.remove_node("h100", "gke-gpu-dev-h100-a-1")

    assert [verb for verb, _ in fake.changes()] == ["deleteInstances"]
    assert pool_of(scaling, "h100").wanted == 2


def test_the_minimum_is_kept(scaling, fake):
    fake.pools[1]["autoscaling"]["totalMinNodeCount"] = 3

    with pytest.raises(Conflict, match="at least"):
        scaling.remove_node("h100", "gke-gpu-dev-h100-a-1")

    assert fake.changes() == []


def test_a_machine_is_found_on_every_page(scaling, fake):
    fake.page = 1
    scaling.remove_node("h100", "gke-gpu-dev-h100-a-1")

    assert fake.changes() == [("deleteInstances", {"instances": [f"zones/{A}/instances/gke-gpu-dev-h100-a-1"]})]


def test_a_group_that_cannot_be_seen_is_not_counted_as_none(scaling, fake):
    fake.groups.remove(fake.of("h100")[1])

    with pytest.raises(ProviderError):
        scaling.node_pools()


def test_a_pool_whose_groups_are_not_made_yet_is_asked_again(scaling, fake):
    fake.add("new", {}, config={"machineType": "e2-standard-8"}, status="PROVISIONING")

    with pytest.raises(TryLater):
        scaling.grow("new", 1)


def test_pools_of_nodes_that_are_not_ours_are_left_alone(fake, compute_at):
    fake.pools[1]["config"] = H100["config"] | {"labels": {"team": "vision"}}
    scaling = compute_at(fake.web.address, node_labels={"team": "vision"})

    assert [pool.name for pool in scaling.node_pools()] == ["h100"]
    with pytest.raises(NotFound):
        scaling.remove_node("default", "gke-gpu-dev-default-a-0")


def test_without_a_cluster_of_gke_it_is_said_what_is_missing(fake, compute_at):
    with pytest.raises(MissingAbility, match="only a cluster of GKE"):
        compute_at(fake.web.address, cluster="", cluster_location="").node_pools()


def test_reservations_are_read_whole_and_only_of_our_places(fake, compute_at):
    ends = "2030-01-01T00:00:00-08:00"
    fake.reservations += [reservation("us-east1-b", "elsewhere", 1, 0), reservation(B, "more", 2, 2, deleteAtTime=ends)]
    fake.reservations.append({"name": "tpus", "zone": f"zones/{A}", "aggregateReservation": {}, "status": "READY"})

    for settings in ({}, {"zones": []}):
        held, more = compute_at(fake.web.address, **settings).capacity_reservations()

        assert (held.id, held.machine_type, held.zone) == (f"{A}/held", "a3-highgpu-8g", A)
        assert (held.total, held.available, held.state, held.ends_at) == (4, 3, "ready", None)
        assert (more.available, more.ends_at) == (0, dt.datetime.fromisoformat(ends))


def test_a_zone_that_settings_leave_out_is_not_one_of_our_places(fake, compute_at):
    fake.reservations.append(reservation("us-central1-c", "near", 1, 0))

    assert [each.id for each in compute_at(fake.web.address).capacity_reservations()] == [f"{A}/held"]
    assert len(compute_at(fake.web.address, zones=[]).capacity_reservations()) == 2
