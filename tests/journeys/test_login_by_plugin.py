"""A person signs in by a plugin's login, over TLS: refused with the line for an admin, linked, let in, and taken out again."""

from __future__ import annotations

import re
import shlex

import attrs
import pytest

from tests.fix_install import CONFIG, Install, prepare

LOGINS = """
[logins.word]
provider = "example"
[logins.word.example]
word = "tulip"
[logins.gold]
provider = "gold"
"""


@attrs.define
class Person(Install):
    """Somebody on another machine: with a client of their own, and no data folder."""

    @property
    def environment(self):
        return {name: value for name, value in super().environment.items() if name != "GPUDEV_DATA"}


@pytest.fixture(scope="module")
def lab():
    made = prepare(CONFIG.replace("processors = 2", 'processors = 2\nlisten = "127.0.0.1:0"\nname = "lab"') + LOGINS)
    line = re.search(r"gpudev login (https://\S+)", made.up().stdout)
    assert line
    yield made, Person(made.root, "kim"), line[1]
    made.close()


def test_a_person_is_refused_linked_and_let_in(lab):
    install, kim, address = lab
    install.cli("admin", "users", "add", "kim")

    refused = kim.cli("login", address, "--set", "word=tulip", ok=False)

    assert refused.returncode == 4
    asked = refused.stderr.splitlines()[-1].removeprefix("Ask an admin: gpudev ")
    assert asked == "admin users link YOURNAME --login word --subject 'whoever knows the word'"
    install.cli(*shlex.split(asked.replace("YOURNAME", "kim")))
    kim.cli("login", address, "--set", "word=tulip")
    assert kim.json("whoami")["user"] == "kim"
    shown = install.json("admin", "users", "show", "kim")["identities"]
    assert [(each["login"], each["subject"]) for each in shown] == [("word", "whoever knows the word")]

    kim.cli("login", "lab")
    assert kim.cli("admin", "users", "list", ok=False).returncode == 4

    install.cli("admin", "users", "unlink", "kim", "--login", "word", "--subject", "whoever knows the word")
    assert kim.cli("whoami", ok=False).returncode == 4
    assert kim.cli("login", "lab", ok=False).returncode == 4


def test_who_does_not_know_the_word_learns_nothing(lab):
    _, kim, address = lab

    refused = kim.cli("login", address, "--by", "word", "--set", "word=rose", ok=False)

    assert refused.returncode == 4
    assert "whoever" not in refused.stderr


def test_a_login_whose_plugin_is_missing_on_the_server_is_not_offered(lab):
    _, kim, address = lab

    refused = kim.cli("login", address, "--by", "gold", ok=False)

    assert refused.stderr.splitlines()[-1] == "It has: word. Choose with --by."
