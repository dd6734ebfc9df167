"""The laws of objects, with Google's own client over a stand-in of the JSON API."""

from __future__ import annotations

import pytest

from gpudev_sdk.errors import Conflict, InvalidRequest, MissingAbility, TryLater
from gpudev_sdk.providers.objects import NOTHING
from gpudev_sdk.testing import ObjectStorageContract
from tests.contract.gcp_more.fake_storage import FakeStorage
from tests.unit.gcp_more.web import Reply


@pytest.fixture
def gcs(web):
    return FakeStorage(web)


class TestObjects(ObjectStorageContract):
    @pytest.fixture
    def objects(self, gcs, storage_at):
        return storage_at(gcs.web.address)

    @pytest.fixture
    def other_objects(self, gcs, storage_at, other_context):
        return storage_at(gcs.web.address, other_context)

    def test_all_lies_under_our_install(self, objects, gcs, install_id):
        objects.put_object("logs/box.txt", b"1")

        assert list(gcs.objects) == [f"gpudev/{install_id}/logs/box.txt"]

    def test_what_others_keep_beside_ours_is_not_listed(self, objects, gcs, install_id):
        gcs.put(f"gpudev/{install_id}x/a", b"1")
        gcs.put("a", b"1")

        assert objects.list_objects() == ()

    def test_a_list_has_all_pages(self, objects, gcs):
        gcs.page = 2
        for number in range(5):
            objects.put_object(f"a/{number}", b"1")

        assert [seen.key for seen in objects.list_objects("a/")] == [f"a/{number}" for number in range(5)]

    def test_a_page_that_cannot_be_had_is_no_shorter_list(self, objects, gcs):
        gcs.page = 2
        for number in range(5):
            objects.put_object(f"a/{number}", b"1")
        answer = gcs.web.answer
        gcs.web.answer = lambda asked: Reply(status=400) if "pageToken=2" in asked.target else answer(asked)

        with pytest.raises(Exception, match="cannot list objects"):
            objects.list_objects("a/")

    def test_a_large_blob_comes_back_whole(self, objects, gcs):
        """Over 8 MiB the client uploads in another way."""
        content = bytes(range(256)) * 4096 * 9
        objects.put_object("large", content, expected=NOTHING)
        with pytest.raises(Conflict):
            objects.put_object("large", content + b"x", expected=NOTHING)

        found = objects.find_object("large")

        assert found is not None
        assert found[1] == content
        assert any("uploadType=resumable" in asked.target for asked in gcs.web.asked)

    def test_content_and_version_are_of_one_moment(self, objects, gcs):
        """Somebody replaces it between the look and the read."""
        objects.put_object("a", b"old")
        name = next(iter(gcs.objects))

        def replace(asked):
            if "alt=media" in asked.target and gcs.objects[name].content == b"old":
                gcs.put(name, b"new")

        gcs.before.append(replace)

        stored, content = objects.find_object("a")

        assert (content, stored.version) == (b"new", str(gcs.objects[name].generation))

    def test_what_is_deleted_between_look_and_read_is_gone(self, objects, gcs):
        objects.put_object("a", b"old")
        gcs.before.append(lambda asked: gcs.objects.clear() if "alt=media" in asked.target else None)

        assert objects.find_object("a") is None

    def test_content_that_came_broken_is_not_taken(self, objects, gcs):
        objects.put_object("a", b"whole")
        answer = gcs.web.answer

        def bend(asked):
            reply = answer(asked)
            return Reply(body=b"whale", headers=reply.headers) if "alt=media" in asked.target else reply

        gcs.web.answer = bend

        with pytest.raises(TryLater, match="did not come whole"):
            objects.find_object("a")

    def test_a_bucket_that_is_not_there_is_no_empty_bucket(self, objects, gcs):
        objects.put_object("a", b"1")
        gcs.bucket = "another"

        for call in (
            lambda: objects.find_object("a"),
            lambda: objects.list_objects(),
            lambda: objects.delete_object("a"),
            lambda: objects.put_object("a", b"2"),
        ):
            with pytest.raises(TryLater, match="bucket does not exist"):
                call()

    def test_a_gone_object_is_told_from_a_gone_bucket_in_whatever_words(self, objects, gcs):
        objects.put_object("a", b"1")
        answer = gcs.web.answer
        plain = {"error": {"code": 404, "message": "Not Found"}}

        def mumble(asked):
            reply = answer(asked)
            return Reply.of(plain, 404) if reply.status == 404 else reply

        gcs.web.answer = mumble

        assert objects.find_object("b") is None
        objects.delete_object("b")
        gcs.bucket = "another"
        with pytest.raises(TryLater):
            objects.find_object("a")

    def test_an_object_that_is_listed_and_not_found_is_not_called_gone(self, objects, gcs):
        objects.put_object("a", b"1")
        answer = gcs.web.answer
        plain = {"error": {"code": 404, "message": "Not Found"}}
        gcs.web.answer = lambda asked: Reply.of(plain, 404) if "/o/" in asked.target else answer(asked)

        with pytest.raises(TryLater):
            objects.find_object("a")

    def test_a_delete_of_what_is_gone_is_fine_whatever_was_expected(self, objects):
        made = objects.put_object("a", b"1")
        objects.delete_object("a", expected=made.version)

        objects.delete_object("a", expected=made.version)
        objects.delete_object("a", expected=NOTHING)

    def test_a_delete_where_nothing_is_expected_removes_nothing(self, objects):
        objects.put_object("a", b"1")

        with pytest.raises(Conflict):
            objects.delete_object("a", expected=NOTHING)

        assert objects.find_object("a") is not None

    def test_a_delete_says_gone_where_the_api_calls_that_a_condition(self, objects, gcs):
        made = objects.put_object("a", b"1")
        gcs.objects.clear()
        answer = gcs.web.answer
        message = {"error": {"code": 412, "message": "conditions"}}
        gcs.web.answer = lambda asked: Reply.of(message, 412) if asked.verb == "DELETE" else answer(asked)

        objects.delete_object("a", expected=made.version)

    @pytest.mark.parametrize("version", ["0", "latest", "-1", "1 ", "9" * 30])
    def test_what_is_no_version_is_refused_before_anything_is_asked(self, objects, gcs, version):
        for call in (
            lambda: objects.put_object("a", b"1", expected=version),
            lambda: objects.delete_object("a", expected=version),
        ):
            with pytest.raises(InvalidRequest):
                call()

        assert gcs.web.asked == []

    def test_a_put_whose_answer_is_lost_is_known_by_its_mark(self, objects, gcs):
        """Made again it would meet itself, and call that a conflict."""
        answer = gcs.web.answer

        def lose(asked):
            reply = answer(asked)
            return Reply(status=503) if asked.verb == "POST" else reply

        gcs.web.answer = lose

        made = objects.put_object("a", b"1", expected=NOTHING)

        assert made.version == str(next(iter(gcs.objects.values())).generation)
        assert [asked.verb for asked in gcs.web.asked] == ["POST", "GET"]

    def test_a_put_that_did_not_arrive_is_not_taken_for_what_others_put(self, objects, gcs, install_id):
        answer = gcs.web.answer

        def lose(asked):
            if asked.verb == "POST":
                gcs.put(f"gpudev/{install_id}/a", b"1")
                return Reply(status=503)
            return answer(asked)

        gcs.web.answer = lose

        with pytest.raises(TryLater):
            objects.put_object("a", b"1")

    def test_a_put_that_did_not_arrive_says_so(self, objects, gcs):
        answer = gcs.web.answer
        gcs.web.answer = lambda asked: Reply(status=503) if asked.verb == "POST" else answer(asked)

        with pytest.raises(TryLater, match="cannot store"):
            objects.put_object("a", b"1", expected=NOTHING)

        assert [asked.verb for asked in gcs.web.asked] == ["POST", "GET"]

    def test_nothing_is_asked_that_we_did_not_ask(self, objects, gcs):
        """Least of all for the bucket itself, which takes a right of its own."""
        objects.put_object("a", b"1")
        objects.find_object("a")
        objects.list_objects()
        objects.delete_object("a")
        objects.find_object("a")

        assert [asked.verb for asked in gcs.web.asked] == ["POST", "GET", "GET", "GET", "DELETE", "GET"]
        assert all("/o" in asked.target for asked in gcs.web.asked)

    def test_a_version_says_when_it_was_stored(self, objects):
        assert objects.put_object("a", b"1").stored_at.tzinfo is not None

    def test_without_a_bucket_it_is_said_what_is_missing(self, gcs, storage_at):
        objects = storage_at(gcs.web.address, bucket="")

        with pytest.raises(MissingAbility, match="no bucket is named"):
            objects.put_object("a", b"1")
