"""Each pod of the control plane is killed once, while a box lives and people go on."""

from __future__ import annotations

import subprocess
import threading

import pytest

from tests.fix_install import until


@pytest.fixture(scope="module")
def box(kim):
    kim.cli("reserve", "h100:1", "2h", "--disk", "steady")
    kim.ssh("steady", "echo before > ~/notes; sync")
    kim.cli("reserve", "h100:8", "1h", "--no-disk", "--name", "waiting", "--no-wait")
    yield "steady"
    kim.cli("cancel", "steady", "--wait", ok=False)


def _still(kim, box):
    """Say what a person sees of box and queue, once they see anything."""
    kim.back(box)
    return kim.ssh(box, "cat ~/notes").stdout, kim.json("show", box)["attempt"], kim.state("waiting")


@pytest.mark.parametrize(
    ("component", "leads_there"), [("api", False), ("gateway", True), ("processor", False), ("postgres", False)]
)
def test_box_and_queue_live_on_when_it_is_killed_and_so_does_a_session_unless_it_led_there(
    release, kim, box, component, leads_there
):
    kim.back(box)
    before = release.steady()[component]
    with kim.hold(box) as session:
        release.kill(component)

        assert release.steady()[component] != before
        assert _ends(session) is leads_there
    assert _still(kim, box) == ("before\n", 1, "queued")


def _ends(session):
    try:
        session.wait(2)
    except subprocess.TimeoutExpired:
        return False
    return True


def test_work_goes_on_after_each_of_them(release, kim, box):
    kim.back(box)
    kim.cli("cancel", "waiting", "--wait")
    kim.cli("reserve", "h100:2", "1h", "--no-disk", "--name", "after")

    assert kim.ssh("after", "echo in").stdout == "in\n"
    kim.cli("cancel", "after", "--wait")


class Submitting(threading.Thread):
    """Asks for boxes until told to stop; notes those that the server said yes to."""

    def __init__(self, person):
        super().__init__(daemon=True)
        self.person, self.accepted, self.refused, self.over = person, [], 0, threading.Event()

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            name = f"asked-{number}"
            asked = ("reserve", "h100:8", "1h", "--no-disk", "--no-wait", "--name", name)
            done = self.person.cli(*asked, ok=False)
            if done.returncode == 0:
                self.accepted.append(name)
            else:
                self.refused += 1


def test_what_the_database_said_yes_to_before_it_was_killed_is_there_afterwards(release, kim, box):
    asking = Submitting(kim)
    asking.start()
    until(lambda: len(asking.accepted) >= 5, within=30)
    release.kill("postgres")
    after = len(asking.accepted)
    until(lambda: len(asking.accepted) >= after + 3, within=60)
    asking.over.set()
    asking.join()

    there = {each["name"] for each in kim.json("list", "--all")["items"]}
    assert set(asking.accepted) <= there
    for name in asking.accepted:
        kim.cli("cancel", name)
