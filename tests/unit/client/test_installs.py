"""Known servers and their tokens."""

from __future__ import annotations

import datetime as dt
import stat

import pytest

from gpudev_sdk.client.installs import (
    ClientConfig,
    Install,
    Token,
    get_token,
    keep_token,
    read_config,
    write_config,
)
from gpudev_sdk.client.origins import Origin, parse_origin
from gpudev_sdk.client.targets import LOCAL, find_target
from gpudev_sdk.errors import ConfigError, InvalidRequest, NotFound, NotSignedIn

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
PIN = "ab" * 32
LAB = Install(name="lab", origin=Origin("https://lab:7070", PIN), user="kim", install_id="i", key='/k "e\\y\x7f')


def test_what_is_written_is_read_back(places):
    corp = LAB._replace(name="other", login="corp", settings=(("account", 'a"\\\n\x7f'), ('k "ey', "")))
    config = ClientConfig(ssh_include="no").with_install(LAB).with_install(corp)
    write_config(places, config)

    assert read_config(places) == config
    assert stat.S_IMODE(places.config_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(places.config.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "text",
    ["[installs", "installs = 3", "[installs.a]\norigin = 'http://x'", "default = 3", "[installs.'A b']\norigin='https://x'",
     "installs.a = 'x'", "[installs.a]\norigin = 'https://x'\nsettings = 3",
     "[installs.a]\norigin = 'https://x'\nsettings = { a = 3 }"],
)  # fmt: skip
def test_a_damaged_file_is_an_error_that_names_it(places, text):
    places.config.mkdir()
    places.config_file.write_text(text)

    with pytest.raises(ConfigError, match=r"config\.toml is not valid"):
        read_config(places)


def test_a_read_only_folder_is_an_error_with_a_next_step(places):
    places.config.parent.joinpath("config").write_text("a file where the folder should be")

    with pytest.raises(ConfigError, match="cannot be used"):
        write_config(places, ClientConfig())


def test_a_token_is_kept_for_its_owner_alone(places):
    keep_token(places, LAB.origin, Token("gpd_x", NOW + dt.timedelta(hours=8)))
    files = list((places.config / "tokens").iterdir())

    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]
    assert get_token(places, LAB, NOW) == "gpd_x"


@pytest.mark.parametrize(
    "origin", [Origin("https://lab:7070", "cd" * 32), Origin("https://lab:7070"), Origin("https://lab:7071", PIN)]
)
def test_a_token_is_presented_to_no_other_origin_or_pin(places, origin):
    keep_token(places, LAB.origin, Token("gpd_x", NOW + dt.timedelta(hours=8)))

    with pytest.raises(NotSignedIn):
        get_token(places, LAB._replace(origin=origin), NOW)


def test_a_token_file_moved_to_anothers_name_is_refused(places):
    keep_token(places, LAB.origin, Token("gpd_x", NOW + dt.timedelta(hours=8)))
    other = Install(name="bad", origin=Origin("https://bad:443", PIN))
    keep_token(places, other.origin, Token("gpd_y", NOW + dt.timedelta(hours=8)))
    mine, theirs = sorted((places.config / "tokens").iterdir(), key=lambda file: "gpd_y" in file.read_text())
    theirs.write_bytes(mine.read_bytes())

    with pytest.raises(NotSignedIn):
        get_token(places, other, NOW)


def test_a_token_whose_time_is_over_asks_for_a_login(places):
    keep_token(places, LAB.origin, Token("gpd_x", NOW))

    with pytest.raises(NotSignedIn) as caught:
        get_token(places, LAB, NOW)
    assert caught.value.hint == "Sign in: gpudev login lab."


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"origin": 1, "token": 2, "expires_at": 3}'])
def test_a_damaged_token_file_asks_for_a_login(places, text):
    keep_token(places, LAB.origin, Token("gpd_x", NOW))
    next((places.config / "tokens").iterdir()).write_text(text)

    with pytest.raises(NotSignedIn):
        get_token(places, LAB, NOW)


def test_a_token_file_that_others_read_is_refused(places, room):
    named = places._replace(token_file=room / "token")
    named.token_file.write_text("gpd_x\n")
    named.token_file.chmod(0o644)

    with pytest.raises(ConfigError, match="can be read by others"):
        get_token(named, LAB, NOW)


def test_an_install_id_alone_does_not_take_over_a_name():
    config = ClientConfig().with_install(LAB)

    assert config.name_for("lab", Origin("https://evil:1", "cd" * 32), "i") == "lab-2"
    assert config.name_for("lab", Origin("https://lab:9", PIN), "i") == "lab"


def test_a_hostile_name_becomes_a_plain_one():
    assert ClientConfig().name_for("../x\n", LAB.origin, "i") == "server"
    assert ClientConfig().name_for("local", LAB.origin, "i") == "server"


def test_the_server_that_is_meant_is_found_in_this_order(places):
    write_config(places, ClientConfig().with_install(LAB))
    unnamed = places._replace(data_named=False)

    assert find_target(unnamed).name == "lab"
    assert find_target(places).name == LOCAL
    assert find_target(unnamed, "local").name == LOCAL
    assert find_target(places, "lab").name == "lab"
    assert find_target(places, "https://lab:7070").name == "lab"
    with pytest.raises(NotFound):
        find_target(places, "nowhere")
    with pytest.raises(NotFound, match="never signed in"):
        find_target(places, "https://other:1")


@pytest.mark.parametrize(
    "text",
    ["http://lab", "http://127.0.0.1:1", "https://", "https://a b", "ftp://lab", "https://kim:pw@lab", "https://lab/x", "lab",
     "https://lab?x", "https://lab#sha256=12", f"https://lab#md5={PIN}", "https://lab:99999", "https://l\nab", "https://[::1",
     "https://..", f"https://lab#sha256={PIN}\n", "https://lab\\evil"],
)  # fmt: skip
def test_what_is_not_an_address_is_refused_before_anything_is_dialled(text):
    if text.endswith("\n"):
        with pytest.raises(InvalidRequest):
            parse_origin(text)
        return
    with pytest.raises(InvalidRequest):
        parse_origin(text)


def test_an_address_is_read_with_its_pin():
    assert parse_origin(f"https://Lab:7070#sha256={PIN.upper()}") == Origin("https://lab:7070", PIN)
