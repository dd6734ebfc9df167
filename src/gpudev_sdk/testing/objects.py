"""The laws of `ObjectStorage`."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import Conflict, InvalidRequest
from gpudev_sdk.providers import Context
from gpudev_sdk.providers.objects import NOTHING, ObjectStorage
from gpudev_sdk.testing.base import Contract

UNLAWFUL = ("", "/", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a b", "a\n", "ä", "x" * 513)


class ObjectStorageContract(Contract[ObjectStorage]):
    """Name `provider` or give `objects`, and `other_objects` where it fits."""

    @pytest.fixture
    def objects(self, context: Context) -> ObjectStorage:
        """Return the storage under test."""
        return self.build(context)

    @pytest.fixture
    def other_objects(self, other_context: Context) -> ObjectStorage:
        """Return the same place as another install sees it; without it, law 1.4 is not tested."""
        return self.build_other(other_context, "other_objects")

    def test_what_was_put_is_found(self, objects: ObjectStorage) -> None:
        """Law 7.1."""
        made = objects.put_object("logs/box.txt", b"hello\x00\xff")

        found = objects.find_object("logs/box.txt")

        assert found is not None
        assert (found[1], found[0].version, found[0].key) == (b"hello\x00\xff", made.version, "logs/box.txt")
        assert (made.size_bytes, found[0].size_bytes) == (7, 7)

    def test_nothing_is_found_where_nothing_was_put(self, objects: ObjectStorage) -> None:
        """Law 7.1: nothing, and no error."""
        objects.put_object("there", b"1")

        assert objects.find_object("ther") is None
        assert objects.find_object("there/too") is None

    def test_a_blob_may_be_empty(self, objects: ObjectStorage) -> None:
        """Law 7.1."""
        objects.put_object("empty", b"")

        found = objects.find_object("empty")

        assert found is not None
        assert found[1] == b""

    def test_a_put_replaces_and_gives_another_version(self, objects: ObjectStorage) -> None:
        """Law 7.2."""
        first = objects.put_object("a", b"1")
        second = objects.put_object("a", b"2")

        found = objects.find_object("a")

        assert found is not None
        assert (found[1], found[0].version) == (b"2", second.version)
        assert first.version != second.version

    def test_only_one_of_two_makes_a_blob(self, objects: ObjectStorage) -> None:
        """Law 7.3: where there must be none yet, and there is one."""
        objects.put_object("claim", b"mine", expected=NOTHING)

        with pytest.raises(Conflict):
            objects.put_object("claim", b"yours", expected=NOTHING)

        found = objects.find_object("claim")
        assert found is not None
        assert found[1] == b"mine"

    def test_only_who_knows_the_present_version_replaces_it(self, objects: ObjectStorage) -> None:
        """Law 7.3."""
        first = objects.put_object("claim", b"1")
        second = objects.put_object("claim", b"2", expected=first.version)

        with pytest.raises(Conflict):
            objects.put_object("claim", b"stale", expected=first.version)
        with pytest.raises(Conflict):
            objects.put_object("never-made", b"stale", expected=second.version)

        found = objects.find_object("claim")
        assert found is not None
        assert found[1] == b"2"
        assert objects.find_object("never-made") is None

    def test_a_delete_removes_and_again_is_fine(self, objects: ObjectStorage) -> None:
        """Law 7.4."""
        objects.put_object("a", b"1")

        objects.delete_object("a")
        objects.delete_object("a")

        assert objects.find_object("a") is None
        assert objects.list_objects() == ()

    def test_a_delete_of_another_version_removes_nothing(self, objects: ObjectStorage) -> None:
        """Law 7.4."""
        first = objects.put_object("a", b"1")
        second = objects.put_object("a", b"2")

        with pytest.raises(Conflict):
            objects.delete_object("a", expected=first.version)

        assert objects.find_object("a") is not None
        objects.delete_object("a", expected=second.version)
        assert objects.find_object("a") is None

    def test_a_list_has_what_begins_so_by_key(self, objects: ObjectStorage) -> None:
        """Law 7.5."""
        for key in ("b/2", "b/1", "a", "bb"):
            objects.put_object(key, key.encode())

        assert [seen.key for seen in objects.list_objects()] == ["a", "b/1", "b/2", "bb"]
        assert [seen.key for seen in objects.list_objects("b/")] == ["b/1", "b/2"]
        assert [seen.size_bytes for seen in objects.list_objects("b")] == [3, 3, 2]
        assert objects.list_objects("c") == ()

    @pytest.mark.parametrize("key", UNLAWFUL)
    def test_an_unlawful_key_is_refused_before_anything_is_asked(self, objects: ObjectStorage, key: str) -> None:
        """Law 7.6."""
        with pytest.raises(InvalidRequest):
            objects.put_object(key, b"1")
        with pytest.raises(InvalidRequest):
            objects.find_object(key)
        with pytest.raises(InvalidRequest):
            objects.delete_object(key)

        assert objects.list_objects() == ()

    def test_others_objects_are_not_seen_and_not_touched(
        self, objects: ObjectStorage, other_objects: ObjectStorage
    ) -> None:
        """Law 1.4."""
        objects.put_object("same", b"ours")
        other_objects.put_object("same", b"theirs", expected=NOTHING)

        other_objects.delete_object("same")

        assert other_objects.list_objects() == ()
        found = objects.find_object("same")
        assert found is not None
        assert found[1] == b"ours"

    def test_a_call_returns_within_the_budget(self, objects: ObjectStorage) -> None:
        """Law 1.1."""
        self.timed(lambda: objects.put_object("a", b"1"))
        self.timed(lambda: objects.find_object("a"))
        self.timed(lambda: objects.list_objects())
