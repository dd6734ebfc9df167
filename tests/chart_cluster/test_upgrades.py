"""Upgrade, upgrade, roll back, upgrade, while a box lives: the database, disks and running servers stay."""

from __future__ import annotations

import pytest

from tests.chart_cluster.asking import Asking
from tests.chart_cluster.release import image


@pytest.fixture(scope="module")
def box(kim):
    kim.cli("reserve", "h100:1", "2h", "--disk", "long")
    kim.ssh("long", "echo before > ~/notes; sync")
    yield "long"
    kim.cli("cancel", "long", "--wait", ok=False)


@pytest.fixture(scope="module")
def upgraded(ground, release, kim, box):
    """What was before, what broke meanwhile, and what is after an upgrade to the next version."""
    before = {
        "secret": release.secret(),
        "pods": release.steady(),
        "claims": _claims(release),
        "schema": _schema(release),
    }
    with kim.hold(box) as session:
        with Asking(release) as asking:
            tag = image(ground.images.services_next)["tag"]
            release.upgrade("--set", f"images.services.tag={tag}", "--wait")
        yield before, session, asking


def _claims(release):
    return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in release.get("persistentvolumeclaims")}


def _schema(release):
    return int(release.sql("SELECT max(number) FROM schema_migration"))


def _version(release, component):
    (pod,) = release.pods(component)
    return pod["spec"]["containers"][0]["image"]


def test_every_service_is_the_next_version_and_the_database_is_the_same_pod(ground, release, upgraded):
    before, _, _ = upgraded

    assert {_version(release, each) for each in ("api", "processor", "gateway")} == {ground.images.services_next}
    assert release.steady()["postgres"] == before["pods"]["postgres"]


def test_the_database_has_gone_one_schema_on(release, upgraded):
    before, _, _ = upgraded

    assert _schema(release) == before["schema"] + 1


def test_secrets_and_claims_are_what_they_were(release, upgraded):
    before, _, _ = upgraded

    assert release.secret() == before["secret"]
    assert _claims(release) == before["claims"]


def test_the_api_answered_all_the_while(upgraded):
    _, _, asking = upgraded

    assert asking.answered > 20
    assert asking.wrong == []


def test_the_box_lives_on_and_its_session_is_cut_as_the_page_says(kim, box, upgraded):
    _, session, _ = upgraded
    assert session.wait(60) != 0

    kim.back(box)
    assert kim.ssh(box, "cat ~/notes").stdout == "before\n"
    assert kim.json("show", box)["attempt"] == 1


def test_what_was_signed_in_stays_so(kim, upgraded):
    assert kim.json("whoami")["user"] == "kim"


def test_rolling_back_and_upgrading_again_keep_all_that_too(ground, release, kim, box, upgraded):
    before, _, _ = upgraded
    release.helm("rollback", "--wait")
    release.until_ready()
    assert _version(release, "api") == ground.images.services
    # The older services serve over what the newer ones added.
    assert _schema(release) == before["schema"] + 1
    kim.back(box)

    release.upgrade("--set", f"images.services.tag={image(ground.images.services_next)['tag']}", "--wait")
    assert _version(release, "api") == ground.images.services_next
    kim.back(box)

    assert (release.secret(), _claims(release)) == (before["secret"], before["claims"])
    assert kim.ssh(box, "cat ~/notes").stdout == "before\n"
