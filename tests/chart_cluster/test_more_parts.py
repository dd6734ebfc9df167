"""What is off unless it is asked for: a replica of the database, the prepuller, and registries that read through."""

from __future__ import annotations

import json

import pytest

from tests.chart_cluster import images
from tests.chart_cluster.person import forwarded
from tests.fix_install import until

#: Where the people of this page reach a cache, and the test the registry that plays the upstream.
CACHE, UPSTREAM = 5055, 5056
#: What an upstream in the cluster has to be let out to; the way to the internet leads to no private network.
TO_UPSTREAM = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "upstream"}}}],
    "ports": [{"protocol": "TCP", "port": 5000}],
}


@pytest.fixture(scope="module")
def upstream(ground):
    """A registry of somebody else's, in the cluster, with one image in it."""
    ground.kubectl("create", "namespace", "upstream")
    try:
        ground.kubectl(
            "run", "upstream", "--namespace=upstream", f"--image={ground.images.registry}", "--port=5000", "--expose"
        )
        ground.kubectl("wait", "pod/upstream", "--namespace=upstream", "--for=condition=Ready", "--timeout=60s")
        yield "http://upstream.upstream.svc:5000"
    finally:
        ground.kubectl("delete", "namespace", "upstream", "--wait=false")


@pytest.fixture(scope="module")
def more(ground, release, upstream):
    """The release with all of it."""
    release.upgrade(
        "--set", "postgres.replica.enabled=true,imagePrepuller.enabled=true",
        "--set", f"registry.dockerhub.enabled=true,registry.dockerhub.size=1Gi,registry.dockerhub.upstream={upstream}",
        "--set-json", f"networkPolicies.extraEgress.registry-dockerhub={json.dumps([TO_UPSTREAM])}",
        "--wait",
    )  # fmt: skip
    release.until_ready()
    yield release


def test_the_replica_follows(more, kim):
    kim.cli("reserve", "h100:1", "1h", "--no-disk", "--no-wait", "--name", "followed")
    asked = "SELECT count(*) FROM reservation WHERE name = 'followed'"

    until(lambda: more.sql(asked, "postgres-replica") == more.sql(asked) != "0", within=30)
    assert more.sql("SELECT pg_is_in_recovery()", "postgres-replica") == "t"
    kim.cli("cancel", "followed", "--wait")


def test_the_replica_refuses_to_be_written_to(more):
    said = more.sql("CREATE TABLE mine ()", "postgres-replica", ok=False)

    assert "read-only" in said


def test_the_prepuller_has_pulled_the_image_of_boxes_on_every_node(ground, more):
    (puller,) = more.get("daemonsets")
    until(lambda: more.get("daemonsets")[0]["status"].get("numberReady") == len(ground.get("nodes")), within=60)

    (first,) = puller["spec"]["template"]["spec"]["initContainers"]
    assert first["image"] == ground.images.devserver


@pytest.fixture(scope="module")
def pulled(ground, more, kim):
    """A pod whose image came from the upstream, through the cache, as the node's own runtime pulls it."""
    to = f"kubectl port-forward --namespace=upstream pod/upstream {UPSTREAM}:5000"
    through = f"kubectl port-forward --namespace={more.control} svc/gpu-dev-registry-dockerhub {CACHE}:5000"
    with forwarded(kim, to):
        images.copy(ground.images.pause, f"localhost:{UPSTREAM}/library/still:1")
    with forwarded(kim, through):
        yield lambda name: _pull(ground, name)


def _pull(ground, name):
    """Run a pod of the image anew, and return how it is."""
    image, here = f"localhost:{CACHE}/library/still:1", "--namespace=default"
    ground.kubectl("run", name, here, f"--image={image}", "--image-pull-policy=Always")
    try:
        return ground.kubectl("wait", f"pod/{name}", here, "--for=condition=Ready", "--timeout=60s", ok=False)
    finally:
        ground.kubectl("delete", "pod", name, here, "--grace-period=0", "--force")


def test_a_node_pulls_through_the_cache_what_only_the_upstream_has(pulled):
    assert "condition met" in pulled("still-one")


def test_the_cache_serves_what_it_has_when_the_upstream_is_away(ground, pulled):
    ground.kubectl("delete", "pod", "upstream", "--namespace=upstream", "--grace-period=0", "--force")

    assert "condition met" in pulled("still-two")


def test_all_of_it_goes_when_it_is_no_longer_asked_for_but_its_disks(more):
    off = "postgres.replica.enabled=false,imagePrepuller.enabled=false,registry.dockerhub.enabled=false"
    more.upgrade("--set", off, "--wait")
    until(lambda: not more.get("daemonsets") and len(more.get("statefulsets")) == 1, within=60)

    left = {claim["metadata"]["name"] for claim in more.get("persistentvolumeclaims")}
    assert left == {"data-gpu-dev-postgres-0", "data-gpu-dev-postgres-replica-0", "data-gpu-dev-registry-dockerhub-0"}
