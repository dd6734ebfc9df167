"""A cluster of GKE: found by the Container API, reached by a token of ours, and the machines behind its nodes."""

from __future__ import annotations

import datetime as dt
import pathlib
import uuid

import pytest
from google.oauth2.credentials import Credentials

from gpudev_gcp import cluster
from gpudev_gcp.compute import GcpCompute
from gpudev_sdk.domain.gpu import Instance
from gpudev_sdk.errors import NotFound, TryLater
from gpudev_sdk.providers import Context
from tests.contract.gcp.fake_compute_world import PROJECT

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GPU = {"cluster": "gpu", "cluster_location": "us-central1"}
CONTEXT = Context(install_id=uuid.uuid4(), name="lab", data_folder=pathlib.Path("none"))


def person(fake, **changes):
    """Return credentials whose tokens the fake gives."""
    common = {"refresh_token": "r", "token_uri": f"{fake.url}/token", "client_id": "c", "client_secret": "s"}
    return Credentials(**({"token": None} | common | changes))


@pytest.fixture
def session(fake, bench):
    return bench.session(lambda: person(fake), **GPU)


@pytest.fixture
def compute(session):
    return GcpCompute(session.settings, CONTEXT, session)


def test_the_cluster_is_where_the_container_api_says_with_its_certificate_and_our_token(fake, session):
    fake.add_cluster("gpu", "us-central1", "203.0.113.9", CA)

    access = cluster.find_access(session)

    assert (access.server, access.ca_pem, access.token()) == ("https://203.0.113.9", CA, "fake")
    assert fake.bearers == ["Bearer fake"]


def test_nothing_is_asked_before_the_cluster_is_needed(fake, session):
    GcpCompute(session.settings, CONTEXT, session)

    assert fake.calls == []


def test_calls_to_the_cluster_carry_our_token(fake, compute):
    fake.add_cluster("gpu", "us-central1", "203.0.113.9", CA)

    api = compute.connect()

    configuration = api._client.configuration
    assert configuration.host == "https://203.0.113.9"
    assert configuration.ca_cert_data == CA
    assert configuration.get_api_key_with_prefix("authorization") == "Bearer fake"


def test_a_token_is_kept_while_it_is_good_and_made_new_before_it_ends(fake, bench):
    soon = dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(hours=1)
    mine = person(fake, token="old", expiry=soon)
    session = bench.session(lambda: mine, **GPU)

    assert session.token() == "old"
    mine.expiry = soon - dt.timedelta(minutes=59)
    assert session.token() == "fake"


def test_a_token_that_is_not_given_is_said(fake, session):
    fake.token = (400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})

    with pytest.raises(TryLater, match="cannot get a token: the credentials for Google Cloud have expired"):
        session.token()


def test_a_cluster_that_is_not_there_is_said_by_its_whole_path(compute):
    where = f"projects/{PROJECT}/locations/us-central1/clusters/gpu"

    with pytest.raises(TryLater, match=f"cannot find the cluster gpu: .*{where}"):
        compute.nodes()


def test_a_cluster_that_has_no_address_yet_is_waited_for(fake, compute):
    fake.add_cluster("gpu", "us-central1", "", "")

    with pytest.raises(TryLater, match="it has no address yet, and its status is provisioning"):
        compute.nodes()


def test_a_certificate_that_is_not_to_be_read_is_said(fake, compute):
    fake.add_cluster("gpu", "us-central1", "203.0.113.9", CA)
    next(iter(fake.clusters.values()))["masterAuth"]["clusterCaCertificate"] = "%%%"

    with pytest.raises(TryLater, match="the cluster's certificate is not to be read"):
        compute.nodes()


def test_the_right_to_find_the_cluster_is_named_where_it_is_missing(fake, compute):
    fake.denied = {"container.clusters.get"}

    with pytest.raises(TryLater, match=r"the permission container\.clusters\.get is missing"):
        compute.nodes()


def test_without_a_cluster_of_gke_the_kubeconfig_leads(bench, tmp_path):
    settings = bench.settings(kubeconfig=str(tmp_path / "none"))

    with pytest.raises(TryLater, match="no way to the cluster"):
        GcpCompute(settings, CONTEXT).nodes()


def test_the_machines_of_the_cluster_are_told_by_compute_engine_even_those_that_are_no_node(fake, compute):
    ours = {"labels": {"goog-k8s-cluster-name": "gpu"}}
    namesake = {"labels": {"goog-k8s-cluster-name": "gpu", "goog-k8s-cluster-location": "europe-west4"}}
    fake.world.add_instance("gke-gpu-3", "us-central1-b", **namesake)
    fake.world.add_instance("gke-gpu-1", "us-central1-a", "a3-highgpu-8g", **ours)
    fake.world.add_instance("gke-gpu-2", "us-central1-b", "g2-standard-4", status="STAGING", **ours)
    fake.world.add_instance("other", "us-central1-b", labels={"goog-k8s-cluster-name": "other"})

    assert compute.list_instances() == (
        Instance(
            id=f"gce://{PROJECT}/us-central1-a/gke-gpu-1", type="a3-highgpu-8g", zone="us-central1-a", state="running"
        ),
        Instance(
            id=f"gce://{PROJECT}/us-central1-b/gke-gpu-2", type="g2-standard-4", zone="us-central1-b", state="staging"
        ),
    )
    assert compute.get_instance(f"gce://{PROJECT}/us-central1-b/gke-gpu-2").state == "staging"
    with pytest.raises(NotFound):
        compute.get_instance("gce://other")


def test_machines_are_not_listed_in_part(fake, compute):
    fake.unreachable = {"us-central1-b"}

    with pytest.raises(TryLater, match="cannot list instances: Google cannot see zones/us-central1-b now"):
        compute.list_instances()
