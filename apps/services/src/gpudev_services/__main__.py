"""`python -m gpudev_services`."""

from __future__ import annotations

import sys

from gpudev_services.main import main

if __name__ == "__main__":
    sys.exit(main())
