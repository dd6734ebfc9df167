"""The plugin `gcp`: dev servers, disks and logins on Google Cloud."""

from __future__ import annotations
