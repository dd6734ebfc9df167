"""The configuration: from TOML, the environment and overrides; a wrong one says where."""

from __future__ import annotations

import pathlib
import uuid

import attrs
import pytest

from gpudev_sdk import config
from gpudev_sdk.domain.times import HOUR, MINUTE
from gpudev_sdk.errors import BrokenPlugin, ConfigError, UnknownProvider
from gpudev_sdk.local.storage import LocalStorage
from gpudev_sdk.providers import Context
from tests.corp_login import CorpIdentity


@pytest.fixture
def written(tmp_path):
    """Return a function that reads a configuration from TOML text."""

    def read(text: str, overrides=None):
        path = tmp_path / "gpudev.toml"
        path.write_text(text)
        return config.read(path, overrides)

    return read


@pytest.fixture
def context(tmp_path):
    return Context(install_id=uuid.uuid4(), name="here", data_folder=tmp_path)


def test_without_a_file_there_is_this_machine_and_ssh():
    found = config.read(None)

    assert found.backends == {"local": {"compute": "local", "storage": "local"}}
    assert found.logins == {"ssh": {"provider": "ssh"}}


def test_a_file_that_is_not_there_is_no_file(tmp_path):
    assert config.read(tmp_path / "none.toml") == config.read(None)


def test_a_file_names_what_it_changes(written):
    found = written('name = "lab"\n[limits]\nmax_hours = 12\n')

    assert (found.settings.name, found.settings.limits.max_hours) == ("lab", 12.0)
    assert found.settings.gateway == config.ServerSettings().gateway


def test_the_environment_goes_over_the_file(written, monkeypatch):
    monkeypatch.setenv("GPUDEV_SERVER_NAME", "from-environment")

    assert written('name = "from-file"').settings.name == "from-environment"


def test_overrides_go_over_everything(written, monkeypatch):
    monkeypatch.setenv("GPUDEV_SERVER_NAME", "from-environment")

    assert written('name = "from-file"', {"name": "from-main"}).settings.name == "from-main"


def test_an_unknown_setting_is_refused_with_those_there_are(written):
    with pytest.raises(ConfigError, match="does not know 'nmae'") as raised:
        written('nmae = "lab"')

    assert "name" in raised.value.hint


def test_an_unknown_limit_is_refused(written):
    with pytest.raises(ConfigError, match=r"\[limits\] does not know 'max_hour'"):
        written("[limits]\nmax_hour = 12\n")


@pytest.mark.parametrize("text", ["name = ", "name = 'a'\nname = 'b'", "\0", "[limits"])
def test_what_is_no_toml_names_the_file(written, text):
    with pytest.raises(ConfigError, match=r"gpudev\.toml is not valid TOML"):
        written(text)


@pytest.mark.parametrize("text", ["processors = 'many'", "[limits]\nmax_hours = 'long'", "plugins = 7"])
def test_a_value_of_another_kind_is_refused(written, text):
    with pytest.raises(ConfigError):
        written(text)


@pytest.mark.parametrize("text", ["backends = 1", "backends = { lab = 1 }", "[backends.'La b']\ncompute = 'local'"])
def test_backends_are_tables_with_lawful_names(written, text):
    with pytest.raises(ConfigError, match="backends"):
        written(text)


def test_limits_become_the_domains(written):
    limits = written("[limits]\nmax_total_hours = 48\nwarning_minutes = [5, 60]\n").settings.limits.limits()

    assert (limits.max_total, limits.warnings) == (48 * HOUR, (60 * MINUTE, 5 * MINUTE))


def test_no_cap_is_written_as_zero(written):
    assert written("[limits]\nmax_total_hours = 0\n").settings.limits.limits().max_total is None


def test_a_backend_is_built_of_the_providers_it_names(context):
    table = {"compute": "example", "storage": "local", "example": {"gpus": 3}, "local": {"cpu_slots": 2}}

    compute, storage = config.build_backend(table, context)

    assert compute.gpu_types()[0].gpus_per_node == 3
    assert isinstance(storage, LocalStorage)


def test_a_backend_that_names_no_provider_says_which_is_missing(context):
    with pytest.raises(ConfigError, match=r"\[backends.here\] names no storage"):
        config.build_backend({"compute": "example"}, context)


def test_a_backend_of_an_unknown_provider_says_the_pip_line(context):
    with pytest.raises(UnknownProvider) as raised:
        config.build_backend({"compute": "gold", "storage": "local"}, context)

    assert "pip install gpudev-gold" in raised.value.hint


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"example": {"gpu": 3}}, r"\[backends\.here\.example\] does not know 'gpu'"),
        ({"exmaple": {"gpus": 3}}, r"\[backends\.here\] does not know 'exmaple'"),
        ({"example": {"gpus": "many"}}, r"\[backends\.here\.example\]: gpus cannot be"),
        ({"local": {"pretend": "h100"}}, r"\[backends\.here\.local\] is not valid: .*pretend"),
    ],
)
def test_a_providers_wrong_setting_names_its_table(context, table, said):
    with pytest.raises(ConfigError, match=said):
        config.build_backend({"compute": "example", "storage": "local"} | table, context)


def test_a_login_is_built_of_the_provider_it_names(context):
    login = config.build_login({"provider": "example", "example": {"word": "open"}}, context)

    assert type(login.identity).__name__ == "ExampleIdentity"
    assert (login.name, login.provider, login.enrol, login.public) == ("here", "example", False, {})


def test_a_login_may_enrol_where_the_operator_says_so(context):
    assert config.build_login({"provider": "example", "enrol": True}, context).enrol


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"provider": "ssh", "enrol": True}, "cannot enrol: anybody can make a key"),
        ({"provider": "example", "enrol": "false"}, "enrol cannot be 'false'"),
        ({"provider": "example", "enroll": True}, "does not know 'enroll'"),
    ],
)
def test_a_login_that_would_let_in_others_than_meant_is_refused(context, table, said):
    with pytest.raises(ConfigError, match=said) as raised:
        config.build_login(table, context)

    assert raised.value.hint


def test_a_client_is_told_what_a_login_calls_public_and_nothing_more(context, monkeypatch):
    monkeypatch.setattr(config.plugins, "identity", lambda name: CorpIdentity)
    said = {"realm": "lab", "strict": True, "kubeconfig": "/root/kube", "word": "s3cret"}

    login = config.build_login({"provider": "corp", "corp": said}, context)

    assert login.public == {"realm": "lab", "strict": "true", "patience": "5"}


@pytest.mark.parametrize("name", ["word", "groups", "note", "nothing"])
def test_a_class_that_would_tell_what_is_hidden_or_no_plain_value_is_broken(context, monkeypatch, name):
    monkeypatch.setattr(config.plugins, "identity", lambda _: CorpIdentity)
    monkeypatch.setattr(CorpIdentity, "public", (name,))

    with pytest.raises(BrokenPlugin, match=name):
        config.build_login({"provider": "corp"}, context)


def test_settings_are_values():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.read(None).settings.name = "other"


def test_the_current_folder_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "gpudev.toml").write_text('name = "planted"')
    monkeypatch.chdir(tmp_path)

    assert config.read(None).settings.name == "gpudev"
    assert pathlib.Path("gpudev.toml").exists()


@pytest.mark.parametrize(
    "line",
    [
        "processors = true",
        "processors = 1.5",
        "processors = '4'",
        "gateway = 7022",
        "names = [1]",
        "[limits]\nmax_hours = '24'",
        "[limits]\nkeep_snapshots = 2.5",
        "[limits]\nwarning_minutes = [true]",
    ],
)
def test_a_value_that_would_have_to_be_bent_is_refused(tmp_path, line):
    (tmp_path / "config.toml").write_text(line)
    with pytest.raises(ConfigError):
        config.read(tmp_path / "config.toml")


def test_a_warning_is_of_whole_seconds(written):
    limits = written("[limits]\nwarning_minutes = [0.025, 5, 0.001]\n").settings.limits.limits()

    assert limits.warnings == (5 * MINUTE, MINUTE / 30, MINUTE / 60)
