"""The services as processes of their own: they share a database, one configuration file, and folders of secrets."""

from __future__ import annotations
