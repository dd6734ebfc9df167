"""Secrets are rotated by the commands of the page, while a box lives and somebody keeps asking."""

from __future__ import annotations

import shlex
import subprocess
import time

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.chart_cluster.asking import Asking
from tests.chart_cluster.typed import block, typed
from tests.fix_install import until

PAGE = "rotate.md"
ROLL = "helm upgrade"
REFUSED = "Host key verification failed"


@pytest.fixture(scope="module")
def box(kim):
    kim.back()
    kim.cli("reserve", "h100:1", "2h", "--no-disk", "--name", "turned")
    kim.back("turned")
    kim.ssh("turned", "echo kept > /tmp/kept")
    yield "turned"
    kim.cli("cancel", "turned", "--wait", ok=False)


def _plainly(kim, box, *words, options=()):
    """Go into the box by plain ssh, over a connection of its own: one that is shared was checked when it was made."""
    program, *rest = kim.ssh_command(box, *words)
    return subprocess.run(
        [program, "-o", "ControlPath=none", *options, *rest], env=kim.environment, capture_output=True, text=True,
        timeout=30, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def _rolled(text):
    """Return a block in two: what comes before helm, and helm."""
    before, roll, after = text.partition(ROLL)
    return before, roll + after


@pytest.fixture(scope="module")
def passwords(release, kim, box, figures):
    """What was in the Secret, and who asked while passwords and the authority of TLS became others in one upgrade."""
    before, began = release.secret(), time.monotonic()
    with Asking(release, "/v1/me", kim.token) as asking:
        typed(release, block(PAGE, "ALTER ROLE CURRENT_USER"))
        typed(release, block(PAGE, "for who in"))
        typed(release, _rolled(block(PAGE, "delete secret gpu-dev-authority"))[0])
        typed(release, block(PAGE, "--set secrets.revision=2026-11-26"))
    release.until_ready()
    figures.append(
        f"passwords and the authority of TLS rotated in {time.monotonic() - began:.1f} s, meanwhile {asking.answered}"
        f" answers, {len(asking.wrong)} wrong"
    )
    return before, asking


def _comes_in(release, dsn):
    """Say what the database says to somebody who connects so, in its own pod."""
    login = conninfo_to_dict(dsn.decode())
    asked = (
        f"PGPASSWORD={shlex.quote(login['password'])} psql --host=127.0.0.1 --username={login['user']}"
        f" --dbname={login['dbname']} -AtXc 'SELECT current_user'"
    )
    pod = ("-c", "postgres", f"{release.name}-postgres-0", "--", "sh", "-c", asked)
    done = release.ground.run("kubectl", "exec", f"--namespace={release.control}", *pod, ok=False)
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize(
    ("name", "user"), [("api-dsn", "gpudev_api"), ("engine-dsn", "gpudev_engine"), ("owner-dsn", "postgres")]
)
def test_the_old_password_lets_nobody_in_and_the_new_one_does(release, passwords, name, user):
    before, _ = passwords

    assert "password authentication failed" in _comes_in(release, before[name])
    assert _comes_in(release, release.secret()[name]) == user


def test_every_request_is_answered_meanwhile(passwords):
    _, asking = passwords

    assert asking.answered > 20
    assert asking.wrong == []


def test_every_command_refuses_another_authority_until_one_signs_in_anew_with_its_pin(release, kim, box, passwords):
    until(lambda: "cannot prove" in kim.cli("list", ok=False).stderr, within=60)
    # Not `exec`: into a box that one was in, ssh may go by itself, and the gateway's keys are what they were.
    refused = kim.cli("show", box, ok=False)
    assert refused.returncode != 0
    assert "gpudev login" in refused.stderr

    (login,) = release.told("gpudev login")
    kim.shell(f"gpudev logout && {login} --key ~/.ssh/id_ed25519")

    assert box in kim.cli("list").stdout


def test_the_box_lives_on_and_the_services_work_with_the_new_passwords(release, kim, box, passwords):
    kim.back(box)

    assert kim.ssh(box, "cat /tmp/kept").stdout == "kept\n"
    assert kim.json("show", box)["attempt"] == 1
    asked = "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename LIKE 'gpudev%' ORDER BY 1"
    assert release.sql(asked).split() == ["gpudev_api", "gpudev_engine"]


@pytest.fixture(scope="module")
def keys(release, kim, box, passwords, figures):
    """The gateway and the authority of boxes have other keys, and nobody has run anything since; what people knew is kept."""
    known = next((kim.root / kim.client / "ssh").glob("known_hosts.*"))
    stale = kim.home / "stale"
    stale.write_text(known.read_text())
    began = time.monotonic()
    of_gateway, roll = _rolled(block(PAGE, "gateway-key"))
    typed(release, of_gateway.replace("gateway-key", "host-ca"))
    typed(release, of_gateway)
    typed(release, roll)
    release.until_ready()
    figures.append(f"the gateway's key and the authority of boxes rotated in {time.monotonic() - began:.1f} s")
    yield stale, time.monotonic()
    assert stale.read_text() != known.read_text()


def test_plain_ssh_refuses_the_gateways_new_key_until_gpudev_went_in_once(kim, box, keys):
    until(lambda: REFUSED in _plainly(kim, "gateway.gpudev").stderr, within=30)
    through_it = _plainly(kim, box, "true")
    assert through_it.returncode == 255
    assert "Connection closed by UNKNOWN port 65535" in through_it.stderr

    # A port-forward ends with a connection that is cut, and is begun again.
    until(lambda: kim.cli("exec", box, "true", ok=False).returncode == 0, within=30)

    until(lambda: _plainly(kim, box, "cat /tmp/kept").stdout == "kept\n", within=30)


def test_a_living_box_was_signed_anew_and_is_refused_by_who_knows_the_authority_of_before(kim, box, keys, figures):
    stale, began = keys
    # Of a jump OpenSSH reads the configuration alone, so it is the box that is judged by these.
    options = ("-o", f"UserKnownHostsFile={stale}")
    until(lambda: REFUSED in _plainly(kim, box, "true", options=options).stderr, within=30)
    figures.append(f"a living box has its new signature at most {time.monotonic() - began:.1f} s after all is ready")

    assert kim.json("show", box)["attempt"] == 1
