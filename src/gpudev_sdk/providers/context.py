"""What every provider is built with, beside its own settings."""

from __future__ import annotations

import pathlib
import uuid

import attrs


@attrs.frozen(kw_only=True)
class Context:
    """Who we are: a provider owns only what carries `install_id`."""

    install_id: uuid.UUID
    #: The backend's or the login's name in the configuration.
    name: str
    #: A folder of this install for whatever the provider keeps on this machine.
    data_folder: pathlib.Path
