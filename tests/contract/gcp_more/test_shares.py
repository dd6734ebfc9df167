"""The laws of shares over a small Filestore."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_gcp import filestore
from gpudev_gcp.filestore import capacity
from gpudev_sdk.domain.disk import MountKind
from gpudev_sdk.domain.gpu import GIB
from gpudev_sdk.errors import NoCapacity, TryLater, Unworkable
from gpudev_sdk.providers.shares import ShareRef, ShareSpec
from gpudev_sdk.testing import SharedStorageContract
from tests.contract.gcp_more.fake_filestore import FakeFilestore, failed

ZONE = "us-central1-b"


@pytest.fixture
def fake(web):
    return FakeFilestore(web)


class TestShares(SharedStorageContract):
    @pytest.fixture
    def shares(self, fake, storage_at):
        return storage_at(fake.web.address, labels={"team": "vision"})

    @pytest.fixture
    def other_shares(self, fake, storage_at, other_context):
        return storage_at(fake.web.address, other_context)

    @pytest.fixture
    def zone(self):
        return ZONE

    def made(self, fake) -> dict:
        return next(iter(fake.instances.values()))

    def test_a_share_is_described_whole(self, shares, spec, fake, install_id):
        shares.create_share(spec)

        posted = next(asked.json() for asked in fake.web.asked if asked.verb == "POST")
        assert posted == {
            "tier": "BASIC_HDD",
            "description": "a shared folder of gpudev",
            "labels": {
                "team": "vision",
                "gpudev-install": str(install_id),
                "gpudev-share": str(spec.share_id),
                "gpudev-owner": "1",
            },
            "fileShares": [{"name": "gpudev", "capacityGb": "1024"}],
            "networks": [{"network": "default", "modes": ["MODE_IPV4"]}],
        }

    def test_a_share_is_mounted_by_its_driver(self, shares, share):
        mount = shares.mount_share(share)

        name = share.handle.removeprefix(ZONE + "/")
        assert mount.kind is MountKind.CSI
        assert mount.source == f"filestore.csi.storage.gke.io/modeInstance/{ZONE}/{name}/gpudev"

    def test_a_share_that_is_being_made_is_present_and_not_ready(self, shares, spec, fake):
        fake.takes = 1000
        shares.create_share(spec)

        seen = shares.get_share(ShareRef(share_id=spec.share_id))

        assert (seen.presence, seen.ready, seen.reason) == ("present", False, "it is creating")
        with pytest.raises(TryLater):
            shares.delete_share(ShareRef(share_id=spec.share_id))

    def test_a_share_that_the_list_does_not_show_yet_is_not_made_twice(self, shares, spec, fake):
        shares.create_share(spec)
        hidden = dict(fake.instances)
        answer = fake.web.answer

        def late(asked):
            if asked.verb == "GET":
                fake.instances.clear()
            else:
                fake.instances.update(hidden)
            return answer(asked)

        fake.web.answer = late

        assert shares.create_share(spec).startswith(ZONE + "/gpudev-f-")
        assert len(fake.instances) == 1

    def test_a_list_has_all_pages(self, shares, fake):
        fake.page = 2
        wanted = {uuid.uuid4() for _ in range(5)}
        for share_id in wanted:
            shares.create_share(ShareSpec(share_id=share_id, owner_number=1, zone=ZONE))

        assert {seen.share_id for seen in shares.list_shares()} == wanted

    def test_a_list_that_leaves_a_zone_out_is_no_list(self, shares, share, fake):
        fake.unreachable = ["us-central1-a"]

        with pytest.raises(TryLater, match="us-central1-a"):
            shares.list_shares()
        seen = shares.get_share(share)
        assert (seen.presence, "us-central1-a" in seen.reason) == ("unknown", True)
        with pytest.raises(TryLater):
            shares.mount_share(share)

    def test_what_copied_our_labels_is_not_ours(self, shares, share, fake):
        copied = dict(self.made(fake))
        copied["name"] = copied["name"].rpartition("/")[0] + "/somebody-elses"
        fake.instances[copied["name"]] = copied

        assert [seen.handle for seen in shares.list_shares()] == [share.handle]
        shares.delete_share(share)
        assert copied["state"] == "READY"

    def test_what_has_our_name_and_not_our_labels_is_not_ours(self, shares, share, fake):
        self.made(fake)["labels"] = {}

        assert shares.get_share(share).presence == "absent"
        shares.delete_share(share)
        assert self.made(fake)["state"] == "READY"

    def test_a_share_made_in_two_zones_is_nobodys_guess(self, shares, share, fake):
        twin = dict(self.made(fake))
        twin["name"] = twin["name"].replace(ZONE, "us-central1-a")
        fake.instances[twin["name"]] = twin

        with pytest.raises(Unworkable, match="more than once"):
            shares.delete_share(share)

    def test_a_broken_share_says_why_and_is_not_mounted(self, shares, share, spec, fake):
        self.made(fake).update(state="ERROR", statusMessage="no addresses are left in the network")

        assert "no addresses are left" in shares.get_share(share).reason
        for call in (lambda: shares.mount_share(share), lambda: shares.create_share(spec)):
            with pytest.raises(Unworkable, match="no addresses are left"):
                call()

    def test_a_share_that_goes_is_neither_mounted_nor_made_again(self, shares, share, spec, fake):
        fake.takes = 1000
        shares.delete_share(share)
        shares.delete_share(share)

        with pytest.raises(Unworkable):
            shares.mount_share(share)
        with pytest.raises(TryLater):
            shares.create_share(spec)
        assert len([asked for asked in fake.web.asked if asked.verb == "DELETE"]) == 1

    @pytest.mark.parametrize(
        ("error", "kind"),
        [({"code": 8, "message": "quota"}, NoCapacity), ({"code": 9, "message": "no network"}, Unworkable)],
    )
    def test_a_create_that_failed_at_once_says_so(self, shares, spec, fake, error, kind):
        fake.error = error

        with pytest.raises(kind, match=error["message"]):
            shares.create_share(spec)

    def test_a_delete_that_is_refused_says_so(self, shares, share, fake):
        answer = fake.web.answer
        refusal = failed(400, "it has a backup in progress", "FAILED_PRECONDITION")
        fake.web.answer = lambda asked: refusal if asked.verb == "DELETE" else answer(asked)

        with pytest.raises(Unworkable, match="a backup in progress"):
            shares.delete_share(share)

    def test_a_share_goes_where_settings_say_if_the_spec_does_not(self, shares, spec):
        assert shares.create_share(attrs.evolve(spec, zone="local")).startswith("us-central1-a/")

    def test_a_share_of_several_zones_is_in_a_region(self, fake, storage_at, spec):
        shares = storage_at(fake.web.address, shared_tier="REGIONAL")

        assert shares.create_share(spec).startswith("us-central1/")

    def test_without_a_zone_nothing_is_made(self, fake, storage_at, spec):
        shares = storage_at(fake.web.address, zones=[])

        with pytest.raises(Unworkable, match="where a share is to be"):
            shares.create_share(attrs.evolve(spec, zone="local"))


@pytest.mark.parametrize(
    ("tier", "wanted", "made"),
    [
        ("BASIC_HDD", 0, 1024),
        ("BASIC_HDD", 1024 * GIB + 1, 1025),
        ("BASIC_SSD", 5 * GIB, 2560),
        ("ZONAL", 1025 * GIB, 1280),
        ("ZONAL", 9984 * GIB, 9984),
        ("ZONAL", 9985 * GIB, 10240),
        ("REGIONAL", 10241 * GIB, 12800),
    ],
)
def test_an_instance_is_as_large_as_its_tier_can_be(tier, wanted, made):
    assert capacity(tier, wanted) == made


def test_a_name_of_another_form_is_nobodys():
    install, share_id = uuid.uuid4(), uuid.uuid4()
    labels = {"gpudev-install": str(install), "gpudev-share": str(share_id)}

    assert filestore.share_of({"name": filestore.share_name(install, share_id), "labels": labels}, install) is None
    assert filestore.share_of({"labels": labels | {"gpudev-share": "x"}}, install) is None


def test_installs_whose_ids_end_alike_are_told_apart():
    """A name has only the end of an install's id; the label has it all."""
    install, twin, share_id = uuid.UUID(int=7), uuid.UUID(int=7 + 2**64), uuid.uuid4()
    name = f"projects/p/locations/{ZONE}/instances/{filestore.share_name(install, share_id)}"
    labels = {"gpudev-install": str(install), "gpudev-share": str(share_id)}

    assert filestore.share_of({"name": name, "labels": labels}, install) == share_id
    assert filestore.share_of({"name": name, "labels": labels}, twin) is None
