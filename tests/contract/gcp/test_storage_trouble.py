"""What a person reads when the place itself is in trouble: who we are, what we may, and whether Google answers."""

from __future__ import annotations

import uuid

import attrs
import pytest
from google.oauth2.credentials import Credentials

from gpudev_gcp import buckets
from gpudev_gcp.settings import GcpSettings
from gpudev_gcp.storage import GcpStorage
from gpudev_sdk import clock
from gpudev_sdk.domain.disk import VolumeRef
from gpudev_sdk.errors import NoCapacity, TryLater
from tests.contract.gcp.fake_compute_world import Answer

NOBODY = VolumeRef(volume_id=uuid.uuid4(), disk_id=uuid.uuid4())


def refused(fake, reason, message, status=403):
    """Have every call refused."""
    fake.trouble = lambda call: Answer(status, reason, message)


def oauth(fake, said):
    """Return how to find a person's credentials, whose token endpoint refuses."""
    fake.token = (400, {"error": "invalid_grant", "error_description": said})
    return lambda: Credentials(None, refresh_token="r", token_uri=f"{fake.url}/token", client_id="c", client_secret="s")


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine with no credentials of Google's at all."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)


def test_without_credentials_it_is_said_how_to_get_some(nowhere, bench):
    storage = GcpStorage(GcpSettings(project="gpu-lab-1"), bench.context)

    with pytest.raises(TryLater, match="no credentials for Google Cloud are found") as caught:
        storage.list_volumes()

    assert "gcloud auth application-default login" in caught.value.hint
    assert "Workload Identity" in caught.value.hint
    with pytest.raises(TryLater, match="no credentials"):
        storage.list_volumes()


def test_expired_credentials_are_said_with_how_to_log_in_again(fake, bench):
    storage = bench.again(credentials=oauth(fake, "Token has been expired or revoked."))

    with pytest.raises(TryLater, match="have expired or were revoked") as caught:
        storage.list_volumes()

    assert "gcloud auth application-default login" in caught.value.hint


def test_a_clock_that_is_wrong_is_said_with_how_to_set_it(fake, bench):
    said = (
        "Invalid JWT: Token must be a short-lived token (60 minutes). Check your iat and exp values in the JWT claim."
    )
    storage = bench.again(credentials=oauth(fake, said))

    with pytest.raises(TryLater, match="this machine's clock is wrong") as caught:
        storage.list_volumes()

    assert "timedatectl" in caught.value.hint


def test_a_project_that_is_not_there_is_said(bench):
    with pytest.raises(TryLater, match="there is no such project, or it is not ours to see") as caught:
        bench.again(project="other-lab-2").list_volumes()

    assert "gcloud projects list" in caught.value.hint


def test_in_a_project_that_is_not_there_nothing_is_absent(bench):
    storage = bench.again(project="other-lab-2")

    assert storage.get_volume(attrs.evolve(NOBODY, handle="us-central1-a/1")).presence == "unknown"


@pytest.mark.parametrize(
    ("permission", "act"),
    [
        ("compute.disks.create", lambda bench: bench.storage.create_volume(bench.spec())),
        ("compute.disks.list", lambda bench: bench.storage.list_volumes()),
        ("compute.instances.list", lambda bench: bench.storage.create_volume(bench.spec())),
        ("compute.snapshots.list", lambda bench: bench.storage.list_snapshots()),
        ("compute.snapshots.create", lambda bench: bench.taken(bench.made())),
        ("compute.disks.delete", lambda bench: bench.storage.delete_volume(bench.made())),
    ],
)
def test_a_permission_that_is_missing_is_named_with_where_to_grant_it(fake, bench, permission, act):
    fake.denied = {permission}

    with pytest.raises(TryLater, match=f"the permission {permission} is missing for projects/") as caught:
        act(bench)

    assert caught.value.hint == (
        f"Grant {permission} to the account that gpudev runs as: docs/plugins/gcp.md has the whole role."
    )


def test_where_we_may_not_look_nothing_is_absent(fake, bench):
    fake.denied = {"compute.disks.list"}

    seen = bench.storage.get_volume(NOBODY)

    assert seen.presence == "unknown"
    assert "compute.disks.list" in seen.reason


@pytest.mark.parametrize(("status", "reason"), [(403, "rateLimitExceeded"), (429, "rateLimitExceeded"), (429, "")])
def test_throttled_for_a_minute_it_is_tried_later_and_then_works(fake, bench, status, reason):
    refused(fake, reason, "Quota exceeded for quota metric 'Read requests' per minute", status)
    for _ in range(6):
        with pytest.raises(TryLater, match="Google asks us to be slower") as caught:
            bench.storage.list_volumes()
        assert caught.value.delay == 10.0
    fake.trouble = lambda call: None

    assert bench.storage.list_volumes() == ()


def test_an_endpoint_that_is_down_is_said_and_nothing_is_absent(bench, fake):
    volume = bench.made()
    fake.trouble = lambda call: "cut"

    with pytest.raises(TryLater, match="Google Cloud does not answer") as caught:
        bench.storage.list_volumes()

    assert "endpoint" in caught.value.hint
    assert bench.storage.get_volume(volume).presence == "unknown"


def test_where_nothing_listens_google_does_not_answer(bench, fake):
    fake.close()

    with pytest.raises(TryLater, match="cannot list disks: Google Cloud does not answer"):
        bench.storage.list_volumes()


def test_a_read_that_met_a_broken_connection_is_made_again(bench, fake):
    cut = iter(["cut"])
    fake.trouble = lambda call: next(cut, None)

    assert bench.storage.list_volumes() == ()
    assert len(fake.calls) == 2


def test_a_write_that_met_a_broken_connection_is_made_once(bench, fake):
    fake.trouble = lambda call: "cut" if call.verb == "POST" else None

    with pytest.raises(TryLater):
        bench.storage.create_volume(bench.spec())

    assert len(fake.writes()) == 1


def test_an_answer_that_is_not_googles_is_never_absent(bench, fake):
    refused(fake, "", "<html>Not here</html>", 404)

    assert bench.storage.get_volume(attrs.evolve(NOBODY, handle="us-central1-a/1")).presence == "unknown"


def test_an_answer_that_names_another_thing_as_missing_does_not_make_ours_absent(bench, fake):
    volume = bench.made()
    other = Answer(404, "notFound", "The resource 'projects/gpu-lab-1/global/networks/default' was not found")
    fake.trouble = lambda call: other if "/disks/" in call.path else None

    assert bench.storage.get_volume(volume).presence == "unknown"


def test_a_quota_refused_at_once_is_no_capacity_with_where_to_ask_for_more(bench, fake):
    said = "Quota 'SSD_TOTAL_GB' exceeded. Limit: 500.0 in region us-central1."
    fake.trouble = lambda call: Answer(403, "quotaExceeded", said) if call.verb == "POST" else None

    with pytest.raises(NoCapacity, match="a quota of the project is used up: Quota 'SSD_TOTAL_GB'") as caught:
        bench.storage.create_volume(bench.spec())

    assert "cloud.google.com/docs/quotas" in caught.value.hint


def test_calls_that_would_wait_long_for_their_turn_are_made_later(bench, fake):
    clock.install(lambda: 100.0)
    try:
        storage = bench.again(calls_per_second=0.25)
        assert storage.list_volumes() == ()
        with pytest.raises(TryLater, match="too many calls to Google wait already"):
            storage.list_volumes()
    finally:
        clock.install(None)

    assert len(fake.calls) == 1


def test_storage_and_compute_of_one_project_share_their_turns(bench):
    first, second = bench.session(), bench.session()
    first.wait_turn("compute")

    second.wait_turn("compute")

    assert list(buckets._buckets) == [("compute", "gpu-lab-1", bench.fake.url)]
