"""Services, budgets, probes and network policies mean pods that are there."""

from __future__ import annotations

import json

import pytest

from tests.chart.rendering import (
    BOXES,
    CHART,
    CONTROL,
    INSTANCE,
    NAME,
    SHAPES,
    component,
    containers,
    kinds,
    one,
    pods,
    render,
    selects,
    shape,
)

SERVING = {"api", "processor", "gateway"}


def of(things, namespace):
    return [pod for where, pod in pods(things) if where == namespace]


def labels(pod):
    return pod["metadata"]["labels"]


def policies(things, namespace):
    found = [each for each in kinds(things, "NetworkPolicy") if each["metadata"]["namespace"] == namespace]
    assert found
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_every_service_means_pods_and_a_port_of_theirs(name):
    things = shape(name)
    for service in kinds(things, "Service"):
        chosen = [
            pod for pod in of(things, CONTROL) if selects({"matchLabels": service["spec"]["selector"]}, labels(pod))
        ]
        assert chosen, service["metadata"]["name"]
        ports = {port["name"] for pod in chosen for each in containers(pod) for port in each.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@pytest.mark.parametrize("name", SHAPES)
def test_every_workload_selects_the_pods_it_makes_and_no_others(name):
    things = shape(name)
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        for thing in kinds(things, kind):
            chosen = [pod for _, pod in pods(things) if selects(thing["spec"]["selector"], labels(pod))]
            assert chosen == [thing["spec"]["template"]], thing["metadata"]["name"]


@pytest.mark.parametrize("name", SHAPES)
def test_a_budget_means_one_workload_of_several_pods(name):
    things = shape(name)
    for budget in kinds(things, "PodDisruptionBudget"):
        (workload,) = [
            each
            for each in kinds(things, "Deployment")
            if selects(budget["spec"]["selector"], labels(each["spec"]["template"]))
        ]
        assert workload["spec"].get("replicas", 2) > 1


def test_a_single_pod_has_no_budget_that_would_stop_a_drain():
    assert kinds(render("--set", "apiService.replicas=1"), "PodDisruptionBudget") == []


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_comes_to_a_pod_of_the_control_plane_or_leaves_it_unless_a_policy_lets_it(name):
    things = shape(name)
    closed = one(
        [each for each in kinds(things, "NetworkPolicy") if each["metadata"]["namespace"] == CONTROL],
        "NetworkPolicy",
        "gpu-dev-closed",
    )

    assert closed["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(closed["spec"])
    assert all(selects(closed["spec"]["podSelector"], labels(pod)) for pod in of(things, CONTROL))
    assert set(closed["spec"]["podSelector"]["matchLabels"]) == {NAME, INSTANCE}


@pytest.mark.parametrize("name", SHAPES)
def test_every_policy_means_pods_that_are_there_and_so_does_who_it_lets_in_and_out(name):
    things = shape(name)
    for each in policies(things, CONTROL):
        meant = [each["spec"]["podSelector"]]
        for rule in [*each["spec"].get("ingress", []), *each["spec"].get("egress", [])]:
            peers = [*rule.get("from", []), *rule.get("to", [])]
            meant += [peer["podSelector"] for peer in peers if "podSelector" in peer]
        for selector in meant:
            assert [pod for pod in of(things, CONTROL) if selects(selector, labels(pod))], each["metadata"]["name"]


@pytest.mark.parametrize("name", SHAPES)
def test_every_port_that_a_service_offers_is_let_in(name):
    things = shape(name)
    for service in kinds(things, "Service"):
        wanted = {port["targetPort"] for port in service["spec"]["ports"]}
        for pod in of(things, CONTROL):
            if not selects({"matchLabels": service["spec"]["selector"]}, labels(pod)):
                continue
            offered = {
                port["containerPort"]
                for each in containers(pod)
                for port in each.get("ports", [])
                if port["name"] in wanted
            }
            if component(pod) != "postgres-replica":
                assert offered <= let_in(things, pod), component(pod)


def let_in(things, pod):
    rules = [
        rule
        for each in policies(things, CONTROL)
        if selects(each["spec"]["podSelector"], labels(pod))
        for rule in each["spec"].get("ingress", [])
    ]
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_only_who_needs_the_database_reaches_it():
    (ingress,) = one(shape("default"), "NetworkPolicy", "gpu-dev-postgres")["spec"]["ingress"]
    let = {each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in ingress["from"]}

    assert let == {"api", "processor", "gateway", "availability", "expiry", "migrate"}
    assert "egress" not in one(shape("default"), "NetworkPolicy", "gpu-dev-postgres")["spec"]


def test_who_may_dial_the_database_is_whom_it_lets_in():
    things = shape("everything")
    (ingress,) = one(things, "NetworkPolicy", "gpu-dev-postgres")["spec"]["ingress"]
    let = {each["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for each in ingress["from"]}
    dialling = {
        component(each)
        for each in policies(things, CONTROL)
        for rule in each["spec"].get("egress", [])
        if {"protocol": "TCP", "port": 5432} in rule["ports"]
    }

    assert dialling == let


def test_the_api_reaches_neither_private_networks_nor_the_machines_credentials():
    rules = one(shape("default"), "NetworkPolicy", "gpu-dev-api")["spec"]["egress"]
    (block,) = [peer["ipBlock"] for rule in rules for peer in rule.get("to", []) if "ipBlock" in peer]

    assert set(block["except"]) == {"169.254.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}


def test_the_gateway_reaches_boxes_and_nobody_elses_pods():
    rules = one(shape("default"), "NetworkPolicy", "gpu-dev-gateway")["spec"]["egress"]
    (boxes,) = [rule for rule in rules if {"protocol": "TCP", "port": 2222} in rule["ports"]]

    assert boxes["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": BOXES}}}]


def test_every_part_that_is_fenced_can_be_given_more_ways_out_and_nothing_else_can():
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    ways = schema["properties"]["networkPolicies"]["properties"]["extraEgress"]["properties"]
    fenced = {component(each) for name in SHAPES for each in policies(shape(name), CONTROL)}

    assert {*ways} == fenced - {"network"}


def test_boxes_are_closed_until_the_engine_opens_what_they_need():
    (closed,) = policies(shape("default"), BOXES)

    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_namespace_that_is_not_ours_is_left_as_it_is():
    things = render("--set", "namespaces.create=false")

    assert {each["metadata"]["namespace"] for each in kinds(things, "NetworkPolicy")} == {CONTROL}
    assert kinds(things, "Namespace") == []


@pytest.mark.parametrize("name", SHAPES)
def test_alive_is_the_process_and_ready_is_the_database(name):
    found = {}
    for pod in of(shape(name), CONTROL):
        for each in pod["spec"]["containers"]:
            if component(pod) in SERVING:
                paths = [each[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")]
                names = {port["name"] for port in each["ports"]}
                assert {
                    each[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "liveness", "readiness")
                } <= names
                found[component(pod)] = paths

    assert found == {each: ["/healthz", "/healthz", "/readyz"] for each in SERVING}


def test_a_database_that_recovers_is_not_taken_for_dead():
    (container,) = one(shape("default"), "StatefulSet", "gpu-dev-postgres")["spec"]["template"]["spec"]["containers"]

    assert container["livenessProbe"]["exec"]["command"][-1].endswith("test $? -ne 2")
    assert container["readinessProbe"]["exec"]["command"][0] == "pg_isready"


@pytest.mark.parametrize("name", SHAPES)
def test_no_service_offers_the_port_of_probes_and_metrics_and_only_a_monitor_is_let_in_there(name):
    things = shape(name)
    offered = {port["targetPort"] for each in kinds(things, "Service") for port in each["spec"]["ports"]}
    assert "health" not in offered
    for pod in of(things, CONTROL):
        if component(pod) in SERVING - {"gateway"}:
            (port,) = [
                each["containerPort"] for each in pod["spec"]["containers"][0]["ports"] if each["name"] == "health"
            ]
            assert (port in let_in(things, pod)) == bool(kinds(things, "PodMonitor")), component(pod)


def test_a_monitor_reads_a_port_that_its_pods_have():
    things = shape("everything")
    monitors = kinds(things, "PodMonitor")
    for monitor in monitors:
        (pod,) = [each for each in of(things, CONTROL) if selects(monitor["spec"]["selector"], labels(each))]
        names = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= names

    assert {component(each) for each in monitors} >= {"api", "processor"}


@pytest.mark.parametrize("name", SHAPES)
def test_every_volume_is_there_for_who_mounts_it(name):
    things = shape(name)
    maps = {each["metadata"]["name"] for each in kinds(things, "ConfigMap")}
    claims = {"data"}
    for _, pod in pods(things):
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
        for each in containers(pod):
            assert {mount["name"] for mount in each.get("volumeMounts", [])} <= set(volumes) | claims
        assert {volume["configMap"]["name"] for volume in volumes.values() if "configMap" in volume} <= maps
