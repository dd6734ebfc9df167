"""Plugins: found by entry point, loaded by name, checked; whatever is wrong with one names its distribution."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from gpudev_sdk import config, hookspecs, plugins
from gpudev_sdk.domain.request import Request
from gpudev_sdk.domain.reservation import ReservationEvent
from gpudev_sdk.domain.times import HOUR
from gpudev_sdk.domain.user import User
from gpudev_sdk.errors import (
    BrokenPlugin,
    ConfigError,
    DuplicateProvider,
    MissingAbility,
    Refused,
    UnknownProvider,
)
from gpudev_sdk.providers import Compute, IdentityProvider, Storage

HOOKIMPL = "from gpudev_sdk import hookimpl\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a distribution with one plugin, as pip would leave it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def write(name: str, source: str, *, distribution: str | None = None, version: str = "1.2") -> str:
        distribution = distribution or f"gpudev-{name}"
        module = f"plugin_{len(made)}_{tmp_path.name}".replace("-", "_")
        made.append(module)
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = tmp_path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[gpudev]\n{name} = {module}\n")
        return module

    yield write
    for module in made:
        sys.modules.pop(module, None)


def test_what_is_built_in_is_installed():
    names = {plugin.name: plugin.distribution for plugin in plugins.installed()}

    assert {name: names.get(name) for name in ("local", "ssh")} == {"local": "gpudev-sdk", "ssh": "gpudev-sdk"}


def test_listing_imports_nothing_of_what_it_lists(install):
    module = install("gold", "raise RuntimeError('imported')")

    assert "gold" in {plugin.name for plugin in plugins.installed()}
    assert module not in sys.modules


def test_naming_a_plugin_imports_no_other(install):
    install("broken", "raise RuntimeError('imported')")

    assert plugins.load("local").name == "local"


def test_an_unknown_name_lists_what_is_there_and_says_the_pip_line():
    with pytest.raises(UnknownProvider, match=r"'gold'.*local, ssh") as raised:
        plugins.load("gold")

    assert raised.value.hint == "Install it: pip install gpudev-gold"


def test_a_plugin_that_fails_to_import_names_its_distribution_and_the_pip_line(install):
    install("gold", "import no_such_library")

    with pytest.raises(BrokenPlugin, match=r"'gold' of gpudev-gold 1\.2 cannot be imported.*no_such_library") as raised:
        plugins.load("gold")

    assert "pip install --force-reinstall gpudev-gold" in raised.value.hint


@pytest.mark.parametrize(
    "failure", ["1 / 0", "this is no Python", "raise ValueError('x')", "from gpudev_sdk import xyz"]
)
def test_whatever_a_plugin_raises_on_import_is_one_clear_error(install, failure):
    install("gold", failure)

    with pytest.raises(BrokenPlugin, match="gpudev-gold"):
        plugins.load("gold")


def test_a_name_offered_twice_names_both_distributions(install):
    install("gold", "", distribution="gpudev-gold")
    install("gold", "", distribution="other-gold")

    with pytest.raises(DuplicateProvider, match="gpudev-gold and other-gold") as raised:
        plugins.load("gold")

    assert "pip uninstall other-gold" in raised.value.hint


def test_a_name_offered_twice_breaks_no_other(install):
    install("gold", "", distribution="gpudev-gold")
    install("gold", "", distribution="other-gold")

    assert plugins.load("local").name == "local"


def test_a_misspelt_hook_is_refused_with_the_names_there_are(install):
    install("gold", f"{HOOKIMPL}\n@hookimpl\ndef gpudev_register_computer(): ...")

    with pytest.raises(BrokenPlugin, match="gpudev-gold") as raised:
        plugins.load("gold")

    assert "gpudev_register_computer" in raised.value.message


def test_a_hook_without_its_mark_is_refused(install):
    install("gold", "def gpudev_register_compute(): ...")

    with pytest.raises(BrokenPlugin, match="gpudev_register_compute lacks the @hookimpl mark"):
        plugins.load("gold")


def test_an_unmarked_misspelt_hook_is_refused_too(install):
    install("gold", "def gpudev_register_computer(): ...")

    with pytest.raises(BrokenPlugin, match="gpudev_register_computer"):
        plugins.load("gold")


def test_a_hook_with_an_argument_we_do_not_give_is_refused(install):
    install("gold", f"{HOOKIMPL}\n@hookimpl\ndef gpudev_check_request(request, user, mood): ...")

    with pytest.raises(BrokenPlugin, match="mood"):
        plugins.load("gold")


def test_a_plugin_without_what_is_asked_of_it_says_so(install):
    install("gold", "")

    with pytest.raises(MissingAbility, match="'gold' of gpudev-gold offers no Storage"):
        plugins.storage("gold")


def test_a_hook_that_returns_no_class_of_the_kind_is_refused(install):
    install("gold", f"{HOOKIMPL}\n@hookimpl\ndef gpudev_register_compute(): return dict")

    with pytest.raises(BrokenPlugin, match="gpudev-gold returned"):
        plugins.compute("gold")


def test_a_plugin_says_what_it_offers(install):
    install("gold", f"{HOOKIMPL}\n@hookimpl\ndef gpudev_check_request(request, user): ...")

    loaded = plugins.load("gold")

    assert (loaded.name, loaded.distribution, loaded.version) == ("gold", "gpudev-gold", "1.2")
    assert loaded.offers == ("policy",)


def test_every_hook_is_something_that_a_plugin_can_offer():
    hooks = {name for name in vars(hookspecs) if name.startswith("gpudev_")}

    assert {hook for hook, _ in plugins.OFFERS.values()} == hooks


def test_a_named_policy_that_does_not_load_is_a_configuration_error(install):
    install("rules", "import no_such_library")

    with pytest.raises(ConfigError, match=r"'rules' is named and does not load.*gpudev-rules") as raised:
        config.load_policy("rules")

    assert "pip install --force-reinstall gpudev-rules" in raised.value.hint


def test_a_named_policy_that_is_not_installed_is_a_configuration_error():
    with pytest.raises(ConfigError, match="'rules' is named and does not load") as raised:
        config.load_policy("rules")

    assert "pip install gpudev-rules" in raised.value.hint


def test_two_plugins_hooks_are_called_apart(install):
    for name in ("gold", "silver"):
        install(name, f"{HOOKIMPL}\n@hookimpl\ndef gpudev_check_request(request, user): raise ValueError({name!r})")
    gold, silver = plugins.load("gold"), plugins.load("silver")

    with pytest.raises(ValueError, match="gold"):
        gold.call("gpudev_check_request", request=None, user=None)
    with pytest.raises(ValueError, match="silver"):
        silver.call("gpudev_check_request", request=None, user=None)


def test_hook_gpudev_register_compute():
    assert issubclass(plugins.compute("local"), Compute)


def test_hook_gpudev_register_storage():
    assert issubclass(plugins.storage("local"), Storage)


def test_hook_gpudev_register_identity():
    assert issubclass(plugins.identity("ssh"), IdentityProvider)


def test_hook_gpudev_check_request(install):
    install("rules", f"""
        {HOOKIMPL}
        from gpudev_sdk.errors import Refused

        @hookimpl
        def gpudev_check_request(request, user):
            if request.gpus > 4:
                raise Refused(f"{{user.name}} may have 4", hint="Ask for 4.")
    """)  # fmt: skip
    policy = config.load_policy("rules")
    ada = User(id=None, number=1, name="ada")

    policy.call("gpudev_check_request", request=Request(gpu_type="h100", gpus=4, duration=HOUR), user=ada)

    with pytest.raises(Refused, match="ada may have 4"):
        policy.call("gpudev_check_request", request=Request(gpu_type="h100", gpus=5, duration=HOUR), user=ada)


def test_hook_gpudev_reservation_changed(install):
    module = install("bells", f"""
        {HOOKIMPL}
        heard = []

        @hookimpl
        def gpudev_reservation_changed(event):
            heard.append(event)
    """)  # fmt: skip
    event = ReservationEvent(
        reservation_id=None, number=1, what="to-active", from_state="preparing", to_state="active", detail="",
        actor="p1", at=None,
    )  # fmt: skip

    plugins.load("bells").call("gpudev_reservation_changed", event=event)

    assert sys.modules[module].heard == [event]


def test_the_hooks_module_imports_no_provider():
    """A policy plugin costs no more than the hooks."""
    program = "import sys, gpudev_sdk.hookspecs; print('gpudev_sdk.providers' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
