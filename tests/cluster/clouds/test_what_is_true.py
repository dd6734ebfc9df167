"""What the journeys stand on: a cloud's word about its disks, the way into its cluster, and what one may do inside."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request

import pytest

from gpudev_sdk.errors import TryLater
from tests.cluster.boxes import until
from tests.cluster.clouds.aws import Aws

PODS, OTHERS = "/api/v1/namespaces/{}/pods", "/api/v1/namespaces/kube-system/secrets"


@pytest.fixture(scope="module")
def token(cloud):
    """A token as the plugin has it of the cloud."""

    def given():
        try:
            return cloud.token()
        except TryLater:
            # The cloud's library is being loaded.
            return None

    return until(given)


@pytest.fixture(scope="module")
def asked(cloud):
    """Return what asks the cluster something with a token, and returns the status of the answer."""
    context = ssl.create_default_context(cadata=cloud.door.ca_pem)

    def ask(path, token, **headers):
        given = {"Authorization": f"Bearer {token}"} | headers
        request = urllib.request.Request(f"https://{cloud.door.address}{path}", headers=given)
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                json.load(answer)
                return answer.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    return ask


def test_the_cloud_has_a_disk_attached_for_as_long_as_a_box_has_it(install, cloud):
    install.cli("reserve", "cpu", "1h", "--disk", "held")
    assert [*cloud.disks().values()].count((cloud.machine,)) == 1

    install.cli("cancel", "held", "--wait")
    until(lambda: set(cloud.disks().values()) == {()})


def test_a_disk_whose_volume_is_given_up_comes_back_from_its_snapshot(install, cloud):
    install.cli("reserve", "cpu", "1h", "--disk", "moved")
    install.ssh("moved", "echo precious > ~/notes; sync")
    install.cli("cancel", "moved", "--wait")
    before = set(cloud.disks())
    install.cli("disk", "move", "moved")
    until(lambda: len(before - set(cloud.disks())) == 1)

    install.cli("reserve", "cpu", "1h", "--disk", "moved")
    assert install.ssh("moved", "cat ~/notes").stdout == "precious\n"
    assert len(set(cloud.disks()) - before) == 1
    install.cli("cancel", "moved", "--wait")


def test_a_token_that_the_cloud_did_not_give_opens_nothing(asked, token, place):
    pods = PODS.format(place.namespace)

    assert asked(pods, token) == 200
    assert {asked(pods, wrong) for wrong in ("", "k8s-aws-v1.", token[:-3], token[:-1] + "!", "system:admin")} == {401}


def test_nobody_becomes_another_by_saying_so(asked, token):
    assert asked(OTHERS, token, **{"Impersonate-User": "admin", "Impersonate-Group": "system:masters"}) == 403


def test_a_token_for_another_cluster_opens_nothing(asked, cloud, place):
    if not isinstance(cloud, Aws):
        pytest.skip("a token of Google's is for all clusters of a project")
    assert asked(PODS.format(place.namespace), cloud.token("other")) == 401


def test_the_rights_of_the_documents_are_all_that_the_plugin_has(asked, token):
    assert asked(OTHERS, token) == 403


def test_the_plugin_keeps_the_laws_on_the_live_place(install, cloud):
    tried = install.json("plugins", "check", cloud.name, "--backend", "cloud")
    assert tried, tried
