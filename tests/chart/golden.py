"""The golden files: all of the plain shape, and what each other has differently. `python -m tests.chart.golden` writes them anew.

Checksums are left out: they would make every pod another one, and have a law of their own.
"""

from __future__ import annotations

import pathlib
import re

import yaml

from tests.chart.rendering import LOADER, SHAPES, identity, shape

FOLDER = pathlib.Path(__file__).parent / "golden"
PLAIN = "default"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """Writes texts of several lines as such, and no references."""

    def ignore_aliases(self, data):
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _things(name: str) -> list[dict]:
    plain = re.sub(
        r"(gpudev.io/config: )[0-9a-f]{32}", r"\1CHECKSUM", yaml.dump_all(shape(name), Dumper=_Dumper, width=130)
    )
    return list(yaml.load_all(plain, LOADER))


def written(name: str) -> str:
    """Return what the golden file of a shape is to hold."""
    things = _things(name)
    if name == PLAIN:
        return yaml.dump_all(things, Dumper=_Dumper, width=130)
    plain = {identity(thing): thing for thing in _things(PLAIN)}
    here = {identity(thing) for thing in things}
    gone = {"not here": [" ".join(each) for each in sorted(set(plain) - here)]}
    return yaml.dump_all(
        [gone, *(each for each in things if plain.get(identity(each)) != each)], Dumper=_Dumper, width=130
    )


if __name__ == "__main__":
    for each in SHAPES:
        (FOLDER / f"{each}.yaml").write_text(written(each), encoding="utf-8")
