"""The second release's PostgreSQL is moved to another major version by the commands of the page, while a box lives."""

from __future__ import annotations

import pathlib
import re
import tempfile
import time

import pytest

from tests.chart_cluster.person import Person, forwarded
from tests.chart_cluster.typed import block, page, typed
from tests.fix_install import until

PAGE, BACKUP = "upgrade.md", "backup.md"


@pytest.fixture(scope="module")
def sam(ground, second):
    """A person of the second release, with a box and what is in it."""
    person = Person(pathlib.Path(tempfile.mkdtemp(prefix="gpudev-c-", dir=ground.scratch)), ground=ground)
    person.make_key()
    (first,) = second.told("kubectl exec")
    person.shell(first.replace("NAME", "sam"))
    (api,) = [each for each in second.get("services") if each["metadata"]["name"] == f"{second.name}-api"]
    (login,) = second.told("gpudev login")
    here = re.search(":([0-9]+)#", login).group(1)
    ports = f"{here}:{api['spec']['ports'][0]['port']}"
    with forwarded(person, f"kubectl port-forward -n {second.control} svc/{second.name}-api {ports}"):
        _sign_in(person, second)
        person.cli("reserve", "h100:1", "1h", "--disk", "dear")
        person.cli("reserve", "h100:8", "1h", "--no-disk", "--name", "waiting", "--no-wait")
        yield person


def _sign_in(person, release):
    (login,) = release.told("gpudev login")
    until(lambda: "Signed in" in person.shell(f"{login} --key ~/.ssh/id_ed25519", ok=False), within=60)


def _rows(release):
    """Return what people would miss."""
    asked = ("SELECT name FROM app_user", "SELECT name, state, attempt FROM reservation", "SELECT name FROM disk",
             "SELECT count(*) FROM reservation_event", "SELECT max(number) FROM schema_migration")  # fmt: skip
    return [sorted(release.sql(each).splitlines()) for each in asked]


def _boxes(release):
    found = release.ground.get("pods", f"--namespace={release.boxes}")
    return {pod["metadata"]["uid"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def _ended(release):
    typed(release, block(BACKUP, "kubectl scale deployment"))
    until(lambda: not [pod for part in ("api", "processor", "gateway") for pod in release.pods(part)], within=60)


@pytest.fixture(scope="module")
def before(second, sam):
    """What there was when its services had ended and a dump was taken."""
    _ended(second)
    typed(second, block(BACKUP, "pg_dump --format=custom --no-owner --no-privileges --username"))
    return {"rows": _rows(second), "boxes": _boxes(second), "version": second.sql("SHOW server_version")}


@pytest.fixture(scope="module")
def refused(second, before):
    """What the newer server says of the files of the older: nothing more was changed than the image."""
    line = next(line for line in block(PAGE, "pg_restore").splitlines() if "set image" in line)
    typed(second, line)
    return until(lambda: "DETAIL:  The data" in (said := _log(second)) and said, within=60)


def _log(release):
    return release.kubectl("logs", f"{release.name}-postgres-0", ok=False)


def test_only_another_tag_is_refused_as_the_page_quotes_it(refused):
    quoted = [line.strip() for line in page(PAGE).splitlines() if re.match(" {4}(FATAL|DETAIL)", line)]

    assert len(quoted) == 2
    for line in quoted:
        wanted = re.escape(line).replace(re.escape("18.1"), r"18\.\d+")
        assert re.search(wanted, refused), refused


@pytest.fixture(scope="module")
def moved(second, before, refused, figures):
    """The volume of the old files, after the commands of the page."""
    began = time.monotonic()
    (volume,) = re.findall("the old files are in (.+)", typed(second, block(PAGE, "volumeName")))
    typed(second, block(PAGE, "pg_restore"))
    rows = _rows(second)
    second.postgres = second.ground.images.postgres
    typed(second, block(PAGE, "images.postgres.tag"))
    second.until_ready()
    figures.append(
        f"PostgreSQL {before['version']} to {second.sql('SHOW server_version')}, begun when the dump was there, in"
        f" {time.monotonic() - began:.1f} s"
    )
    yield volume, rows
    # On a cluster that goes on nothing is left behind.
    delete = '--patch={"spec":{"persistentVolumeReclaimPolicy":"Delete"}}'
    second.ground.kubectl("patch", "persistentvolume", volume, delete)


def test_every_row_is_in_the_newer_server_before_anybody_is_served(second, before, moved):
    _, rows = moved

    assert (before["version"].split(".")[0], second.sql("SHOW server_version").split(".")[0]) == ("16", "18")
    assert rows == before["rows"]


def test_after_the_adoption_the_box_is_whose_it_was_and_the_queue_goes_on(second, sam, before, moved):
    doctor, adopt = block(BACKUP, "gpudev-services adopt").splitlines()
    assert "paused" in typed(second, doctor, ok=False)
    listed = typed(second, adopt, ok=False)
    typed(second, f"{adopt} --seen {re.search('--seen ([^ ]+)', listed).group(1).strip()}")

    _sign_in(sam, second)
    until(lambda: sam.state("dear") == "active", within=60)
    assert (sam.state("waiting"), sam.json("show", "dear")["attempt"]) == ("queued", 1)
    assert _boxes(second) == before["boxes"]
    assert [disk["name"] for disk in sam.json("disk", "list")["items"]] == ["dear"]
    sam.cli("cancel", "waiting")


def test_the_old_volume_is_the_way_back(second, before, moved):
    volume, _ = moved
    (kept,) = second.ground.get("persistentvolume", volume)
    assert (kept["spec"]["persistentVolumeReclaimPolicy"], kept["status"]["phase"]) == ("Retain", "Released")

    _ended(second)
    typed(second, f"VOLUME={volume}\n{block(PAGE, 'claimRef')}")
    second.kubectl("rollout", "status", f"statefulset/{second.name}-postgres", "--timeout=60s")

    assert second.sql("SHOW server_version") == before["version"]
    assert _rows(second) == before["rows"]
