"""How a cluster is reached: by a file and a context, or by the account of the pod we run in."""

from __future__ import annotations

import json

import pytest

from gpudev_sdk.errors import MissingAbility, TryLater, Unworkable
from gpudev_sdk.kube import cluster, plugin


def kubeconfig(folder, **contexts):
    """Write a kubeconfig with these contexts, by the address of their cluster; the first is the current one."""
    plain = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(contexts)),
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in contexts.items()],
        "users": [{"name": "me", "user": {"token": "hush"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in contexts],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(plain))
    return str(path)


def host(api):
    return api._client.configuration.host


def test_a_file_is_read_and_its_current_context_taken(tmp_path):
    path = kubeconfig(tmp_path, lab="https://lab:6443", other="https://other:6443")

    api = cluster.connect(path, "", "gpu-dev")

    assert (host(api), api.namespace) == ("https://lab:6443", "gpu-dev")


def test_a_context_that_is_named_is_taken(tmp_path):
    path = kubeconfig(tmp_path, lab="https://lab:6443", other="https://other:6443")

    assert host(cluster.connect(path, "other", "gpu-dev")) == "https://other:6443"


def test_two_backends_reach_two_clusters(tmp_path):
    path = kubeconfig(tmp_path, lab="https://lab:6443", other="https://other:6443")

    first, second = (cluster.connect(path, name, "gpu-dev") for name in ("lab", "other"))

    assert (host(first), host(second)) == ("https://lab:6443", "https://other:6443")


@pytest.mark.parametrize(("context", "content"), [("nowhere", None), ("", "not: [yaml"), ("", "{}")])
def test_what_is_wrong_with_a_file_is_said_with_what_to_do(tmp_path, context, content):
    path = kubeconfig(tmp_path, lab="https://lab:6443")
    if content is not None:
        (tmp_path / "kubeconfig").write_text(content)

    with pytest.raises(TryLater, match="no way to the cluster") as caught:
        cluster.connect(path, context, "gpu-dev")

    assert "kubectl config get-contexts" in caught.value.hint


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(TryLater, match="no way to the cluster"):
        cluster.connect(str(tmp_path / "none"), "", "gpu-dev")


def test_a_client_that_is_not_installed_is_said_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(plugin.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(MissingAbility) as caught:
        plugin.gpudev_register_compute()

    assert "pip install 'gpudev-sdk[kube]'" in caught.value.hint


def signed(api):
    """Return the header with which a call would go out."""
    headers = {}
    api._sign(headers, "/api/v1/pods", "GET")
    return headers.get("authorization")


def test_a_token_that_does_not_last_is_asked_for_before_every_call():
    tokens = iter(["first", "second"])
    access = cluster.Access(server="https://eks.example", ca_pem="PEM", token=lambda: next(tokens))

    api = cluster.reach(access, "gpu-dev")

    assert (host(api), api.namespace) == ("https://eks.example", "gpu-dev")
    assert [signed(api), signed(api)] == ["Bearer first", "Bearer second"]


def test_a_token_is_never_sent_in_the_clear():
    access = cluster.Access(server="http://eks.example", ca_pem="PEM", token=lambda: "hush")

    with pytest.raises(Unworkable, match="not https"):
        cluster.reach(access, "gpu-dev")


def test_a_token_does_not_show_and_what_keeps_it_from_us_is_told_as_it_is():
    def refuse():
        raise TryLater("the cloud makes no token")

    access = cluster.Access(server="https://eks.example", ca_pem="PEM", token=refuse)

    assert "refuse" not in repr(access)
    with pytest.raises(TryLater, match="makes no token"):
        signed(cluster.reach(access, "gpu-dev"))
