"""Blobs on S3: the laws over moto, and what only S3 itself does, put in front of it."""

from __future__ import annotations

import uuid

import pytest

from gpudev_aws.objects import MARK, S3Objects
from gpudev_sdk.errors import Conflict, MissingAbility, TryLater, Unworkable
from gpudev_sdk.providers.objects import NOTHING
from gpudev_sdk.testing import ObjectStorageContract

_CHANGED = b"<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>"


class Objects(S3Objects):
    def __init__(self, settings, context, session):
        self.session, self._settings, self._install = session, settings, context.install_id


@pytest.fixture
def bucket(hand):
    name = f"gpudev-{uuid.uuid4().hex}"
    hand("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def make(build, bucket, hand, interfere):
    """Return what builds a storage over an S3 that deletes on condition, as moto does not."""

    def storage(context, **changes):
        made = build(Objects, context, **({"bucket": bucket} | changes))

        def on_condition(request):
            wanted = request.headers.get("If-Match")
            if wanted is None:
                return None
            key = request.url.partition(f"/{bucket}/")[2]
            there = hand("s3").list_objects_v2(Bucket=bucket, Prefix=key).get("Contents") or []
            matches = any(each["Key"] == key and each["ETag"] == _text(wanted) for each in there)
            return None if matches else (412, _CHANGED)

        interfere(made.session.client("s3"), "s3.DeleteObject", on_condition)
        return made

    return storage


@pytest.fixture
def objects(make, context):
    return make(context)


class TestLaws(ObjectStorageContract):
    @pytest.fixture
    def objects(self, make, context):
        return make(context)

    @pytest.fixture
    def other_objects(self, make, other_context):
        return make(other_context)


def test_the_same_content_put_twice_is_another_version(objects):
    """Else who knew the first would replace what came between (law 7.3)."""
    first = objects.put_object("claim", b"mine")
    objects.put_object("claim", b"yours")
    again = objects.put_object("claim", b"mine")

    assert first.version != again.version
    with pytest.raises(Conflict):
        objects.put_object("claim", b"stale", expected=first.version)


def test_a_key_is_below_the_prefix_of_the_install(objects, context, hand, bucket):
    objects.put_object("a/b", b"12345")

    (there,) = hand("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert there["Key"] == f"gpudev/{context.install_id}/a/b"
    assert there["Size"] == 5 + MARK
    assert hand("s3").get_object(Bucket=bucket, Key=there["Key"])["Body"].read().startswith(b"12345\n#gpudev:")


def test_what_somebody_else_put_there_is_no_blob_of_ours(objects, context, hand, bucket):
    hand("s3").put_object(Bucket=bucket, Key=f"gpudev/{context.install_id}/a", Body=b"x" * 100)

    with pytest.raises(Unworkable, match="not put there by gpudev"):
        objects.find_object("a")


def test_a_list_is_whole_however_many_pages_it_has(objects, monkeypatch):
    monkeypatch.setattr("gpudev_aws.objects._PAGE", 2)
    for number in range(5):
        objects.put_object(f"k{number}", b"")

    assert [each.key for each in objects.list_objects()] == [f"k{number}" for number in range(5)]
    assert all(each.stored_at for each in objects.list_objects())


def test_a_list_of_which_a_page_fails_is_an_error(objects, interfere, monkeypatch):
    monkeypatch.setattr("gpudev_aws.objects._PAGE", 2)
    for number in range(5):
        objects.put_object(f"k{number}", b"")
    broken = (500, b"<Error><Code>InternalError</Code></Error>")
    interfere(
        objects.session.client("s3"),
        "s3.ListObjectsV2",
        lambda request: broken if "continuation-token" in request.url else None,
    )

    with pytest.raises(TryLater):
        objects.list_objects()


@pytest.mark.parametrize("expected", [NOTHING, None])
def test_a_put_whose_answer_was_lost_is_known_by_its_mark(objects, interfere, hand, expected):
    """botocore asks again, and finds what it put itself."""
    seen = []

    def lost(request):
        if seen:
            return None
        seen.append(request)
        _send(hand, request)
        return 500, b"<Error><Code>InternalError</Code></Error>"

    interfere(objects.session.client("s3"), "s3.PutObject", lost)
    made = objects.put_object("claim", b"mine", expected=expected)

    assert objects.find_object("claim")[0].version == made.version
    assert made.size_bytes == 4


def test_of_two_who_put_at_once_one_is_told(objects, interfere):
    conflict = b"<Error><Code>ConditionalRequestConflict</Code></Error>"
    interfere(objects.session.client("s3"), "s3.PutObject", lambda request: (409, conflict))

    with pytest.raises(Conflict):
        objects.put_object("claim", b"mine", expected=NOTHING)


def test_what_must_not_be_there_is_not_deleted(objects):
    objects.delete_object("a", expected=NOTHING)
    made = objects.put_object("a", b"1")

    with pytest.raises(Conflict):
        objects.delete_object("a", expected=NOTHING)
    objects.delete_object("a", expected=made.version)
    objects.delete_object("a", expected=made.version)
    assert objects.find_object("a") is None


def test_a_delete_on_condition_is_one_call(objects, interfere):
    """To look first and delete then would delete what came between."""
    asked = []
    made = objects.put_object("a", b"1")
    interfere(objects.session.client("s3"), "s3", lambda request: asked.append((request.method, dict(request.headers))))
    objects.delete_object("a", expected=made.version)

    assert [method for method, _ in asked] == ["DELETE"]
    assert _text(asked[0][1]["If-Match"]) == made.version


def test_a_bucket_that_is_not_there_is_not_an_empty_one(make, context):
    lost = make(context, bucket="gpudev-never-made")

    with pytest.raises(TryLater):
        lost.find_object("a")
    with pytest.raises(TryLater):
        lost.list_objects()
    with pytest.raises(TryLater):
        lost.delete_object("a")


def test_without_a_bucket_it_is_said_what_to_set(build, context):
    with pytest.raises(MissingAbility) as raised:
        build(Objects, context).list_objects()
    assert "`bucket`" in raised.value.hint


def test_a_key_of_kms_is_named_and_else_the_bucket_decides(make, context, interfere):
    headers = []
    plain, keyed = make(context), make(context, kms_key="alias/gpudev")
    for storage in (plain, keyed):
        interfere(storage.session.client("s3"), "s3.PutObject", lambda request: headers.append(dict(request.headers)))
        storage.put_object("a", b"1")

    named = [{name for name in each if name.lower().startswith(("x-amz-server-side", "x-amz-acl"))} for each in headers]
    assert named[0] == set()
    assert {name.lower() for name in named[1]} == {
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
    }


def _send(hand, request):
    """Carry a request out without its answer."""
    hand("s3")._endpoint.http_session.send(request)


def _text(header):
    """Return a header as text; botocore has them as it likes."""
    return header.decode() if isinstance(header, bytes) else header
