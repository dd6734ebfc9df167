"""`gpudev backend add|list|remove`: the backends in a server's configuration file. The command line passes them on to here."""

from __future__ import annotations
