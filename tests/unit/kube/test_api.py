"""Calls to an API server, and what becomes of one that fails in any way."""

from __future__ import annotations

import threading

import pytest
from kubernetes.client import ApiClient, Configuration
from kubernetes.config.config_exception import ConfigException

from gpudev_sdk.errors import TryLater
from gpudev_sdk.kube.api import Api
from gpudev_sdk.kube.errors import ObjectAbsent, ObjectChanged, ObjectExists, TooOld
from gpudev_sdk.kube.kinds import CONFIG_MAP, NODE, POD, POD_ANYWHERE, SNAPSHOT, Kind
from tests.unit.kube.fake_api import Call

FAULTS = ["cut", "half", "page", "page-200", "404", "500", "503", "429", "401", "403", "410", "302"]


def body(name="one", **parts):
    return CONFIG_MAP.body({"name": name, "labels": {"app": name}}, **parts)


def failing(what, *verbs):
    return lambda call: what if not verbs or call.verb in verbs else None


def test_an_object_that_was_made_is_found(api):
    made = api.create(CONFIG_MAP, body(data={"a": "1"}))

    assert api.find(CONFIG_MAP, "one") == made
    assert (made["data"], made["metadata"]["namespace"]) == ({"a": "1"}, "gpu-dev")


def test_an_object_that_is_not_there_is_none(api):
    assert api.find(CONFIG_MAP, "none") is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_api_never_says_that_an_object_is_not_there(fake, api, fault):
    fake.trouble = failing(fault)

    with pytest.raises(TryLater) as raised:
        api.find(CONFIG_MAP, "one")
    assert not isinstance(raised.value, ObjectAbsent)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_api_never_says_that_there_are_no_objects(fake, api, fault):
    fake.trouble = failing(fault)

    with pytest.raises(TryLater):
        api.list(CONFIG_MAP)


def test_a_kind_that_the_api_does_not_know_is_not_an_absent_object(api):
    with pytest.raises(TryLater):
        api.find(Kind("Widget", "example.io/v1", "widgets"), "one")


def test_a_server_that_is_away_is_tried_later(fake, api):
    fake.close()

    with pytest.raises(TryLater, match="does not answer"):
        api.find(CONFIG_MAP, "one")


def test_what_the_server_says_reaches_people(fake, api):
    fake.trouble = failing("500")

    with pytest.raises(TryLater, match="as the test asked"):
        api.find(CONFIG_MAP, "one")


def test_making_twice_says_that_it_is_there(api):
    api.create(CONFIG_MAP, body())

    with pytest.raises(ObjectExists):
        api.create(CONFIG_MAP, body())


def test_applying_makes_an_object_and_then_its_fields_exactly_ours(api):
    api.apply(CONFIG_MAP, body(data={"old": "1", "kept": "1"}))
    api.merge(CONFIG_MAP, "one", {"data": {"theirs": "1"}})

    api.apply(CONFIG_MAP, body(data={"kept": "2"}))

    assert api.find(CONFIG_MAP, "one")["data"] == {"kept": "2", "theirs": "1"}


def test_a_patch_of_what_is_gone_says_so(api):
    with pytest.raises(ObjectAbsent):
        api.merge(CONFIG_MAP, "one", {"data": {}})


@pytest.mark.parametrize("field", ["uid", "resourceVersion"])
def test_a_patch_of_another_object_is_refused(api, field):
    api.create(CONFIG_MAP, body())

    with pytest.raises(ObjectChanged):
        api.merge(CONFIG_MAP, "one", {"metadata": {field: "other"}})


def test_only_the_newest_version_is_replaced(api):
    old = api.create(CONFIG_MAP, body())
    api.merge(CONFIG_MAP, "one", {"data": {"a": "1"}})

    with pytest.raises(ObjectChanged):
        api.replace(CONFIG_MAP, old)


def test_deleting_is_deleting_and_what_is_gone_is_fine(api):
    api.create(CONFIG_MAP, body())

    api.delete(CONFIG_MAP, "one")
    api.delete(CONFIG_MAP, "one")

    assert api.find(CONFIG_MAP, "one") is None


def test_an_object_made_anew_under_the_name_is_not_deleted(api):
    uid = api.create(CONFIG_MAP, body())["metadata"]["uid"]
    api.delete(CONFIG_MAP, "one")
    api.create(CONFIG_MAP, body())

    with pytest.raises(ObjectChanged):
        api.delete(CONFIG_MAP, "one", uid=uid)
    assert api.find(CONFIG_MAP, "one") is not None


def test_a_list_is_of_one_selector_and_namespace_at_one_version(fake, api):
    for name in ("one", "two"):
        api.create(CONFIG_MAP, body(name))
    fake.api("elsewhere").create(CONFIG_MAP, body("one"))

    listing = api.list(CONFIG_MAP, "app=one")

    assert [item["metadata"]["namespace"] for item in listing.items] == ["gpu-dev"]
    assert listing.version == str(fake.store.version)


def test_objects_of_all_namespaces_and_of_none_are_listed(fake, api):
    fake.api("elsewhere").create(POD, POD.body({"name": "theirs"}, spec={}))
    api.create(POD, POD.body({"name": "ours"}, spec={}))
    api.create(NODE, NODE.body({"name": "node-a"}))

    assert [item["metadata"]["name"] for item in api.list(POD_ANYWHERE).items] == ["theirs", "ours"]
    assert [item["metadata"]["name"] for item in api.list(NODE).items] == ["node-a"]


def test_kinds_of_an_extension_have_their_own_paths(api):
    api.create(SNAPSHOT, SNAPSHOT.body({"name": "one"}))

    assert api.find(SNAPSHOT, "one")["kind"] == "VolumeSnapshot"


@pytest.fixture
def paged(fake, api):
    for number in range(5):
        api.create(CONFIG_MAP, body(f"n{number}"))
    fake.page = 2
    return api


def test_a_list_in_pages_is_whole(paged):
    assert [item["metadata"]["name"] for item in paged.list(CONFIG_MAP).items] == ["n0", "n1", "n2", "n3", "n4"]


def test_a_list_whose_place_was_forgotten_is_begun_anew(fake, paged):
    forgotten = []

    def once(call):
        if "continue" in call.options and not forgotten:
            forgotten.append(call)
            fake.forget_pages()

    fake.trouble = once

    assert len(paged.list(CONFIG_MAP).items) == 5
    assert forgotten


def test_a_list_whose_place_is_forgotten_again_and_again_is_no_answer(fake, paged):
    fake.trouble = lambda call: fake.forget_pages() if "continue" in call.options else None

    with pytest.raises(TryLater, match="faster than they can be listed"):
        paged.list(CONFIG_MAP)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_list_that_breaks_off_is_no_answer(fake, paged, fault):
    fake.trouble = lambda call: fault if "continue" in call.options else None

    with pytest.raises(TryLater):
        paged.list(CONFIG_MAP)


def test_calls_are_counted_and_watches_are_not(fake, api):
    version = api.list(CONFIG_MAP).version
    list(api.watch(CONFIG_MAP, "", version, 0))

    assert api.calls == 1


def events(api, version, seconds=0, selector=""):
    return [
        (event.what, event.item["metadata"].get("name")) for event in api.watch(CONFIG_MAP, selector, version, seconds)
    ]


def test_a_watch_tells_what_changed_since_a_version(api):
    version = api.list(CONFIG_MAP).version
    api.create(CONFIG_MAP, body("one"))
    api.create(CONFIG_MAP, body("two"))
    api.merge(CONFIG_MAP, "one", {"data": {"a": "1"}})
    api.delete(CONFIG_MAP, "one")

    assert events(api, version) == [
        ("ADDED", "one"), ("ADDED", "two"), ("MODIFIED", "one"), ("DELETED", "one"), ("BOOKMARK", None),
    ]  # fmt: skip


def test_a_watch_of_a_selector_tells_of_nothing_else(api):
    version = api.list(CONFIG_MAP).version
    api.create(CONFIG_MAP, body("one"))
    api.create(CONFIG_MAP, body("two"))

    assert events(api, version, selector="app=two") == [("ADDED", "two"), ("BOOKMARK", None)]


def test_a_watch_from_a_forgotten_version_is_too_old(fake, api):
    api.create(CONFIG_MAP, body())
    fake.store.forget()

    with pytest.raises(TooOld):
        events(api, "100")


def test_a_watch_that_is_cut_says_so(fake, api):
    version = api.create(CONFIG_MAP, body())["metadata"]["resourceVersion"]
    watch = api.watch(CONFIG_MAP, "", str(int(version) - 1), 60)
    next(watch)

    fake.cut_watches()

    with pytest.raises(TryLater, match="broke off"):
        list(watch)


def test_a_watch_that_goes_silent_is_given_up(fake):
    fake.stalled = True

    with pytest.raises(TryLater, match="broke off"):
        events(fake.api(overtime=0.2), "100")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_watch_that_is_refused_is_tried_later(fake, api, fault):
    fake.trouble = failing(fault)

    with pytest.raises(TryLater):
        events(api, "100")


def test_a_watch_that_tells_something_else_is_an_error(fake, api):
    """A proxy's own page with status 200."""
    fake.trouble = failing("page-200", "watch")

    with pytest.raises(TryLater, match="something else"):
        events(api, "100")


def test_a_connection_serves_the_next_call_after_a_refusal(fake, api):
    api.find(CONFIG_MAP, "none")
    api.create(CONFIG_MAP, body())

    assert api.find(CONFIG_MAP, "one")["metadata"]["name"] == "one"


def test_many_threads_share_it(fake, api):
    def work(number):
        api.create(CONFIG_MAP, body(f"n{number}"))
        found.append(api.find(CONFIG_MAP, f"n{number}")["metadata"]["name"])

    found: list[str] = []
    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == sorted(f"n{number}" for number in range(12))
    assert api.calls == 24


def test_credentials_that_cannot_be_renewed_are_tried_later(fake):
    def renew(configuration):
        raise ConfigException("Token file exists but empty.")

    configuration = Configuration()
    configuration.host, configuration.api_key = fake.address, {"BearerToken": "old"}
    configuration.refresh_api_key_hook = renew

    with pytest.raises(TryLater, match="cannot be renewed"):
        Api(ApiClient(configuration), "gpu-dev").find(CONFIG_MAP, "one")


def test_every_call_names_its_object(fake, api):
    api.find(CONFIG_MAP, "one")
    api.list(NODE)
    api.list(POD_ANYWHERE)

    assert fake.calls == [
        Call("get", "", "configmaps", "gpu-dev", "one"),
        Call("list", "", "nodes"),
        Call("list", "", "pods"),
    ]
