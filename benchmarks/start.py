"""How soon the client is there, beside a bare Python in the same run. `make bench`."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from measure import line, wall_and_cpu

PYTHON = sys.executable
GPUDEV = str(pathlib.Path(PYTHON).parent / "gpudev")


def main() -> None:
    """Print the figures."""
    bare, bare_cpu = wall_and_cpu([PYTHON, "-c", "pass"])
    line("python -c pass: wall / CPU", f"{bare:.3f} / {bare_cpu:.3f} s")
    for what, command in {
        "import gpudev_sdk": [PYTHON, "-c", "import gpudev_sdk"],
        "gpudev --help": [GPUDEV, "--help"],
        "gpudev plugins list": [GPUDEV, "plugins", "list"],
    }.items():
        wall, cpu = wall_and_cpu(command)
        line(f"{what}: wall / CPU", f"{wall:.3f} / {cpu:.3f} s", f"{wall / bare:.1f} × bare, {wall - bare:.3f} s more")
    count = "import sys; n = len(sys.modules); import gpudev_sdk; print(len(sys.modules) - n)"
    done = subprocess.run([PYTHON, "-c", count], capture_output=True, text=True, check=True)
    line("modules that import gpudev_sdk adds", done.stdout.strip())


if __name__ == "__main__":
    main()
