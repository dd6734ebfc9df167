"""Whom the enforcer knows: addresses by their sandboxes, pods for as long as they have an address."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.cluster.machine import policies, policies_enforcer
from tests.cluster.machine.layout import Layout
from tests.cluster.machine.policies_enforcer import Enforcer
from tests.cluster.machine.policies_read import Unsupported


class FakeApi:
    """Answers with what there is; None of it is there while it is away."""

    def __init__(self):
        self.pods, self.policies, self.away = [], [], False

    def find(self, path, **_):
        if self.away:
            raise httpx2.ConnectError("away")
        items = {"pods": self.pods, "namespaces": [{"metadata": {"name": "lab"}}], "networkpolicies": self.policies}
        return {"items": items[path.rpartition("/")[2]]}


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def node(tmp_path):
    """The node's folders, in which addresses are given out and sandboxes begin and end."""
    return Node(Layout(folder=tmp_path))


class Node:
    def __init__(self, layout):
        self.layout = layout
        self.given = layout.data("cni") / layout.cgroup
        self.given.mkdir(parents=True)
        (self.given / "lock").touch()
        (self.given / "last_reserved_ip.0").write_text("10.232.0.2")

    def give(self, address, sandbox):
        (self.given / address).write_text(f"{sandbox}\r\neth0")

    def begin(self, sandbox, uid):
        folder = self.layout.data("containerd-state") / "io.containerd.runtime.v2.task" / "k8s.io" / sandbox
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"annotations": {"io.kubernetes.cri.sandbox-uid": uid}}))


@pytest.fixture
def told(monkeypatch):
    """What the kernel was told, instead of telling it."""
    said = []
    monkeypatch.setattr(policies_enforcer, "_there", lambda family: ([], []))
    monkeypatch.setattr(policies_enforcer, "_restore", lambda family, text: said.append(text))
    return said


@pytest.fixture
def enforcer(node, api, told, monkeypatch):
    monkeypatch.setattr(policies_enforcer, "LOOK", 0.0)
    return Enforcer(node.layout, api)


def pod(uid, **labels):
    ports = [{"name": "http", "containerPort": 8080}, {"containerPort": 9}]
    metadata = {"uid": uid, "name": uid, "namespace": "lab", "labels": labels}
    return {"metadata": metadata, "spec": {"containers": [{"ports": ports}, {}]}}


def test_an_address_is_a_pods_once_its_sandbox_runs(node, enforcer):
    node.give("10.232.0.2", "box")
    assert enforcer.addresses() == set()

    node.begin("box", "one")
    assert enforcer.addresses() == {("one", "10.232.0.2")}

    (node.given / "10.232.0.2").unlink()
    assert enforcer.addresses() == set()


def test_a_file_that_is_being_written_is_nobodys_yet(node, enforcer):
    (node.given / "10.232.0.2").touch()

    assert enforcer.addresses() == set()


def test_a_pod_is_known_by_its_labels_and_names_of_ports(node, enforcer, api):
    api.pods = [pod("one", app="web"), pod("two")]

    scene = enforcer.look({("one", "10.232.0.2")})

    assert scene.pods == [policies.Pod("lab", "10.232.0.2", {"app": "web"}, {("TCP", "http"): 8080})]


def test_a_pod_that_is_deleted_while_it_runs_keeps_its_fence(enforcer, api):
    api.pods = [pod("one", app="web")]
    before = enforcer.look({("one", "10.232.0.2")})
    api.pods = []

    assert enforcer.look({("one", "10.232.0.2")}) == before
    assert enforcer.look(set()).pods == []


def test_who_gets_an_address_that_another_had_is_not_taken_for_them(enforcer, api):
    api.pods = [pod("one", app="web")]
    enforcer.look({("one", "10.232.0.2")})
    api.pods = []

    assert enforcer.look({("two", "10.232.0.2")}).pods == []


def test_a_pod_whose_sandbox_is_made_anew_has_both_addresses(enforcer, api):
    api.pods = [pod("one")]

    scene = enforcer.look({("one", "10.232.0.2"), ("one", "10.232.0.3")})

    assert [each.address for each in scene.pods] == ["10.232.0.2", "10.232.0.3"]


def test_nothing_is_told_the_kernel_twice(node, enforcer, api, told):
    node.give("10.232.0.2", "box")
    node.begin("box", "one")
    api.pods = [pod("one")]

    enforcer.step()
    enforcer.step()

    assert len(told) == 1
    assert "-d 10.232.0.2 -j RETURN" in told[0]


def test_while_the_api_server_is_away_the_rules_stay(enforcer, api, told):
    api.away = True

    enforcer.step()

    assert told == []


def test_a_policy_that_is_not_understood_ends_it(enforcer, api):
    api.policies = [{"metadata": {"namespace": "lab", "name": "new"}, "spec": {"podSelector": {}, "priority": 1}}]

    with pytest.raises(Unsupported, match="lab/new"):
        enforcer.step()
