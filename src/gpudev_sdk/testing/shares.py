"""The laws of `SharedStorage`."""

from __future__ import annotations

import uuid

import attrs
import pytest

from gpudev_sdk.errors import Unworkable
from gpudev_sdk.providers import Context
from gpudev_sdk.providers.shares import SharedStorage, ShareRef, ShareSpec
from gpudev_sdk.testing.base import Contract, Settle


class SharedStorageContract(Contract[SharedStorage]):
    """Name `provider` or give `shares`, and `other_shares` and `zone` where they fit."""

    @pytest.fixture
    def shares(self, context: Context) -> SharedStorage:
        """Return the storage under test."""
        return self.build(context)

    @pytest.fixture
    def other_shares(self, other_context: Context) -> SharedStorage:
        """Return the same place as another install sees it; without it, law 1.4 is not tested."""
        return self.build_other(other_context, "other_shares")

    @pytest.fixture
    def zone(self) -> str:
        """Return where shares are made."""
        return "local"

    @pytest.fixture
    def spec(self, zone: str) -> ShareSpec:
        """Return a share to make."""
        return ShareSpec(share_id=uuid.uuid4(), owner_number=1, zone=zone)

    @pytest.fixture
    def share(self, shares: SharedStorage, spec: ShareSpec, settle: Settle) -> ShareRef:
        """Make a share and wait until it can be used."""
        made = ShareRef(share_id=spec.share_id, handle=shares.create_share(spec))
        settle(lambda: shares.get_share(made).ready)
        return made

    def test_making_a_share_twice_is_making_it_once(
        self, shares: SharedStorage, spec: ShareSpec, share: ShareRef
    ) -> None:
        """Law 1.2."""
        assert shares.create_share(spec) == share.handle
        assert [seen.share_id for seen in shares.list_shares()] == [spec.share_id]

    def test_making_a_share_returns_within_the_budget(self, shares: SharedStorage, spec: ShareSpec) -> None:
        """Law 1.1."""
        self.timed(lambda: shares.create_share(spec))

    def test_a_new_share_is_present_ready_and_listed(self, shares: SharedStorage, share: ShareRef) -> None:
        """Law 8.1."""
        seen = shares.get_share(share)

        assert (seen.presence, seen.ready, seen.handle) == ("present", True, share.handle)
        assert [each.share_id for each in shares.list_shares()] == [share.share_id]

    def test_a_share_that_was_never_made_is_absent(self, shares: SharedStorage) -> None:
        """Law 8.1."""
        assert shares.get_share(ShareRef(share_id=uuid.uuid4())).presence == "absent"
        assert shares.list_shares() == ()

    def test_a_share_is_found_by_our_id_alone(self, shares: SharedStorage, share: ShareRef) -> None:
        """Law 8.2: a crash may have cost us the handle."""
        seen = shares.get_share(attrs.evolve(share, handle=None))

        assert (seen.presence, seen.handle) == ("present", share.handle)

    def test_a_mount_names_the_share(self, shares: SharedStorage, share: ShareRef) -> None:
        """Law 8.3."""
        mount = shares.mount_share(share)

        assert (mount.volume_id, mount.disk_id, mount.shared) == (share.share_id, share.share_id, True)
        assert mount.source

    def test_two_shares_are_mounted_apart(
        self, shares: SharedStorage, share: ShareRef, zone: str, settle: Settle
    ) -> None:
        """Law 8.3."""
        spec = ShareSpec(share_id=uuid.uuid4(), owner_number=2, zone=zone)
        other = ShareRef(share_id=spec.share_id, handle=shares.create_share(spec))
        settle(lambda: shares.get_share(other).ready)

        assert shares.mount_share(other).source != shares.mount_share(share).source

    def test_what_is_not_there_is_not_mounted(self, shares: SharedStorage) -> None:
        """Law 8.3: never an empty one in its place."""
        with pytest.raises(Unworkable):
            shares.mount_share(ShareRef(share_id=uuid.uuid4()))

        assert shares.list_shares() == ()

    def test_a_deleted_share_becomes_absent_and_unlisted(
        self, shares: SharedStorage, share: ShareRef, settle: Settle
    ) -> None:
        """Law 8.4."""
        shares.delete_share(share)

        settle(lambda: shares.get_share(share).presence == "absent")
        assert shares.list_shares() == ()

    def test_what_is_gone_is_gone(self, shares: SharedStorage) -> None:
        """Law 1.3."""
        shares.delete_share(ShareRef(share_id=uuid.uuid4()))

    def test_others_shares_are_not_seen_and_not_touched(
        self, shares: SharedStorage, other_shares: SharedStorage, share: ShareRef
    ) -> None:
        """Law 1.4."""
        other_shares.delete_share(attrs.evolve(share, handle=None))

        assert other_shares.list_shares() == ()
        assert other_shares.get_share(share).presence == "absent"
        assert shares.get_share(share).presence == "present"
