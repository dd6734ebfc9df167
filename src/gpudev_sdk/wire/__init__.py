"""The API's language: frozen msgspec Structs that client and API share."""

from __future__ import annotations

#: The version of this language, in every path.
API_VERSION = "v1"
