"""What every test has: fixtures by topic from `fix_*.py` beside this file, and no setting of whoever runs the tests."""

from __future__ import annotations

import os
import pathlib
import signal
import sys

_HERE = pathlib.Path(__file__).parent
if str(_HERE.parent) not in sys.path:
    sys.path.insert(0, str(_HERE.parent))

pytest_plugins = [f"tests.{path.stem}" for path in sorted(_HERE.glob("fix_*.py"))]

for _name in [name for name in os.environ if name.startswith("GPUDEV_")]:
    del os.environ[_name]

# A shell that starts the tests in the background has Ctrl-C ignored, and nohup the end of a terminal, which programs started here
# would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_configure(config):
    """Watch over skips where the results come together."""
    if not hasattr(config, "workerinput"):
        from tests.lawful_skips import LawfulSkips

        config.pluginmanager.register(LawfulSkips())


#: What takes long begins first, so that the short files fill up what is left at the end.
LONG = ("tests/sim/", "tests/journeys/chaos/", "tests/model/", "tests/load/")


def pytest_collection_modifyitems(items):
    """Sort the long ones to the front; each file stays together."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
