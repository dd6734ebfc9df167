"""`first-secrets` over HTTPS as a pod's service account: made once, never changed, and nothing else is asked for."""

from __future__ import annotations

import base64
import http.server
import json
import subprocess
import threading

import attrs
import pytest

from gpudev_sdk.store.dsn import login_of
from gpudev_services.cluster.certificates import shown
from gpudev_services.cluster.secrets import Secrets
from gpudev_services.tls import client_context, ensure_certificates, server_context
from tests.contract.services.apart import BIN

SECRETS = "/api/v1/namespaces/gpu/secrets"


@attrs.define(slots=False)
class Cluster:
    """What an API server does with Secrets of one namespace."""

    folder: object
    secrets: dict = attrs.field(factory=dict)
    asked: list = attrs.field(factory=list)
    #: Statuses to answer with before anything is looked at, by method.
    refusing: dict = attrs.field(factory=dict)
    #: A Secret that another run makes just before ours.
    overtaken: dict | None = None
    port: int = 0

    def answer(self, method, path, token, body):
        self.asked.append((method, path))
        if token != "Bearer t0ken":
            return 401, {}
        if method in self.refusing:
            return self.refusing[method], {}
        if method == "GET":
            found = self.secrets.get(path.removeprefix(SECRETS + "/"))
            return (404, {}) if found is None else (200, found)
        if self.overtaken is not None:
            self.secrets["first"] = self.overtaken
            return 409, {}
        self.secrets[body["metadata"]["name"]] = body
        return 201, body

    def run(self, *words):
        """Run the command as a pod would."""
        server = ["--server", f"https://127.0.0.1:{self.port}", "--account", self.folder]
        return subprocess.run(
            [BIN / "gpudev-services", "first-secrets", "--namespace", "gpu", *server, *(words or ("--secret", "first"))],
            capture_output=True, text=True, timeout=30, check=False, env={"PATH": str(BIN), "TMPDIR": str(self.folder)},
        )  # fmt: skip

    def content(self, secret="first"):
        return {name: base64.b64decode(value) for name, value in self.secrets[secret]["data"].items()}


@pytest.fixture
def cluster(tmp_path):
    certificates = ensure_certificates(tmp_path / "tls", ["127.0.0.1"])
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("t0ken\n")
    (account / "ca.crt").write_bytes(certificates.ca_pem)
    made = Cluster(account)

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = made.answer(
                self.command, self.path, self.headers["Authorization"], json.loads(body or b"{}")
            )
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

        def log_message(self, *_):
            pass

    class Quiet(http.server.HTTPServer):
        def handle_error(self, request, address):
            """A client that does not trust us goes away, which is what some tests want."""

    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = server_context(certificates).wrap_socket(server.socket, server_side=True)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_new_installs_secret_is_what_its_services_need(cluster, tmp_path):
    done = cluster.run("--secret", "first", "--database", "pg.gpu.svc:5433/gpudev")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("made the Secret first with api-dsn, ")
    assert b"host='pg.gpu.svc' port=5433 dbname='gpudev'" in cluster.content()["engine-dsn"]
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for name, value in cluster.content().items():
        (mounted / name).write_bytes(value)
    secrets = Secrets(mounted)
    assert len(secrets.nonce_secret()) == 32
    assert secrets.control_plane_id().version == 4
    for name in ("host-ca", "gateway-key"):
        line = secrets.public_line(name)
        (mounted / f"{name}.pub").unlink()
        assert secrets.public_line(name) == line
    for name in ("owner", "api", "engine"):
        login = login_of(secrets.dsn(f"{name}-dsn", ""))
        assert (login.user, login.password) == (f"gpudev_{name}", secrets.text(f"{name}-password"))


def test_no_two_installs_share_anything(cluster):
    cluster.run("--secret", "first", "--database", "pg.gpu.svc:5433/gpudev")
    one = cluster.content()
    cluster.secrets.clear()
    cluster.run("--secret", "first", "--database", "pg.gpu.svc:5433/gpudev")

    assert {name for name, value in cluster.content().items() if one[name] == value} == set()


def test_an_owner_and_a_password_that_somebody_else_chose_are_taken(cluster, tmp_path):
    (tmp_path / "owner-password").write_text("it's theirs\n")

    done = cluster.run("--secret", "first", "--database", "pg/gpudev", "--owner", "boss", "--given", tmp_path)

    assert done.returncode == 0, done.stderr
    content = cluster.content()
    login = login_of(content["owner-dsn"].decode())
    assert (login.user, login.password, content["owner-password"]) == ("boss", "it's theirs", b"it's theirs")


def test_a_database_that_is_no_place_makes_nothing(cluster):
    done = cluster.run("--secret", "first", "--database", "pg gpudev")

    assert done.returncode == 2
    assert "is not HOST[:PORT]/NAME" in done.stderr
    assert cluster.asked == []


def test_a_secret_that_is_there_is_never_changed(cluster):
    cluster.run()
    before = dict(cluster.secrets)

    done = cluster.run()

    assert done.returncode == 0
    assert done.stdout == "the Secret first is there already and was not changed\n"
    assert cluster.secrets == before
    assert [method for method, _ in cluster.asked] == ["GET", "POST", "GET"]


def test_what_it_lacks_is_said_and_still_nothing_is_changed(cluster):
    cluster.secrets["first"] = {"data": {"host-ca": "eA=="}}

    done = cluster.run()

    assert done.returncode == 0
    assert "was not changed; it has no api-password, control-plane-id, " in done.stdout
    assert cluster.secrets["first"] == {"data": {"host-ca": "eA=="}}


def test_another_run_may_make_it_meanwhile(cluster):
    cluster.overtaken = {"data": {"host-ca": "eA=="}}

    done = cluster.run()

    assert done.returncode == 0
    assert "was not changed" in done.stdout
    assert cluster.secrets["first"] == cluster.overtaken


def test_nothing_but_the_one_secret_is_asked_for(cluster):
    cluster.run()

    assert cluster.asked == [("GET", f"{SECRETS}/first"), ("POST", SECRETS)]


def test_an_authority_is_a_secret_of_its_own_that_the_api_serves_tls_with(cluster, tmp_path):
    done = cluster.run("--secret", "first", "--authority", "second")

    assert done.returncode == 0, done.stderr
    assert "made the Secret second with ca.crt, ca.key\n" in done.stdout
    assert not {"ca.crt", "ca.key"} & set(cluster.content())
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for name, value in cluster.content("second").items():
        (mounted / name).write_bytes(value)
    made = shown(Secrets(mounted), tmp_path / "made", ["127.0.0.1"]).certificates
    assert made.ca_pem == cluster.content("second")["ca.crt"]
    client_context(made.ca_pem)


def test_an_authority_is_added_to_an_older_install_and_never_made_again(cluster):
    cluster.run("--secret", "first")
    before = dict(cluster.secrets)

    assert cluster.run("--secret", "first", "--authority", "second").returncode == 0
    made = dict(cluster.secrets)
    assert cluster.run("--secret", "first", "--authority", "second").returncode == 0

    assert cluster.secrets == made
    assert made["first"] == before["first"]


def test_only_an_authority_is_made_where_the_rest_is_the_operators(cluster):
    assert cluster.run("--authority", "second").returncode == 0

    assert set(cluster.secrets) == {"second"}


def test_without_a_name_nothing_is_made(cluster):
    done = cluster.run("--owner", "boss")

    assert done.returncode == 2
    assert "--secret NAME" in done.stderr
    assert cluster.asked == []


@pytest.mark.parametrize(("method", "verb"), [("GET", "get"), ("POST", "create")])
def test_an_account_without_the_right_is_told_which(cluster, method, verb):
    cluster.refusing[method] = 403

    done = cluster.run()

    assert done.returncode == 4
    assert f"answered 403 when asked to {verb} the Secret first in gpu" in done.stderr
    assert f"may {verb} secrets" in done.stderr
    assert not cluster.secrets


def test_a_cluster_that_cannot_answer_makes_nothing(cluster):
    cluster.refusing["GET"] = 500

    done = cluster.run()

    assert done.returncode == 1
    assert "answered 500" in done.stderr
    assert not cluster.secrets


def test_a_server_that_is_not_the_clusters_gets_no_token(cluster, tmp_path):
    other = ensure_certificates(tmp_path / "other", ["127.0.0.1"])
    (cluster.folder / "ca.crt").write_bytes(other.ca_pem)

    done = cluster.run()

    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert cluster.asked == []
    assert len(done.stderr.splitlines()) == 2


def test_outside_a_pod_it_says_so(cluster):
    (cluster.folder / "token").unlink()

    done = cluster.run()

    assert done.returncode == 1
    assert "there is no service account" in done.stderr
