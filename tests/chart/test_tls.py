"""Clients refuse plain HTTP, so something serves TLS: the pods themselves wherever nothing in front of them does."""

from __future__ import annotations

import pytest

from tests.chart.rendering import CONTROL, component, one, pods, render, shape

INGRESS = "apiService.ingress.enabled=true,apiService.ingress.host=a.example.org,apiService.ingress.tlsSecret=a"
ROUTE = "apiService.route.enabled=true,apiService.route.parentRefs[0].name=a"


def api(things):
    (found,) = [pod["spec"] for where, pod in pods(things) if where == CONTROL and component(pod) == "api"]
    return found


def mounted(things):
    """Return the files with which the API serves TLS, by the Secret that they are of."""
    (volume,) = [each for each in api(things)["volumes"] if each["name"] == "secrets"]
    found = {}
    for source in volume["projected"]["sources"]:
        items = source["secret"].get("items")
        files = {"all of it"} if items is None else {each["path"] for each in items}
        if files & {"all of it", "ca.crt", "ca.key"}:
            found[source["secret"]["name"]] = files
    return found


def first_secrets(things):
    """Return what the Job that makes Secrets is told, or None where there is none."""
    found = [pod["spec"]["containers"][0]["args"] for _, pod in pods(things) if component(pod) == "first-secrets"]
    return found[0] if found else None


def port(things):
    (found,) = one(things, "Service", "gpu-dev-api")["spec"]["ports"]
    return found["name"], found["port"]


def test_with_nothing_said_the_pods_serve_it_by_an_authority_of_their_own():
    things = shape("default")

    assert mounted(things) == {"gpu-dev-authority": {"ca.crt", "ca.key"}}
    assert "--authority=gpu-dev-authority" in first_secrets(things)
    assert port(things) == ("https", 443)


def test_the_address_of_a_port_forward_is_one_that_people_sign_in_for():
    for name in ("default", "external-database"):
        assert "--public-origin=https://127.0.0.1:7070" in api(shape(name))["containers"][0]["args"]


@pytest.mark.parametrize(
    "said", [INGRESS, ROUTE, "apiService.service.allowPlainHttp=true", "apiService.tls.selfSigned=false"]
)
def test_no_authority_is_made_where_tls_ends_in_front_of_the_pods(said):
    things = render("--set", said)

    assert mounted(things) == {}
    assert not [word for word in first_secrets(things) if word.startswith("--authority")]
    assert port(things) == ("http", 80)


def test_a_certificate_of_the_operators_is_taken_before_one_of_ours():
    things = render("--set", "apiService.tls.existingSecret=mine")

    assert mounted(things) == {"mine": {"all of it"}}
    assert port(things) == ("https", 443)


def test_a_port_that_the_operator_chose_stays():
    assert port(render("--set", "apiService.service.port=8443")) == ("https", 8443)


def test_where_the_other_secrets_are_the_operators_only_the_authority_is_made():
    words = first_secrets(render("--set", "secrets.existingSecret=mine"))

    assert "--authority=gpu-dev-authority" in words
    assert not [word for word in words if word.startswith(("--secret", "--database", "--given"))]
    assert first_secrets(render("--set", "secrets.existingSecret=mine,apiService.tls.existingSecret=mine")) is None


def test_helm_test_asks_as_people_do():
    for said, begins in (("hooks=true", "https://gpu-dev-api:443/v1/"), (INGRESS, "http://gpu-dev-api:80/v1/")):
        url, _ = one(render("--set", said), "Pod", "gpu-dev-test")["spec"]["containers"][0]["args"]
        assert url.startswith(begins)


def test_a_gateway_that_only_the_cluster_reaches_is_dialled_where_the_api_is():
    def told(*words):
        config = one(render(*words), "ConfigMap", "gpu-dev-config")["data"]["config.toml"]
        return [line for line in config.splitlines() if line.startswith("gateway = ")]

    assert told() == ['gateway = "127.0.0.1:7022"']
    assert told("--set", "sshGateway.address=ssh.example.org:22") == ['gateway = "ssh.example.org:22"']
