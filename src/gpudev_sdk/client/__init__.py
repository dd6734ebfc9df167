"""The client: what a notebook, a script and the `gpudev` command speak to a server with.

Import it by `gpudev_sdk` (`gpudev_sdk.connect`), which loads its modules when they are first used.
"""

from __future__ import annotations
