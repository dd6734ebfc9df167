"""What an API server's refusals become."""

from __future__ import annotations

import json

import pytest

from gpudev_sdk.errors import NoCapacity, TryLater, Unworkable
from gpudev_sdk.kube.errors import ObjectAbsent, ObjectChanged, ObjectExists, Refusal, TooOld, translate


def status(code, reason, message="", **details):
    plain = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return Refusal.read(code, json.dumps(plain | {"message": message, "details": details}).encode(), {})


def page(code, content=b"<html><title>Not Found</title></html>"):
    return Refusal.read(code, content, {})


QUOTA = 'pods "gd-1" is forbidden: exceeded quota: gpus, requested: 2, used: 8, limited: 8'
POD_SECURITY = 'pods "gd-1" is forbidden: violates PodSecurity "restricted:latest": hostPath volumes'
WEBHOOK = 'admission webhook "policy.example" denied the request: no latest tags'
CEL = "ValidatingAdmissionPolicy 'images' with binding 'images' denied request"
LIMIT_RANGE = 'pods "gd-1" is forbidden: maximum cpu usage per Container is 1, but limit is 4500m'
UNSAID = 'pods "gd-1" is forbidden: failed quota: gpus: must specify limits.cpu for: box'
RIGHTS = 'pods is forbidden: User "gpudev" cannot create resource "pods" in API group "" in the namespace "lab"'
ENDING = 'pods "gd-1" is forbidden: unable to create new content in namespace lab because it is being terminated'


@pytest.mark.parametrize(
    ("refusal", "asked", "kind"),
    [
        (status(404, "NotFound", name="gd-1"), "gd-1", ObjectAbsent),
        (status(404, "NotFound", name="gd-2"), "gd-1", TryLater),
        (status(404, "NotFound", "the server could not find the requested resource"), "gd-1", TryLater),
        (status(404, "NotFound", name="gd-1"), None, TryLater),
        (status(404, "", name="gd-1"), "gd-1", TryLater),
        (page(404), "gd-1", TryLater),
        (page(404, b'{"code": 404, "message": "no such route"}'), "gd-1", TryLater),
        (page(404, b"[]"), "gd-1", TryLater),
        (page(404, b"\xff\xfe"), "gd-1", TryLater),
        (status(409, "AlreadyExists", name="gd-1"), None, ObjectExists),
        (status(409, "Conflict", name="gd-1"), "gd-1", ObjectChanged),
        (status(410, "Expired"), None, TooOld),
        (status(410, "Gone"), None, TooOld),
        (status(403, "Forbidden", QUOTA), None, NoCapacity),
        (status(403, "Forbidden", POD_SECURITY), None, Unworkable),
        (status(403, "Forbidden", WEBHOOK), None, Unworkable),
        (status(403, "Forbidden", CEL), None, Unworkable),
        (status(403, "Forbidden", LIMIT_RANGE), None, Unworkable),
        (status(403, "Forbidden", UNSAID), None, Unworkable),
        (status(403, "Forbidden", RIGHTS), None, TryLater),
        (status(403, "Forbidden", ENDING), None, TryLater),
        (page(403), None, TryLater),
        (status(401, "Unauthorized"), "gd-1", TryLater),
        (status(422, "Invalid", "spec.hostname: Invalid value"), None, Unworkable),
        (status(400, "BadRequest"), None, Unworkable),
        (status(413, "RequestEntityTooLarge"), None, Unworkable),
        (status(415, "UnsupportedMediaType"), None, Unworkable),
        (status(405, "MethodNotAllowed"), None, Unworkable),
        (page(400), None, TryLater),
        (page(413), None, TryLater),
        (page(302), None, TryLater),
        (status(429, "TooManyRequests"), None, TryLater),
        (status(500, "InternalError", 'failed calling webhook "x"'), None, TryLater),
        (page(502), None, TryLater),
        (status(503, "ServiceUnavailable"), None, TryLater),
        (status(504, "Timeout"), None, TryLater),
    ],
)
def test_each_refusal_is_one_error(refusal, asked, kind):
    assert type(translate(refusal, asked)) is kind


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503])
def test_nothing_that_a_proxy_says_is_absent_or_for_good(code):
    assert isinstance(translate(page(code), "gd-1"), TryLater)
    assert not isinstance(translate(page(code), "gd-1"), ObjectAbsent)


@pytest.mark.parametrize("refusal", [QUOTA, POD_SECURITY, RIGHTS])
def test_people_read_the_clusters_own_words(refusal):
    assert refusal in translate(status(403, "Forbidden", refusal), None).message


def test_missing_rights_come_with_where_they_are_listed():
    assert "docs/operate/kubernetes.md" in translate(status(403, "Forbidden", RIGHTS), None).hint


@pytest.mark.parametrize(
    ("refusal", "delay"),
    [
        (status(429, "TooManyRequests", retryAfterSeconds=7), 7.0),
        (Refusal.read(503, b'{"kind": "Status"}', {"retry-after": "3"}), 3.0),
        (Refusal.read(503, b'{"kind": "Status"}', {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), 2.0),
        (status(500, "InternalError"), 2.0),
        (status(409, "Conflict"), 0.5),
        (status(403, "Forbidden", RIGHTS), 30.0),
        (status(401, "Unauthorized"), 30.0),
    ],
)
def test_it_is_tried_again_when_that_makes_sense(refusal, delay):
    assert translate(refusal, None).delay == delay


def test_an_endless_message_is_cut():
    assert len(status(500, "InternalError", "x" * 9999).message) == 500
