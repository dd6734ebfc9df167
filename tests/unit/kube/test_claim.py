"""Who controls a backend is written in the cluster, and replaced by one of two who try."""

from __future__ import annotations

import uuid

import pytest

from gpudev_sdk.domain.server import Claim
from gpudev_sdk.errors import Conflict, TryLater, Unworkable
from gpudev_sdk.kube.claim import Control
from tests.unit.kube.objects import INSTALL, STRANGER

KEY = ("configmaps", "gpu-dev", "gd-aabbccdd-claim")


def held(epoch):
    return Claim(install_id=INSTALL, control_plane_id=uuid.UUID(int=7), epoch=epoch)


def test_nobody_controls_a_new_place(api):
    assert Control(api, INSTALL).read() is None


def test_what_is_written_is_read_also_by_another(api, fake):
    Control(api, INSTALL).write(held(1), None)

    assert Control(fake.api(), INSTALL).read() == held(1)


def test_who_knows_the_claim_replaces_it(api):
    Control(api, INSTALL).write(held(1), None)

    Control(api, INSTALL).write(held(2), held(1))

    assert Control(api, INSTALL).read() == held(2)


@pytest.mark.parametrize("expected", [None, held(2)])
def test_who_knows_another_claim_gets_a_conflict(api, expected):
    Control(api, INSTALL).write(held(1), None)

    with pytest.raises(Conflict):
        Control(api, INSTALL).write(held(3), expected)
    assert Control(api, INSTALL).read() == held(1)


def test_a_claim_that_is_gone_is_another(api):
    with pytest.raises(Conflict):
        Control(api, INSTALL).write(held(2), held(1))


def meanwhile(fake, verb, act):
    """Do something between the look and the change."""
    fake.trouble = lambda call: act() if call.verb == verb else None


def test_of_two_who_take_it_from_nobody_one_gets_a_conflict(api, fake):
    other = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {}, "data": {}}
    meanwhile(fake, "create", lambda: fake.store.create(KEY, other) and None)

    with pytest.raises(Conflict, match="just now"):
        Control(api, INSTALL).write(held(1), None)


@pytest.mark.parametrize("act", ["change", "remove", "remake"])
def test_of_two_who_replace_it_one_gets_a_conflict(api, fake, act):
    Control(api, INSTALL).write(held(1), None)

    def interfere():
        known = fake.store.get(KEY)
        if act == "change":
            fake.store.merge(KEY, {"data": {"claim.json": "other"}})
        else:
            fake.store.remove(KEY)
        if act == "remake":
            fake.store.create(KEY, {"kind": "ConfigMap", "metadata": {}, "data": known["data"]})

    meanwhile(fake, "update", interfere)

    with pytest.raises(Conflict, match="just now"):
        Control(api, INSTALL).write(held(2), held(1))


@pytest.mark.parametrize("data", [{}, {"claim.json": "{"}, {"claim.json": "[]"}, {"claim.json": "{}"}, None])
def test_a_damaged_claim_is_nobodys_and_says_what_to_do(api, fake, data):
    fake.store.create(KEY, {"kind": "ConfigMap", "metadata": {}, "data": data})

    with pytest.raises(Unworkable, match="damaged") as raised:
        Control(api, INSTALL).read()
    assert "kubectl delete configmap gd-aabbccdd-claim" in raised.value.hint


@pytest.mark.parametrize("fault", ["cut", "404", "page-200", "403", "500"])
def test_a_claim_that_cannot_be_read_is_not_nobodys(api, fake, fault):
    fake.trouble = lambda call: fault

    with pytest.raises(TryLater):
        Control(api, INSTALL).read()
    with pytest.raises(TryLater):
        Control(api, INSTALL).write(held(1), None)
    assert fake.store.objects == {}


def test_each_install_has_its_own(api):
    Control(api, INSTALL).write(held(1), None)

    assert Control(api, STRANGER).read() is None


def test_who_read_the_claim_replaces_it_with_one_call(api, fake):
    Control(api, INSTALL).write(held(1), None)
    control = Control(api, INSTALL)
    begun = len(fake.calls)

    control.write(held(2), control.read())

    assert [call.verb for call in fake.calls[begun:]] == ["get", "update"]


def test_what_was_read_before_somebody_else_wrote_is_looked_at_again(api, fake):
    control = Control(api, INSTALL)
    control.write(held(1), None)
    control.read()
    Control(api, INSTALL).write(held(2), held(1))

    control.write(held(3), held(2))

    assert Control(api, INSTALL).read() == held(3)


def test_after_a_conflict_the_claim_is_looked_at_again(api, fake):
    control = Control(api, INSTALL)
    control.write(held(1), None)
    control.read()
    fake.store.merge(KEY, {"metadata": {"annotations": {"their.io/note": "x"}}})
    with pytest.raises(Conflict):
        control.write(held(2), held(1))

    control.write(held(2), held(1))

    assert control.read() == held(2)
