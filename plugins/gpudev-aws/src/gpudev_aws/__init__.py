"""The plugin `aws`: dev servers, disks and logins on Amazon Web Services."""

from __future__ import annotations
