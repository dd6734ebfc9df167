"""`gpudev whoami`: who one is there; while the server is away as whom one signed in, and that nobody answered."""

from __future__ import annotations

import datetime as dt
import socket

import pytest

from gpudev_sdk.client.installs import ClientConfig, Install, Token, keep_token, write_config
from gpudev_sdk.client.origins import Origin


@pytest.fixture
def away(places):
    """One signed in to a server of another machine that is away."""
    with socket.socket() as taken:
        # Bound and not listening: who dials it is refused at once, and nobody else takes it meanwhile.
        taken.bind(("127.0.0.1", 0))
        origin = Origin(f"https://127.0.0.1:{taken.getsockname()[1]}", None)
        write_config(places, ClientConfig().with_install(Install(name="lab", origin=origin, user="kim")))
        keep_token(places, origin, Token("gpd_x", dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)))
        yield origin.url


def test_a_server_that_answers_says_who_one_is(gpudev, stub):
    done = gpudev("whoami")

    assert done.status == 0
    assert done.out.endswith(" on the server on this machine, its owner\n")


def test_while_it_is_away_one_learns_as_whom_one_signed_in_and_the_status_says_that_nobody_answered(gpudev, away):
    done = gpudev("-s", "lab", "whoami")

    assert (done.status, done.out) == (1, f"kim on lab ({away})\n")
    assert done.err.splitlines()[0] == f"gpudev: no gpudev server answers at {away}"


def test_what_reads_json_gets_nothing_that_the_server_did_not_say(gpudev, away):
    done = gpudev("-s", "lab", "whoami", "--json")

    assert (done.status, done.out) == (1, "")


def test_without_a_server_on_this_machine_nothing_is_known(gpudev):
    done = gpudev("whoami")

    assert (done.status, done.out) == (1, "")
    assert done.err.splitlines()[-1].startswith("Start one with `gpudev up`")
