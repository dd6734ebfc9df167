"""Commands of the pages for operators, typed as they stand there."""

from __future__ import annotations

import itertools
import re

from tests.chart_cluster.ground import ROOT
from tests.chart_cluster.release import Release
from tests.pages import fenced

#: The tags of PostgreSQL that pages name, of images which no cluster of the tests can pull.
NEWEST, OLDEST = "18.1", "16"


def page(name: str) -> str:
    """Return a page for operators."""
    return (ROOT / "docs" / "operate" / name).read_text(encoding="utf-8")


def block(name: str, words: str) -> str:
    """Return the first block of commands of a page in which these words stand."""
    return next(body for _, body in fenced(f"docs/operate/{name}") if words in body)


def of(release: Release, text: str) -> str:
    """Return commands as an operator of that release has them: with its names, and images where they are."""
    images = release.ground.images
    for theirs, ours in (
        (f"docker.io/library/postgres:{NEWEST}", images.postgres),
        (f"docker.io/library/postgres:{OLDEST}", images.postgres_oldest),
        (f"images.postgres.tag={NEWEST}", f"images.postgres.tag={images.postgres.rpartition(':')[2]}"),
        ("gpu-controlplane", release.control),
        ("helm upgrade gpu-dev ", f"helm upgrade {release.name} "),
    ):
        text = text.replace(theirs, ours)
    return re.sub(r"\bgpu-dev-(?!server)", f"{release.name}-", text)


def typed(release: Release, text: str, ok: bool = True) -> str:
    """Type a block in a folder of the operator's; helm's commands take what this cluster needs, and wait."""
    said = []
    lines = of(release, text).splitlines()
    for is_helm, several in itertools.groupby(lines, key=lambda line: line.startswith("helm ")):
        if is_helm:
            said += [release.documented(line, "--wait") for line in several]
        else:
            done = release.ground.run("bash", "-euc", "\n".join(["cd ~", *several]), ok=ok, timeout=180)
            said.append(done.stdout + done.stderr)
    return "".join(said)
