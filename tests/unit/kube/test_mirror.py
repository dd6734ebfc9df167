"""A copy of objects of a cluster, kept by list and watch: what changes is seen, and what is not seen is not believed."""

from __future__ import annotations

import math
import time

import pytest

from gpudev_sdk.kube.kinds import CONFIG_MAP, NODE
from gpudev_sdk.kube.mirror import FRESH, PACE, RELIST, Mirror, Pace

WAIT = 5.0


@pytest.fixture
def mirror_of(fake):
    """Return a function that builds mirrors, which end with the test."""
    made = []

    def build(api=None, kind=CONFIG_MAP, selector="", watch=PACE.watch, pause=0.01, **options):
        made.append(Mirror(api or fake.api(), kind, selector, pace=Pace(watch=watch, pause=pause), **options))
        return made[-1]

    yield build
    for mirror in made:
        mirror.stop()
    fake.cut_watches()


def body(name="one", **parts):
    return CONFIG_MAP.body({"name": name, "labels": {"app": name}}, **parts)


def names(mirror):
    return sorted(item["metadata"]["name"] for item in mirror.all())


def listings(fake):
    return [call.verb for call in fake.calls].count("list")


def watches(fake):
    return [call.verb for call in fake.calls].count("watch")


def test_nothing_is_asked_before_the_first_question(fake, mirror_of):
    assert not mirror_of().is_fresh
    assert fake.calls == []


def test_what_is_there_is_copied(api, mirror_of):
    made = api.create(CONFIG_MAP, body())
    mirror = mirror_of()

    assert mirror.wait(WAIT)
    assert mirror.find("one")["metadata"]["uid"] == made["metadata"]["uid"]
    assert mirror.find("none") is None


def test_only_what_the_selector_names_is_copied(api, mirror_of):
    api.create(CONFIG_MAP, body("one"))
    api.create(CONFIG_MAP, body("two"))
    mirror = mirror_of(selector="app=two")

    mirror.wait(WAIT)

    assert names(mirror) == ["two"]


def test_what_comes_changes_and_goes_is_seen(api, mirror_of, eventually):
    mirror = mirror_of()
    mirror.wait(WAIT)

    api.create(CONFIG_MAP, body())
    eventually(lambda: mirror.find("one") is not None)
    api.merge(CONFIG_MAP, "one", {"data": {"a": "1"}})
    eventually(lambda: mirror.find("one").get("data") == {"a": "1"})
    api.delete(CONFIG_MAP, "one")
    eventually(lambda: mirror.find("one") is None)


def test_objects_are_kept_as_trimmed(api, mirror_of, eventually):
    mirror = mirror_of(trim=lambda item: {"metadata": item["metadata"]})
    api.create(CONFIG_MAP, body("one", data={"a": "1"}))
    mirror.wait(WAIT)
    api.create(CONFIG_MAP, body("two", data={"a": "1"}))

    eventually(lambda: len(mirror.all()) == 2)

    assert not any("data" in item for item in mirror.all())


def test_objects_of_no_namespace_are_found_without_one(api, mirror_of):
    api.create(NODE, NODE.body({"name": "node-a"}))
    mirror = mirror_of(kind=NODE)

    mirror.wait(WAIT)

    assert mirror.find("node-a", "") is not None


def test_a_watch_that_ends_is_begun_where_it_ended(fake, api, mirror_of, eventually):
    mirror = mirror_of(watch=0)
    mirror.wait(WAIT)
    eventually(lambda: watches(fake) >= 2)

    api.create(CONFIG_MAP, body())

    eventually(lambda: mirror.find("one") is not None)
    assert listings(fake) == 1


def test_a_watch_that_is_ended_at_once_is_not_asked_for_without_end(fake, mirror_of, eventually):
    mirror = mirror_of(watch=0, pause=0.05)
    begun = time.monotonic()

    mirror.wait(WAIT)
    eventually(lambda: watches(fake) == 4)

    assert time.monotonic() - begun > 3 * 0.05


def test_a_forgotten_version_is_listed_again_and_nothing_is_missed(fake, api, mirror_of, eventually):
    api.create(CONFIG_MAP, body("old"))
    mirror = mirror_of(watch=0)
    mirror.wait(WAIT)
    fake.trouble = lambda call: "410" if call.verb == "watch" else None
    eventually(lambda: listings(fake) > 2)

    api.delete(CONFIG_MAP, "old")
    api.create(CONFIG_MAP, body("new"))

    eventually(lambda: names(mirror) == ["new"])
    assert mirror.is_fresh


def test_a_version_that_is_forgotten_within_a_watch_is_listed_again(fake, api, mirror_of, eventually):
    mirror = mirror_of()
    mirror.wait(WAIT)
    eventually(lambda: watches(fake) == 1)
    with fake.store.changed:
        fake.store.create(("configmaps", "gpu-dev", "one"), body())
        fake.store.forget()

    eventually(lambda: mirror.find("one") is not None)
    eventually(lambda: listings(fake) == 2)


def test_a_watch_that_is_cut_is_noticed_and_begun_anew(fake, api, mirror_of, eventually):
    mirror = mirror_of()
    mirror.wait(WAIT)
    eventually(lambda: watches(fake) == 1)

    fake.cut_watches()
    api.create(CONFIG_MAP, body())

    eventually(lambda: watches(fake) == 2)
    eventually(lambda: mirror.find("one") is not None)


def test_a_watch_that_goes_silent_is_noticed_and_begun_anew(fake, mirror_of, eventually):
    mirror = mirror_of(fake.api(overtime=0.05), watch=0)
    mirror.wait(WAIT)
    fake.stalled = True
    eventually(lambda: mirror.trouble is not None)
    fake.stalled = False

    eventually(lambda: mirror.trouble is None)


def test_while_a_watch_is_silent_the_copy_grows_old(fake, mirror_of, eventually, passing):
    mirror = mirror_of()
    mirror.wait(WAIT)
    fake.stalled = True
    eventually(lambda: watches(fake) == 1)

    passing(FRESH - 9)
    assert mirror.is_fresh
    passing(10)
    assert not mirror.is_fresh


def test_while_the_server_is_away_the_copy_grows_old_and_says_why(fake, mirror_of, eventually, passing):
    mirror = mirror_of()
    mirror.wait(WAIT)
    fake.trouble = lambda call: "503"
    fake.cut_watches()
    eventually(lambda: mirror.trouble is not None and "as the test asked" in mirror.trouble.message)

    passing(FRESH + 1)

    assert not mirror.is_fresh


def test_a_page_of_a_proxy_is_no_sign_of_life(fake, mirror_of, eventually, passing):
    mirror = mirror_of(watch=0)
    mirror.wait(WAIT)
    fake.trouble = lambda call: "page-200"
    eventually(lambda: mirror.trouble is not None)

    passing(FRESH + 1)

    assert not mirror.is_fresh


def test_a_server_that_comes_back_is_believed_again(fake, mirror_of, eventually, passing):
    mirror = mirror_of()
    fake.trouble = lambda call: "503"
    mirror.wait(WAIT)

    fake.trouble = lambda call: None

    eventually(lambda: mirror.is_fresh)
    assert mirror.trouble is None


def test_a_first_answer_that_is_bad_is_an_answer(fake, mirror_of):
    fake.trouble = lambda call: "403"
    mirror = mirror_of(pause=60.0)

    assert mirror.wait(WAIT) is False
    assert listings(fake) == 1
    assert mirror.trouble is not None


def test_all_is_listed_again_now_and_then(fake, mirror_of, eventually, passing):
    mirror = mirror_of(watch=0)
    mirror.wait(WAIT)
    fake.store.objects[("configmaps", "gpu-dev", "quiet")] = body("quiet")
    fake.store.objects[("configmaps", "gpu-dev", "quiet")]["metadata"] |= {"namespace": "gpu-dev"}

    passing(RELIST + 1)

    eventually(lambda: mirror.find("quiet") is not None)


def test_what_the_server_answered_is_taken_over_before_the_watch_tells(fake, api, mirror_of):
    fake.stalled = True
    mirror = mirror_of()
    mirror.wait(WAIT)

    mirror.put(api.create(CONFIG_MAP, body()))

    assert mirror.find("one") is not None


def test_an_older_answer_does_not_replace_what_is_known(fake, api, mirror_of):
    fake.stalled = True
    old = api.create(CONFIG_MAP, body(data={"a": "1"}))
    api.merge(CONFIG_MAP, "one", {"data": {"a": "2"}})
    mirror = mirror_of()
    mirror.wait(WAIT)

    mirror.put(old)

    assert mirror.find("one")["data"] == {"a": "2"}


def test_versions_are_compared_as_numbers(fake, mirror_of):
    fake.stalled, fake.store.version = True, 999
    mirror = mirror_of()
    mirror.wait(WAIT)
    for version in ("999", "1000", "998"):
        metadata = {"name": "one", "namespace": "gpu-dev", "resourceVersion": version}
        mirror.put(CONFIG_MAP.body(metadata, data={"is": version}))

    assert mirror.find("one")["data"] == {"is": "1000"}


def test_nothing_is_taken_over_before_the_first_list(api, mirror_of):
    """What else there is would seem not to be there."""
    mirror = mirror_of()

    mirror.put(api.create(CONFIG_MAP, body()))

    assert mirror.all() == []


def test_a_mirror_that_is_stopped_asks_no_more(fake, mirror_of, eventually):
    mirror = mirror_of(watch=0)
    mirror.wait(WAIT)

    mirror.stop()

    eventually(lambda: not mirror._thread.is_alive())


def test_what_the_server_removed_is_gone_before_the_watch_tells(fake, api, mirror_of):
    fake.stalled = True
    made = api.create(CONFIG_MAP, body())
    mirror = mirror_of()
    mirror.wait(WAIT)

    mirror.drop(made)

    assert mirror.find("one") is None


def test_an_older_word_of_what_was_removed_does_not_bring_it_back(fake, api, mirror_of, eventually):
    fake.stalled = True
    made = api.create(CONFIG_MAP, body())
    mirror = mirror_of()
    mirror.wait(WAIT)
    api.merge(CONFIG_MAP, "one", {"data": {"a": "1"}})
    api.create(CONFIG_MAP, body("two"))
    mirror.drop(made)

    fake.stalled = False

    eventually(lambda: mirror.find("two") is not None)
    assert mirror.find("one") is None


def test_what_is_made_anew_under_the_name_of_what_was_removed_is_seen(api, mirror_of, eventually):
    made = api.create(CONFIG_MAP, body())
    mirror = mirror_of()
    mirror.wait(WAIT)
    mirror.drop(made)
    api.delete(CONFIG_MAP, "one")

    again = api.create(CONFIG_MAP, body())

    eventually(lambda: (mirror.find("one") or made)["metadata"]["uid"] == again["metadata"]["uid"])


def test_one_that_was_made_anew_meanwhile_is_not_dropped_for_the_old_one(fake, api, mirror_of):
    made = api.create(CONFIG_MAP, body())
    api.delete(CONFIG_MAP, "one")
    api.create(CONFIG_MAP, body())
    mirror = mirror_of()
    mirror.wait(WAIT)

    mirror.drop(made)

    assert mirror.find("one") is not None


def test_a_copy_says_when_it_came(api, mirror_of, passing, eventually):
    mirror = mirror_of()
    api.create(CONFIG_MAP, body())
    mirror.wait(WAIT)
    assert mirror.age("none") == math.inf
    passing(20)
    assert 20 <= mirror.age("one") < 25

    api.merge(CONFIG_MAP, "one", {"data": {"a": "1"}})

    eventually(lambda: mirror.age("one") < 5)


def test_every_change_of_a_copy_is_told(fake, api, mirror_of, eventually):
    told = []
    api.create(CONFIG_MAP, body())
    mirror = mirror_of(tell=lambda before, now: told.append((stage(before), stage(now))))
    mirror.wait(WAIT)
    api.merge(CONFIG_MAP, "one", {"data": {"a": "1"}})
    eventually(lambda: len(told) == 2)
    api.delete(CONFIG_MAP, "one")

    eventually(lambda: told == [(None, ""), ("", "1"), ("1", None)])


def test_what_a_new_list_lacks_is_told_to_be_gone(fake, api, mirror_of, eventually):
    told = []
    api.create(CONFIG_MAP, body())
    mirror = mirror_of(tell=lambda before, now: told.append((stage(before), stage(now))))
    mirror.wait(WAIT)
    fake.trouble = lambda call: "410" if call.verb == "watch" else None
    fake.cut_watches()

    api.delete(CONFIG_MAP, "one")

    eventually(lambda: told[-1] == ("", None))


def stage(item):
    return None if item is None else item.get("data", {}).get("a", "")
