"""The fake keeps objects as an API server does: what the other tests rely on."""

from __future__ import annotations

import pytest

from tests.unit.kube.fake_store import Refused, Store

KEY = ("configmaps", "lab", "one")


def body(**parts):
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}} | parts


@pytest.fixture
def store():
    return Store()


def refused(status, reason):
    return pytest.raises(Refused, check=lambda error: (error.status, error.reason) == (status, reason))


def test_every_change_is_a_new_version(store):
    first = store.create(KEY, body())["metadata"]["resourceVersion"]

    assert int(store.merge(KEY, {"data": {"a": "1"}})["metadata"]["resourceVersion"]) > int(first)


def test_a_change_that_changes_nothing_is_no_new_version(store):
    assert store.apply(KEY, body(data={"a": "1"})) == store.apply(KEY, body(data={"a": "1"}))


def test_an_object_is_made_once(store):
    store.create(KEY, body())

    with refused(409, "AlreadyExists"):
        store.create(KEY, body())


def test_made_again_it_is_another(store):
    first = store.create(KEY, body())["metadata"]["uid"]
    store.delete(KEY)

    assert store.create(KEY, body())["metadata"]["uid"] != first


def test_applying_takes_away_what_was_applied_before_and_nothing_else(store):
    store.apply(KEY, body(data={"ours": "1", "old": "1"}))
    store.merge(KEY, {"data": {"theirs": "1"}})

    assert store.apply(KEY, body(data={"ours": "2"}))["data"] == {"ours": "2", "theirs": "1"}


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_a_patch_for_another_object_or_version_is_refused(store, field):
    store.create(KEY, body())

    with refused(409, "Conflict"):
        store.merge(KEY, {"metadata": {field: "other"}})


def test_a_deletion_of_another_object_is_refused(store):
    store.create(KEY, body())

    with refused(409, "Conflict"):
        store.delete(KEY, uid="other")


def test_a_finalizer_keeps_an_object_until_it_is_taken_off(store):
    store.create(KEY, body(metadata={"finalizers": ["kept"]}))

    assert "deletionTimestamp" in store.delete(KEY)["metadata"]
    store.merge(KEY, {"metadata": {"finalizers": None}})
    with refused(404, "NotFound"):
        store.get(KEY)


def test_a_pod_that_a_node_has_is_given_its_grace(store):
    key = ("pods", "lab", "one")
    store.create(key, {"kind": "Pod", "metadata": {}, "spec": {"nodeName": "a", "terminationGracePeriodSeconds": 7}})

    assert store.delete(key)["metadata"]["deletionGracePeriodSeconds"] == 7
    assert key in store.objects
    store.delete(key, grace=0)
    assert key not in store.objects


def test_what_is_owned_goes_with_its_owner(store):
    uid = store.create(KEY, body())["metadata"]["uid"]
    owned = ("secrets", "lab", "two")
    store.create(owned, {"kind": "Secret", "metadata": {"ownerReferences": [{"uid": uid}]}})

    store.delete(KEY)

    assert store.objects == {}


def test_changes_since_a_forgotten_version_are_refused(store):
    store.create(KEY, body())
    store.forget()

    with refused(410, "Expired"):
        store.since(100, "configmaps", "lab")
