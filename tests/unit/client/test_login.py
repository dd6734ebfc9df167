"""What a client makes of what a server offers: the provider it names, with its public settings alone, under one's own."""

from __future__ import annotations

import json
import uuid

import attrs
import pytest

from gpudev_kind.identity import KindIdentity
from gpudev_sdk import plugins
from gpudev_sdk.client import login as client
from gpudev_sdk.client.installs import read_config
from gpudev_sdk.client.login import Means
from gpudev_sdk.client.origins import Origin
from gpudev_sdk.client.transport import LocalTransport
from gpudev_sdk.domain.user import Credentials
from gpudev_sdk.errors import Conflict, InvalidRequest, NotAllowed, NotFound, UnknownProvider
from gpudev_sdk.wire.account_views import ChallengeView, LoginView
from gpudev_sdk.wire.views import LoginOffer, ServerView
from tests.corp_login import CorpIdentity
from tests.unit.client.stub_api import INSTALL, NOW

ORIGIN = Origin("https://lab:7070", "ab" * 32)


@pytest.fixture
def built():
    """Every provider that the client built."""
    return []


@pytest.fixture
def known(built):
    """The providers that are installed here, by name."""

    class Noted(CorpIdentity):
        def get_caller_identity(self, challenge) -> Credentials:
            built.append((self, challenge))
            return super().get_caller_identity(challenge)

    return {"corp": Noted, "kind": KindIdentity}


@pytest.fixture
def server(stub, known, monkeypatch):
    """Have the stub offer logins; return a function that says which."""
    real = plugins.identity
    monkeypatch.setattr(plugins, "identity", lambda name: known[name] if name in known else real(name))
    monkeypatch.setattr(client, "remote_transport", lambda *_: LocalTransport(stub.path))
    stub.on("POST", "/login/challenge", ChallengeView(nonce="n", expires_at=NOW))
    stub.on("POST", "/login", LoginView(token="gpd_x", expires_at=NOW, user="kim"))

    def offer(*offers, logins=None):
        names = [each.name for each in offers] if logins is None else logins
        stub.on("GET", "/server", ServerView(
            version="0.1.0", install_id=INSTALL, install="lab", logins=names, login_offers=list(offers)))  # fmt: skip

    return offer


@pytest.fixture
def sign_in(places, server):
    def go(**means):
        return client.login(places, ORIGIN, Means(**means))

    return go


def corp(name="sso", provider="corp", **told):
    return LoginOffer(name=name, provider=provider, settings=told)


def test_the_offer_says_who_provides_a_login_and_not_its_name(server, sign_in, built, stub):
    server(corp("kind", "corp"))

    sign_in(by="kind")

    provider, challenge = built[0]
    assert isinstance(provider, CorpIdentity)
    assert provider.context.name == "kind"
    assert challenge.audience == "https://lab:7070#sha256=" + "ab" * 32
    assert json.loads(stub.asked("POST", "/login")[0][2])["login"] == "kind"


def test_public_settings_are_typed_and_ones_own_count_more(server, sign_in, built):
    server(corp(realm="lab", strict="true", patience="9"))
    sign_in(by="sso")
    sign_in(by="sso", settings={"realm": "home", "ratio": "2", "groups": "a, b", "note": "x", "account": "5"})

    first, second = (provider.settings for provider, _ in built)
    assert (first.realm, first.strict, first.patience, first.account) == ("lab", True, 9, "")
    assert (second.realm, second.ratio, second.groups, second.note) == ("home", 2.0, ["a", "b"], "x")
    assert (second.patience, second.account) == (9, "5")


@pytest.mark.parametrize("name", ["kubeconfig", "endpoint", "account", "word", "nothing", "__class__", "realm.x"])
def test_a_server_sets_nothing_that_its_provider_does_not_call_public(server, sign_in, built, stub, name):
    server(corp(**{name: "https://evil"}))

    with pytest.raises(NotAllowed, match="not its to say"):
        sign_in(by="sso")
    assert built == []
    assert stub.asked("POST", "/login") == []


@pytest.mark.parametrize(
    "told",
    [{"realm": "UPPER"}, {"realm": "a\x1b[2J"}, {"strict": "yes"}, {"patience": "1.5"}, {"patience": "true"}, {"patience": ""},
     {"patience": "1\nstrict = true"}, {"patience": "9" * 10_000}, {"patience": "[" * 10_000}, {"realm": "x" * 100_000 + "!"}],
    ids=lambda told: str(told)[:30],
)  # fmt: skip
def test_a_servers_wrong_value_is_an_error_with_a_next_step(server, sign_in, built, told):
    server(corp(**told))

    with pytest.raises(InvalidRequest) as raised:
        sign_in(by="sso")
    assert raised.value.hint
    assert len(raised.value.message) < 400
    assert built == []


def test_kind_lets_a_server_say_names_and_no_way_to_anything(server, sign_in):
    assert set(KindIdentity.public) == {"cluster", "namespace"}
    for name in ("kubeconfig", "context", "account"):
        server(corp("kind", "kind", **{name: "x"}))
        with pytest.raises(NotAllowed):
            sign_in(by="kind")
    server(corp("kind", "kind", cluster="/etc/passwd"))
    with pytest.raises(InvalidRequest, match="not a cluster's name"):
        sign_in(by="kind")


@pytest.mark.parametrize(
    ("own", "said"),
    [({"acount": "me"}, "does not know 'acount'"), ({"patience": "soon"}, "patience cannot be 'soon'"),
     ({"ratio": "nan"}, "ratio cannot be 'nan'"), ({"ratio": "9" * 400}, "ratio cannot be"),
     ({"groups": "[1, 2]"}, "groups cannot be"),
     ({"table": "a=1"}, "table cannot be"), ({"realm": "!"}, "the login corp cannot be used: 'realm'")],
)  # fmt: skip
def test_ones_own_wrong_setting_is_refused(server, sign_in, own, said):
    server(corp())

    with pytest.raises(InvalidRequest, match=said) as raised:
        sign_in(by="sso", settings=own)
    assert raised.value.hint


@pytest.mark.parametrize("text", ["a,b", " a , b ,", '["a", "b"]'])
def test_a_list_may_leave_out_its_brackets(server, sign_in, built, text):
    server(corp())
    sign_in(by="sso", settings={"groups": text})

    assert built[0][0].settings.groups == ["a", "b"]


def test_a_key_is_for_logins_that_take_one(server, sign_in):
    server(corp())

    with pytest.raises(InvalidRequest, match="takes no key"):
        sign_in(by="sso", key="/k")


def test_a_plugin_that_is_not_here_is_named_with_its_pip_line(server, sign_in):
    server(corp("sso", "gold"))

    with pytest.raises(UnknownProvider) as raised:
        sign_in(by="sso")
    assert raised.value.hint == "Install it: pip install gpudev-gold"


@pytest.mark.parametrize("provider", ["", "x; curl evil | sh", "../x", "-r evil", "a" * 300, "x\x1b[2J"])
def test_what_no_plugin_can_be_called_is_in_no_line_to_type(server, sign_in, provider):
    server(corp("sso", provider))

    with pytest.raises(NotAllowed) as raised:
        sign_in(by="sso")
    assert "pip" not in raised.value.hint


def test_a_login_that_cannot_be_called_so_is_none(server, sign_in):
    server(corp("a\x1b[2J"), corp("sso"))

    assert sign_in().install.login == "sso"
    with pytest.raises(NotFound) as raised:
        sign_in(by="a\x1b[2J")
    assert raised.value.hint == "It has: sso. Choose with --by."


def test_a_server_of_before_says_names_and_the_plugin_of_that_name_is_meant(server, sign_in, built, monkeypatch):
    kind = plugins.find("kind")
    monkeypatch.setattr(plugins, "installed", lambda: (attrs.evolve(kind, name="corp"),))
    server(logins=["corp"])

    sign_in(by="corp")

    assert isinstance(built[0][0], CorpIdentity)


@pytest.mark.parametrize(
    ("there", "dialled", "same"),
    [
        (Origin("https://lab:7070"), Origin("https://lab:7070"), True),
        (ORIGIN, Origin("https://lab.example:7070", ORIGIN.pin), True),
        (Origin("https://lab:7070"), Origin("https://evil:7070"), False),
        (ORIGIN, Origin("https://lab:7070", "cd" * 32), False),
        (ORIGIN, Origin("https://lab:7070"), False),
    ],
)
def test_a_server_that_says_it_is_another_does_not_take_its_name(server, places, there, dialled, same):
    """What an install calls itself by is told to everybody who asks."""
    server(corp())
    client.login(places, there, Means(by="sso"), name="ours")

    if same:
        assert client.login(places, dialled, Means(by="sso"), name="ours").install.name == "ours"
    else:
        with pytest.raises(Conflict, match="another server here"):
            client.login(places, dialled, Means(by="sso"), name="ours")
        assert read_config(places).get("ours").origin == there


def test_another_install_at_the_address_of_one_does_not_take_its_name(server, stub, places):
    server(corp())
    client.login(places, ORIGIN, Means(by="sso"), name="ours")
    told = ServerView(
        version="0.1.0", install_id=uuid.UUID(int=9), install="lab", logins=["sso"], login_offers=[corp()]
    )
    stub.on("GET", "/server", told)

    with pytest.raises(Conflict, match="another server here"):
        client.login(places, ORIGIN, Means(by="sso"), name="ours")


def test_what_one_set_is_remembered(server, sign_in, places):
    server(corp(realm="lab"))
    sign_in(by="sso", settings={"account": 'me "\\\n', "groups": "a,b"})

    assert read_config(places).installs[0].settings == (("account", 'me "\\\n'), ("groups", "a,b"))
