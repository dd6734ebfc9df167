"""Whatever Google's libraries raise leaves as an error of gpudev, with words that help."""

from __future__ import annotations

import inspect

import pytest
import requests
import urllib3
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from gpudev_gcp.errors import ObjectAbsent, ObjectChanged, ObjectExists, of_operation, translated
from gpudev_sdk.errors import Conflict, GpudevError, NoCapacity, ProviderError, TryLater, Unworkable


def classes(module, base=Exception):
    """Return every exception a module has of its own."""
    own = [
        each for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, base) and each.__module__ == module.__name__
    ]  # fmt: skip
    assert len(own) > 3
    return own


def made(kind):
    """Make an error of a class, however it wants to be made."""
    if kind is api.RetryError:
        return kind("too long", cause=requests.exceptions.ConnectTimeout("x"))
    return kind("something")


def told(error):
    """Return what becomes of an error."""
    with pytest.raises(GpudevError) as caught, translated("do it"):
        raise error
    return caught.value


def refusal(status, message, reason=""):
    """Return an answer of the API as the library raises it."""
    errors = [{"reason": reason, "domain": "global", "message": message}] if reason else ()
    return api.from_http_status(status, f"GET https://compute.example/x: {message}", errors=errors)


@pytest.mark.parametrize("kind", [*classes(api), *classes(auth)], ids=lambda kind: kind.__name__)
def test_none_of_googles_exceptions_escapes(kind):
    error = told(made(kind))

    assert isinstance(error, (ProviderError, Conflict))
    assert error.message.startswith("cannot do it: ")
    assert error.__cause__ is not None


@pytest.mark.parametrize("kind", classes(requests.exceptions, IOError), ids=lambda kind: kind.__name__)
def test_none_of_the_exceptions_of_requests_escapes(kind):
    error = told(kind("x", "y", 0) if issubclass(kind, ValueError) and "JSON" in kind.__name__ else kind("x"))

    assert isinstance(error, TryLater)
    assert "Google Cloud does not answer" in error.message


def test_none_of_the_exceptions_of_the_connection_escapes():
    assert isinstance(told(urllib3.exceptions.ProtocolError("cut")), TryLater)


def test_every_status_is_translated_and_only_what_google_refuses_is_for_good():
    told_of = {status: told(refusal(status, "said")) for status in range(300, 600)}

    assert {status for status, error in told_of.items() if isinstance(error, Unworkable)} == {400, 405, 413}
    assert all(isinstance(error, (TryLater, Unworkable)) for error in told_of.values())


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refusal(404, "The resource 'projects/p-lab-1/zones/z/disks/d' was not found", "notFound"), ObjectAbsent, "disks/d"),
        (refusal(409, "The resource 'x' already exists", "alreadyExists"), ObjectExists, "of that name already"),
        (refusal(412, "Labels fingerprint", "conditionNotMet"), ObjectChanged, "changed meanwhile"),
        (refusal(400, "used by", "resourceInUseByAnotherResource"), Conflict, "it is in use"),
        (refusal(400, "not ready", "resourceNotReady"), TryLater, "still being worked on"),
        (refusal(400, "Invalid value for field 'resource.sizeGb'", "invalid"), Unworkable, "Google refuses it"),
        (refusal(403, "Quota 'X' exceeded", "quotaExceeded"), NoCapacity, "a quota of the project is used up"),
        (refusal(403, "Rate Limit Exceeded", "rateLimitExceeded"), TryLater, "to be slower"),
        (refusal(403, "has not been used in project", "accessNotConfigured"), TryLater, "not switched on"),
        (refusal(429, "slow down"), TryLater, "to be slower"),
        (refusal(401, "Request had invalid authentication credentials"), TryLater, "Google does not know us"),
        (refusal(403, "Forbidden"), TryLater, "Google does not allow it"),
        (refusal(404, "The resource 'projects/nobody' was not found", "notFound"), TryLater, "no such project"),
        (refusal(404, "The resource 'projects/p/zones/z' was not found", "notFound"), Unworkable, "no such zone"),
        (refusal(404, "Not here"), TryLater, "nothing of that kind where Google is asked"),
        (refusal(500, "Internal error"), TryLater, "Google has trouble"),
        (auth.DefaultCredentialsError("none"), TryLater, "no credentials"),
        (auth.RefreshError("invalid_grant: Token has been expired or revoked."), TryLater, "expired or were revoked"),
        (auth.RefreshError("invalid_grant: Invalid JWT: Check your iat and exp values"), TryLater, "clock is wrong"),
        (auth.RefreshError("something else"), TryLater, "no token for Google Cloud"),
        (auth.TransportError("no route"), TryLater, "does not answer"),
        (refusal(400, "The resource 'a/b' was not found", "invalid"), Unworkable, "Google refuses it"),
        (api.RetryError("late", cause=requests.exceptions.ConnectTimeout("x")), TryLater, "does not answer"),
        (api.GoogleAPIError("odd"), TryLater, "Google has trouble: odd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_it_is_told_by_what_was_said(error, kind, words):
    seen = told(error)

    assert type(seen) is kind
    assert words in seen.message
    assert "https://" not in seen.message


def test_a_permission_is_named_with_what_it_is_for():
    said = "Required 'compute.disks.create' permission for 'projects/p/zones/z/disks/d'"

    error = told(refusal(403, said, "forbidden"))

    assert (
        error.message == "cannot do it: the permission compute.disks.create is missing for projects/p/zones/z/disks/d"
    )
    assert error.hint.startswith("Grant compute.disks.create to the account that gpudev runs as")


@pytest.mark.parametrize(
    "said",
    ['Required "container.clusters.get" permission(s) for "x".', "Permission 'container.clusters.get' denied on resource"],
)  # fmt: skip
def test_a_permission_is_named_in_the_forms_of_other_apis(said):
    assert "the permission container.clusters.get is missing" in told(refusal(403, said)).message


def test_what_is_absent_is_told_by_its_path():
    said = "The resource 'projects/p/zones/z/disks/d' was not found"

    assert told(refusal(404, said, "notFound")).resource == "projects/p/zones/z/disks/d"


def test_a_mistake_that_somebody_has_to_mend_is_not_asked_about_all_the_time():
    assert told(refusal(403, "Forbidden")).delay == 30.0


def test_an_operation_is_told_by_its_code_and_in_googles_words():
    error = of_operation("QUOTA_EXCEEDED", "Quota 'DISKS_TOTAL_GB' exceeded.", "make a disk")

    assert type(error) is NoCapacity
    assert error.message == (
        "cannot make a disk: a quota of the project is used up: QUOTA_EXCEEDED: Quota 'DISKS_TOTAL_GB' exceeded."
    )


def test_an_operation_that_lacks_a_permission_names_it():
    error = of_operation(
        "PERMISSIONS_ERROR", "Required 'cloudkms.cryptoKeyVersions.useToEncrypt' permission for 'k'", "x"
    )

    assert "the permission cloudkms.cryptoKeyVersions.useToEncrypt is missing for k" in error.message


def test_an_error_of_ours_passes_as_it_is():
    ours = NoCapacity("full")

    assert told(ours) is ours


def test_a_mistake_in_our_own_code_is_not_dressed_up():
    with pytest.raises(ZeroDivisionError), translated("do it"):
        raise ZeroDivisionError
