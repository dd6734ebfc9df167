"""A small program `kind` for the PATH of a test: it keeps a list of clusters in a file, and writes down what it was told."""

from __future__ import annotations

import json
import pathlib
import sys

import attrs

PROGRAM = """#!{python}
import json, pathlib, sys, time
here = pathlib.Path(__file__).parent
state = json.loads((here / "state.json").read_text())
words, given = sys.argv[1:], sys.stdin.read()
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps([words, given]) + "\\n")
for what, (code, said) in state["trouble"].items():
    if " ".join(words).startswith(what):
        time.sleep(state["slow"])
        sys.stderr.write(said)
        sys.exit(code)
name = words[words.index("--name") + 1] if "--name" in words else ""
if words[:2] == ["get", "clusters"]:
    print("\\n".join(state["clusters"]), end="" if not state["clusters"] else "\\n")
    if not state["clusters"]:
        sys.stderr.write("No kind clusters found.\\n")
elif words[:2] == ["create", "cluster"]:
    if name in state["clusters"]:
        sys.stderr.write("ERROR: failed to create cluster: node(s) already exist for a cluster with the name \\"x\\"\\n")
        sys.exit(1)
    state["clusters"].append(name)
elif words[:2] == ["delete", "cluster"]:
    state["clusters"] = [other for other in state["clusters"] if other != name]
(here / "state.json").write_text(json.dumps(state))
"""


@attrs.frozen
class FakeKind:
    """The folder on the PATH, and what happened to the program in it."""

    folder: pathlib.Path

    def write(self, clusters=(), trouble=None, slow=0) -> None:
        """Lay it down: `trouble` maps the beginning of a command line to a status and what is said."""
        state = {"clusters": list(clusters), "trouble": trouble or {}, "slow": slow}
        (self.folder / "state.json").write_text(json.dumps(state))
        program = self.folder / "kind"
        program.write_text(PROGRAM.format(python=sys.executable))
        program.chmod(0o755)

    @property
    def clusters(self) -> list[str]:
        """The clusters there are."""
        return json.loads((self.folder / "state.json").read_text())["clusters"]

    @property
    def calls(self) -> list[tuple[list[str], str]]:
        """What it was told, with what it was given."""
        path = self.folder / "calls.jsonl"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
