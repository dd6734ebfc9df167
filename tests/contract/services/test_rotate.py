"""Secrets that are changed while people work: what they notice, and what docs/operate/rotate.md promises."""

from __future__ import annotations

import subprocess
import threading
import time

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gpudev_sdk.store.embedded.passwords import SUPERUSER
from gpudev_services.tls import ensure_certificates
from tests.contract.services.apart import Apart, Person, other_key, with_password
from tests.fix_install import until

pytestmark = [pytest.mark.sandbox]


@attrs.define
class Lab:
    """One of each service, each with the secrets of when it was started."""

    apart: Apart
    running: dict = attrs.field(factory=dict)
    kim: Person | None = None

    def start(self, word):
        """Start a service beside the one that runs, and return the one that did."""
        before = self.running.get(word)
        self.running[word] = self.apart.service(f"{word}-{time.monotonic_ns()}", word).start()
        self.apart.until_ready(self.running[word])
        return before

    def roll(self, *words):
        """Have another one take the place of each; there is one gateway, for its port is fixed here."""
        for word in words:
            if word == "gateway":
                self.running.pop(word).end()
            before = self.start(word)
            if before is not None:
                before.end()

    def sign_in(self):
        self.kim.cli("login", self.apart.address(self.running["api"]), "--key", str(self.kim.key))


@pytest.fixture(scope="module")
def lab(apart):
    made = Lab(apart, kim=Person(apart.root, "kim"))
    # As the chart has it; one that may set no passwords is for an administrator to help.
    apart.secrets["owner-dsn"] = with_password(apart.embedded, SUPERUSER).encode()
    for word in ("api", "processor", "gateway"):
        made.start(word)
    made.kim.make_key()
    assert apart.run("admin-user", "kim", "--key", f"{made.kim.key}.pub").returncode == 0
    made.sign_in()
    made.kim.cli("reserve", "cpu", "1h", "--no-disk", "--name", "work")
    made.kim.ssh("work", "echo kept > /tmp/kept")
    return made


class Asking:
    """Somebody who asks an API again and again, in a thread."""

    def __init__(self, lab):
        self.answers = []
        self._over = threading.Event()
        self._asked = (lab.apart, lab.running["api"], lab.kim.token)
        self._thread = threading.Thread(target=self._ask)

    def _ask(self):
        apart, api, token = self._asked
        while not self._over.is_set():
            self.answers.append(apart.get(api, "/v1/me", token)[0])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join(30)


def with_other_password(dsn):
    return make_conninfo("", **(conninfo_to_dict(dsn.decode()) | {"password": "another one"})).encode()


def public_of(key):
    return load_ssh_private_key(key, password=None).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


def plainly(lab):
    """Go into the box by plain ssh, over a connection of its own: one that is shared was checked when it was made."""
    command = [*lab.kim.ssh_command("work", "cat /tmp/kept")]
    return subprocess.run(
        [command[0], "-o", "ControlPath=none", *command[1:]], env=lab.kim.environment, capture_output=True, text=True,
        timeout=30, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def refused(lab):
    """Whether plain ssh refuses to go in because of a key that it does not know."""
    done = plainly(lab)
    return done.returncode == 255 and "Host key verification failed" in done.stderr


def test_the_apis_password_is_changed_while_requests_go_on_and_none_fails(lab):
    lab.apart.secrets["api-dsn"] = with_other_password(lab.apart.secrets["api-dsn"])
    with Asking(lab) as asking:
        done = lab.apart.run("migrate")
        assert done.returncode == 0, done.stderr
        so_far = len(asking.answers)
        until(lambda: len(asking.answers) > so_far + 20)

    assert set(asking.answers) == {200}
    lab.roll("gateway")
    lab.start("api").end()
    lab.sign_in()
    assert lab.kim.ssh("work", "cat /tmp/kept").stdout == "kept\n"


def test_the_engines_password_is_changed_while_boxes_live(lab):
    lab.apart.secrets["engine-dsn"] = with_other_password(lab.apart.secrets["engine-dsn"])
    assert lab.apart.run("migrate").returncode == 0
    lab.kim.cli("reserve", "cpu", "1h", "--no-disk", "--name", "between")

    lab.roll("processor")

    assert lab.kim.ssh("work", "cat /tmp/kept").stdout == "kept\n"
    lab.kim.cli("cancel", "between", "--yes", "--wait")


def test_the_nonce_secret_is_changed_and_nobody_is_signed_out(lab):
    lab.apart.secrets["nonce-secret"] = b"n" * 32
    token = lab.kim.token

    lab.start("api").end()

    assert lab.apart.get(lab.running["api"], "/v1/me", token)[0] == 200
    lab.sign_in()


def test_a_new_gateway_key_is_refused_by_plain_ssh_until_gpudev_was_asked_once(lab):
    key = other_key()
    lab.apart.secrets |= {"gateway-key": key, "gateway-key.pub": public_of(key)}

    lab.roll("gateway")
    assert refused(lab)
    lab.start("api").end()
    lab.sign_in()
    lab.kim.cli("exec", "work", "--", "true")

    assert plainly(lab).stdout == "kept\n"


def test_a_new_authority_of_boxes_signs_those_that_live_again_within_half_a_minute(lab):
    key = other_key()
    lab.apart.secrets |= {"host-ca": key, "host-ca.pub": public_of(key)}

    lab.roll("processor")
    until(lambda: refused(lab), within=30)
    lab.start("api").end()
    lab.sign_in()
    lab.kim.cli("exec", "work", "--", "true")

    assert plainly(lab).stdout == "kept\n"
    lab.kim.cli("reserve", "cpu", "1h", "--no-disk", "--name", "fresh")
    assert lab.kim.ssh("fresh", "echo in").stdout == "in\n"


def test_another_authority_of_tls_is_refused_until_people_sign_in_with_its_pin(lab):
    made = ensure_certificates(lab.apart.root / "other-tls", ["127.0.0.1"])
    lab.apart.secrets |= {
        "tls.crt": made.certificate.read_bytes(),
        "tls.key": made.key.read_bytes(),
        "ca.crt": made.ca_pem,
    }
    port = lab.running["api"].ports["api"]
    lab.running["api"].end()
    service = lab.apart.service("other-tls", "api")
    service.command[service.command.index("--listen") + 1] = f"127.0.0.1:{port}"
    origin = service.command.index("--public-origin") + 1
    service.command[origin] = f"https://127.0.0.1:{port}"
    service.ports["api"] = port
    lab.running["api"] = service.start()
    lab.apart.pin, lab.apart.ca = made.pin, made.ca_pem
    lab.apart.until_ready(service)

    done = lab.kim.cli("list", ok=False)
    assert done.returncode != 0
    lab.sign_in()
    assert "work" in lab.kim.cli("list").stdout


def test_the_session_of_somebody_who_works_meanwhile_is_cut_by_a_new_gateway_only(lab):
    """What rotate.md says of what is open."""
    command = lab.kim.ssh_command("work", "echo in; sleep 600")
    opened = subprocess.Popen(
        command, env=lab.kim.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert opened.stdout.readline() == b"in\n"
        lab.roll("processor")
        lab.start("api").end()
        assert opened.poll() is None
        lab.roll("gateway")
        assert opened.wait(30) == 255
    finally:
        opened.kill()
        opened.wait()
        opened.stdout.close()
