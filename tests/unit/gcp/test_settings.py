"""What an operator may say about Google Cloud."""

from __future__ import annotations

import pytest

from gpudev_gcp import storage
from gpudev_gcp.settings import GcpSettings, is_this_machine

LAB = {"project": "gpu-lab-1"}


def test_a_project_is_enough():
    settings = GcpSettings(**LAB)

    assert (settings.disk_type, settings.zones, settings.home_region) == ("pd-balanced", [], "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"project": "Lab"}, "project: 'Lab' is not the id of a project"),
        ({"region": "us"}, "region: 'us' is not a region such as us-central1"),
        ({"zones": ["us-central1"]}, "zones: 'us-central1' is not a zone such as us-central1-a"),
        ({"cluster": "GPU"}, "cluster: 'GPU' is not a cluster's name"),
        ({"cluster": "gpu"}, "cluster_location: say where the cluster 'gpu' is: its region or its zone"),
        ({"cluster_location": "here"}, "cluster_location: 'here' is neither a zone nor a region"),
        ({"endpoint": "http://compute.example"}, "endpoint: 'http://compute.example' is not https://"),
        ({"endpoint": "https://compute.example/path"}, "is not https://HOST"),
        ({"disk_type": "floppy"}, "disk_type: 'floppy' is none of pd-standard"),
        ({"iops": 3000}, "iops: only a Hyperdisk has it to choose, and disks are pd-balanced"),
        ({"throughput": -1, "disk_type": "hyperdisk-balanced"}, "throughput: -1 is less than 0"),
        ({"kms_key": "my-key"}, "kms_key: 'my-key' is not projects/P/locations/L/keyRings/R/cryptoKeys/K"),
        ({"calls_per_second": 0}, "calls_per_second"),
        ({"labels": {"Team": "ml"}}, "labels: Team=ml is not a label"),
        ({"labels": {"team": "M L"}}, "labels: team=M L is not a label"),
        ({"labels": {"gpudev-disk": "x"}}, "labels that begin with gpudev- are gpudev's own"),
        ({"bucket": "B"}, "bucket: 'B' is not a bucket's name"),
        ({"shared_tier": "GOLD"}, "shared_tier: 'GOLD' is none of"),
        ({"shared_network": "Net"}, "shared_network: 'Net' is not a network's name"),
        ({"namespace": "Bad"}, "namespace"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_name_and_why(changes, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        GcpSettings(**(LAB | changes))


def test_a_hyperdisk_has_iops_and_throughput_to_choose():
    settings = GcpSettings(**LAB, disk_type="hyperdisk-balanced", iops=3000, throughput=140)

    assert (settings.iops, settings.throughput) == (3000, 140)


@pytest.mark.parametrize(
    ("said", "region"),
    [({"zones": ["us-central1-a"]}, "us-central1"), ({"zones": ["us-east4-c"], "region": "us-west1"}, "us-west1")],
)
def test_the_region_is_the_one_that_is_said_or_the_first_zones(said, region):
    assert GcpSettings(**LAB, **said).home_region == region


@pytest.mark.parametrize(
    ("endpoint", "is_here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("https://127.0.0.1:8080", False),
        ("http://127.0.0.1.example:80", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_only_plain_http_of_this_very_machine_is_a_tests_endpoint(endpoint, is_here):
    assert is_this_machine(endpoint) is is_here


def test_a_node_of_gke_that_is_gone_is_off_for_certain_and_of_any_cluster_not():
    assert GcpSettings(**LAB, cluster="gpu", cluster_location="us-central1").deleted_nodes_are_off
    assert not GcpSettings(**LAB).deleted_nodes_are_off


def test_who_attaches_disks_is_asked_how_many_a_node_can_have():
    assert GcpSettings(**LAB).volume_driver == storage.DRIVER
