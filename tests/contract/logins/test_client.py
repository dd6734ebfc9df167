"""A sign-in from end to end: the client's own code, the API's, and between them nothing but the wire."""

from __future__ import annotations

import contextlib

import attrs
import pytest

from gpudev_sdk import plugins
from gpudev_sdk.client import login as client
from gpudev_sdk.client.api import Api
from gpudev_sdk.client.installs import get_token, read_config
from gpudev_sdk.client.login import Means
from gpudev_sdk.client.places import find_places
from gpudev_sdk.client.transport import LocalTransport
from gpudev_sdk.config import Login
from gpudev_sdk.domain.user import Credentials
from gpudev_sdk.errors import NotSignedIn
from gpudev_sdk.wire.account_views import MeView
from tests.contract.logins.people import CONTEXT, ORIGIN
from tests.corp_login import CorpIdentity
from tests.unit.kind.test_identity import Over, Tokens


@pytest.fixture
def places(tmp_path):
    (tmp_path / "home").mkdir()
    return find_places({"HOME": str(tmp_path / "home"), "GPUDEV_CONFIG": str(tmp_path / "config")})


@pytest.fixture
def sign_in(api, wide, places, monkeypatch):
    """Sign in as a person's machine does; the network's door stands for https."""
    found = {"corp": CorpIdentity, "kind": Over}
    monkeypatch.setattr(plugins, "identity", found.__getitem__)
    monkeypatch.setattr(client, "remote_transport", lambda *_: LocalTransport(api.folder / "wide.sock"))

    def go(**means):
        return client.login(places, ORIGIN, Means(**means))

    return go


def me(api, places, made):
    """Ask who one is with the token that was kept."""
    token = get_token(places, made.install, made.token.expires_at.replace(year=2000))
    with contextlib.closing(LocalTransport(api.folder / "wide.sock")) as transport:
        return Api(transport, lambda: token).get("/me", MeView)


def test_a_linked_person_signs_in_by_a_plugin_and_is_themselves(api, lee, link, places, sign_in):
    link("lee", "u-1")

    made = sign_in(by="corp", settings={"account": "u-1"})

    assert (made.install.user, made.install.login) == ("lee", "corp")
    assert me(api, places, made).user == "lee"
    assert not me(api, places, made).is_admin
    assert read_config(places).get(made.install.name).settings == (("account", "u-1"),)


def test_what_the_refusal_says_is_what_lets_the_person_in(api, lee, places, sign_in):
    with pytest.raises(NotSignedIn) as refused:
        sign_in(by="corp", settings={"account": 'u 1"$x`', "display": "Lee"})
    words = refused.value.hint
    assert words == "Ask an admin: gpudev admin users link YOURNAME --login corp --subject 'u 1\"$x`'"
    assert read_config(places).installs == ()

    api.client().post("/v1/admin/users/lee/identities", json={"login": "corp", "subject": words.split("'")[1]})

    assert sign_in(by="corp", settings={"account": 'u 1"$x`'}).install.user == "lee"


def test_a_first_sign_in_by_a_login_that_enrols(api, places, sign_in):
    made = sign_in(by="open", settings={"account": "u-1", "display": "pat@corp.com"})

    assert me(api, places, made).user == "pat-corp-com"


@attrs.define
class Kept:
    """The client's provider as it was built."""

    provider: CorpIdentity | None = None


def test_the_provider_has_what_the_server_tells_of_it(api, lee, link, sign_in, monkeypatch):
    link("lee", "u-1")
    kept = Kept()

    class Noted(CorpIdentity):
        def get_caller_identity(self, challenge) -> Credentials:
            kept.provider = self
            return super().get_caller_identity(challenge)

    monkeypatch.setattr(plugins, "identity", lambda name: Noted)
    sign_in(by="corp", settings={"account": "u-1"})

    assert (kept.provider.settings.realm, kept.provider.settings.patience) == ("lab", 7)
    assert kept.provider.settings.kubeconfig == ""
    assert kept.provider.context.install_id == api.desk.engine.install_id


def test_older_clients_are_told_the_names_and_nobody_more_than_what_is_public(wide):
    told = wide.get("/v1/server").json()

    assert told["logins"] == ["cloud", "corp", "keys", "open", "other"]
    assert {offer["name"]: (offer["provider"], offer["settings"]) for offer in told["login_offers"]} == {
        "cloud": ("simulated", {}), "corp": ("corp", {"realm": "lab", "patience": "7"}), "keys": ("ssh", {}),
        "open": ("corp", {}), "other": ("corp", {}),
    }  # fmt: skip


class TestKind:
    """Service accounts, over the stand-in of TokenRequest and TokenReview."""

    @pytest.fixture
    def logins(self, monkeypatch):
        monkeypatch.setattr(Over, "tokens", Tokens(), raising=False)
        built = Over(Over.Settings(cluster="lab", context="admin@lab", kubeconfig="/root/kube"), CONTEXT)
        return {"kind": Login(name="kind", provider="kind", identity=built, public={"cluster": "lab"})}

    def test_a_service_account_signs_in(self, api, lee, link, places, sign_in):
        link("lee", f"lab/{Tokens().accounts['kim']}", "kind")

        made = sign_in(by="kind", settings={"account": "kim"})

        assert me(api, places, made).user == "lee"

    def test_another_account_is_told_its_own_subject(self, kim, lee, sign_in):
        with pytest.raises(NotSignedIn, match="lab/00000000-0000-0000-0000-000000000002") as refused:
            sign_in(by="kind", settings={"account": "lee"})
        assert "--login kind --subject lab/00000000" in refused.value.hint
