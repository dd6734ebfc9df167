"""Only mains read the environment, and server settings never come from the current folder."""

from __future__ import annotations

import ast

from tests.architecture.sources import shown, sources, tree

#: Which files read the environment, and why they may.
READERS = {
    "src/gpudev_sdk/config.py": "GPUDEV_SERVER_…, read once for a main",
    "src/gpudev_sdk/client/places.py": "a script that uses the SDK has no main of ours: where our files lie",
    "apps/cli/src/gpudev_cli/main.py": "a main",
    "apps/cli/src/gpudev_cli/asked.py": "`--env NAME` passes on what the person's own environment has",
    "apps/services/src/gpudev_services/main.py": "a main",
}
#: Every file here is a main.
MAINS = ("benchmarks/", "tools/")
WAYS = {"environ", "environb", "getenv", "getenvb", "EnvLoader"}


def reads(path) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.Attribute) and node.attr in WAYS) or (isinstance(node, ast.Name) and node.id in WAYS)
    ]


def test_only_mains_read_the_environment():
    others = [path for path in sources() if shown(path) not in READERS and not shown(path).startswith(MAINS)]

    found = {shown(path): reads(path) for path in others if reads(path)}

    assert found == {}


def test_every_named_reader_still_reads_it():
    by_name = {shown(path): path for path in sources()}

    assert [name for name in READERS if name in by_name and not reads(by_name[name])] == []
