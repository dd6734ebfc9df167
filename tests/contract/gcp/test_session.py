"""The one way to Google's APIs: loaded late and once, and polite."""

from __future__ import annotations

import threading

import pytest
from google.auth.credentials import AnonymousCredentials

from gpudev_gcp import session as session_module
from gpudev_gcp.session import Session
from gpudev_sdk.errors import TryLater


def test_a_client_is_made_once_whoever_asks(bench):
    session = bench.session()
    made, together = [], threading.Barrier(4)

    def ask():
        together.wait()
        made.append(session.disks)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert len({id(client) for client in made}) == 1


def test_on_this_very_machine_no_credentials_are_sent(fake, bench):
    bench.session().pages("list", bench.session().disks.aggregated_list)

    assert fake.bearers == [""]


def test_who_we_are_is_asked_for_once_even_while_many_call(bench):
    asked = []

    def find():
        asked.append(1)
        return AnonymousCredentials()

    session = bench.session(find)
    for _ in range(3):
        session.client("DisksClient")
        session.client("SnapshotsClient")

    assert asked == [1]


def test_a_call_does_not_wait_until_the_library_is_there_and_a_later_one_has_it(bench, monkeypatch):
    monkeypatch.setattr(session_module, "_LOADING", 0.01)
    there = threading.Event()

    def find():
        there.wait(30)
        return AnonymousCredentials()

    session = bench.session(find)
    with pytest.raises(TryLater, match="Google's library is being loaded"):
        session.client("DisksClient")
    there.set()
    monkeypatch.setattr(session_module, "_LOADING", 30.0)

    assert session.client("DisksClient") is not None


def test_credentials_that_were_not_found_are_looked_for_again(bench):
    from google.auth.exceptions import DefaultCredentialsError

    answers = [DefaultCredentialsError("none"), None]

    def find():
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return AnonymousCredentials()

    session = bench.session(find)
    with pytest.raises(TryLater, match="no credentials"):
        session.client("DisksClient")

    assert session.client("DisksClient") is not None


def test_operations_are_asked_of_our_endpoint_and_not_of_googles(fake, bench):
    session = bench.session()
    handle = bench.storage.create_volume(bench.spec())
    (name,) = fake.world.operations

    seen = session.read("look", session.zone_operations.get, zone=handle.partition("/")[0], operation=name)

    assert seen.name == name
    assert fake.calls[-1].path.endswith(f"/zones/us-central1-a/operations/{name}")


def test_labels_are_set_only_by_who_saw_the_newest(fake, bench):
    session = bench.session()
    bench.made()
    disk = bench.disk()
    place = {"zone": "us-central1-a", "resource": disk["name"]}

    def set_labels(fingerprint):
        body = {"labels": {"team": "ml"}, "label_fingerprint": fingerprint}
        session.write("set labels", session.disks.set_labels_unary, zone_set_labels_request_resource=body, **place)

    fingerprint = disk["labelFingerprint"]
    set_labels(fingerprint)

    with pytest.raises(TryLater, match="changed meanwhile"):
        set_labels(fingerprint)


def test_a_closed_session_opens_again(fake, bench):
    session = bench.session()
    first = session.disks
    session.close()

    assert session.disks is not first
    session.pages("list", session.disks.aggregated_list)
    assert [call.path for call in fake.calls] == ["/compute/v1/projects/gpu-lab-1/aggregated/disks"]


def test_a_closed_session_leaves_no_connection_open(fake, bench):
    session = bench.session()
    client = session.disks
    session.pages("list", client.aggregated_list)
    assert fake.connections == 1

    session.close()

    assert fake.is_left()
    assert client.transport is not None


def test_a_session_has_a_turn_for_each_api_of_its_own(bench):
    session: Session = bench.session(calls_per_second=0.4)
    session.wait_turn("compute")

    session.wait_turn("container")
    with pytest.raises(TryLater, match="too many calls"):
        session.wait_turn("compute")
