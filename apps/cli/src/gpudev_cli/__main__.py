"""`python -m gpudev_cli` is `gpudev`."""

from __future__ import annotations

from gpudev_cli.main import main

main()
