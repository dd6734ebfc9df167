"""What boto3 raises becomes an error with a sentence and a next step, whatever it is."""

from __future__ import annotations

import datetime as dt
import email.utils
import inspect

import boto3.exceptions
import botocore.exceptions
import botocore.parsers
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from gpudev_aws import codes
from gpudev_aws.errors import Absent, translated, was_refused
from gpudev_sdk.errors import Conflict, GpudevError, NoCapacity, ProviderError, TryLater, Unworkable


def classes(module):
    found = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, Exception)]
    # Nobody raises a warning unless told to.
    return [each for each in found if not issubclass(each, Warning) and each.__module__ == module.__name__]


ALL = sorted(
    {*classes(botocore.exceptions), *classes(boto3.exceptions), *classes(botocore.parsers)}, key=lambda kind: kind.__name__
)  # fmt: skip


def instance(kind):
    """Make one without what its own constructor wants, which differs."""
    made = kind.__new__(kind)
    Exception.__init__(made, f"{kind.__name__} {{braces}}")
    return made


def answer(code, message="", **metadata):
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "CreateVolume")


def said(error, what="make the volume"):
    with pytest.raises(GpudevError) as caught, translated(what):
        raise error
    return caught.value


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL if not issubclass(kind, ClientError)], ids=lambda kind: kind.__name__
)
def test_no_exception_of_boto3_escapes(kind):
    error = said(instance(kind))

    assert isinstance(error, ProviderError)
    assert "make the volume" in error.message
    assert error.hint
    assert not isinstance(error, Absent)


@pytest.mark.parametrize("kind", [ClientError, botocore.exceptions.EventStreamError])
def test_no_answer_escapes(kind):
    error = said(kind({"Error": {"Code": "New", "Message": "text"}}, "CreateVolume"))

    assert error.message == "AWS could not make the volume, and says only: text"


def test_there_are_many_of_them():
    assert len(ALL) > 80
    assert len(codes.CODES) > 150


@pytest.mark.parametrize("code", [*codes.CODES, *sorted(codes.ABSENT), "Something.New", "", "418"])
def test_every_code_has_a_message_that_says_what_was_wanted_and_no_holes(code):
    error = said(answer(code, "words {of} AWS"))

    assert isinstance(error, ProviderError | Conflict)
    assert "make the volume" in error.message
    assert "{what}" not in error.message + (error.hint or "")
    assert error.hint or isinstance(error, Absent)


@pytest.mark.parametrize("code", sorted(codes.ABSENT))
def test_only_aws_own_word_that_it_is_not_there_is_absent(code):
    assert isinstance(said(answer(code)), Absent)


@pytest.mark.parametrize("code", [*codes.CODES, "New", "404", "500"])
def test_nothing_else_is_absent(code):
    assert not isinstance(said(answer(code)), Absent)


def test_a_404_without_a_code_is_believed_only_from_aws():
    assert isinstance(said(answer("404", RequestId="r")), Absent)
    assert not isinstance(said(answer("404")), Absent)


def test_what_is_not_known_is_tried_later_and_never_for_good():
    assert type(said(answer("New"))) is TryLater
    assert type(said(answer(""))) is TryLater


def test_no_code_has_two_meanings():
    every = [code for _, listed in codes._BY_MEANING for code in listed]

    assert len(every) == len(set(every))
    assert not set(every) & codes.ABSENT


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("VolumeLimitExceeded", NoCapacity), ("SnapshotLimitExceeded", NoCapacity), ("InsufficientVolumeCapacity", NoCapacity),
        ("InsufficientInstanceCapacity", NoCapacity), ("VcpuLimitExceeded", NoCapacity), ("VolumeInUse", Conflict),
        ("PreconditionFailed", Conflict), ("RequestLimitExceeded", TryLater), ("Unavailable", TryLater),
        ("InternalError", TryLater), ("IncorrectState", TryLater),
        ("IdempotentParameterMismatch", TryLater), ("InvalidParameterValue", Unworkable),
        ("InvalidKmsKey.NotFound", Unworkable), ("AuthFailure", TryLater), ("ConcurrentSnapshotLimitExceeded", TryLater),
    ],
)  # fmt: skip
def test_codes_decide_what_becomes_of_the_request(code, kind):
    assert type(said(answer(code))) is kind


def test_what_a_person_mends_is_asked_for_rarely_and_what_passes_soon():
    assert said(answer("UnauthorizedOperation")).delay == 30
    assert said(NoCredentialsError()).delay == 30
    assert said(EndpointConnectionError(endpoint_url="x")).delay == 2


def test_a_lost_answer_is_told_from_an_endpoint_that_is_down():
    assert "not known whether" in said(ReadTimeoutError(endpoint_url="x")).message
    assert "does not answer" in said(EndpointConnectionError(endpoint_url="x")).message


def test_a_token_file_that_cannot_be_read_is_said():
    assert "cannot make the volume" in said(FileNotFoundError("/var/run/secrets/token")).message


@pytest.mark.parametrize(
    ("code", "message", "named"),
    [
        ("UnauthorizedOperation", "You are not authorized to perform this operation.", "ec2:CreateVolume"),
        ("UnauthorizedOperation", "User: x is not authorized to perform: ec2:CreateTags on resource: y", "ec2:CreateTags"),
        ("AccessDeniedException", "x is not authorized to perform: eks:DescribeCluster on resource: z", "eks:DescribeCluster"),
        ("AccessDenied", "Access Denied", "CreateVolume"),
    ],
)  # fmt: skip
def test_the_permission_that_is_missing_is_named_as_a_policy_has_it(code, message, named):
    error = said(answer(code, message))

    assert error.message.endswith(f"the permission {named} is missing")
    assert named in error.hint


def test_what_aws_says_for_machines_is_left_out():
    error = said(answer("InvalidParameterValue", "Size is wrong. Encoded authorization failure message: aGVsbG8"))

    assert error.message == "AWS refuses to make the volume: Size is wrong."


def at(minutes):
    when = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    return {"HTTPHeaders": {"Date": email.utils.format_datetime(when, usegmt=True)}}


@pytest.mark.parametrize(
    ("minutes", "is_clock"), [(10, True), (-10, True), (5, True), (3, False), (-3, False), (0, False)]
)
def test_the_clock_is_blamed_only_when_it_is_wrong_by_minutes(minutes, is_clock):
    error = said(answer("InvalidSignatureException", "Signature expired", **at(minutes)))

    assert ("the clock of this machine is wrong" in error.message) is is_clock


def test_the_clock_is_not_blamed_for_anything_else_nor_without_a_date():
    assert "clock" not in said(answer("InternalError", "x", **at(10))).message
    assert "clock" not in said(answer("AuthFailure", "x", HTTPHeaders={"date": "nonsense"})).message
    assert "clock" in said(answer("RequestTimeTooSkewed", "x")).message


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (answer("UnauthorizedOperation"), True), (answer("RequestLimitExceeded"), True), (answer("InvalidVolume.NotFound"), True),
        (answer("InternalError"), False), (answer("New"), False), (ReadTimeoutError(endpoint_url="x"), False),
        (EndpointConnectionError(endpoint_url="x"), False),
    ],
)  # fmt: skip
def test_only_an_answer_says_that_nothing_was_done(error, refused):
    assert was_refused(said(error)) is refused


def test_errors_of_our_own_pass_as_they_are():
    mine = TryLater("wait")

    assert said(mine) is mine


def test_a_fault_of_the_program_is_not_hidden():
    with pytest.raises(KeyError), translated("make the volume"):
        raise KeyError("x")
