"""Reaches a cluster: by the service account of the pod we run in, or by a kubeconfig and one of its contexts."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from gpudev_sdk.errors import TryLater, Unworkable
from gpudev_sdk.kube.api import Api

if TYPE_CHECKING:
    from kubernetes.client.api_client import ApiClient

#: Connections kept open: watches take one each, processors share the others.
_CONNECTIONS = 32
_ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@attrs.frozen(kw_only=True)
class Access:
    """A cluster as the cloud that runs it describes it: where it is, what its certificate is signed by, and who we are there."""

    #: `https://HOST[:PORT]`.
    server: str
    ca_pem: str
    #: Asked before every call, so it keeps a token until that is old. What it raises reaches whoever made the call.
    token: Callable[[], str] = attrs.field(repr=False)


def reach(access: Access, namespace: str) -> Api:
    """Return the API of a cluster that is reached by a token that does not last; nothing is dialled yet.

    Raises Unworkable for a server that is not https: the token would be read on the way.
    """
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration

    if not access.server.startswith("https://"):
        raise Unworkable(f"the cluster's address {access.server[:80]!r} is not https://")

    def renew(configuration: Configuration) -> None:
        configuration.api_key["authorization"] = f"Bearer {access.token()}"

    configuration = Configuration()
    configuration.host = access.server
    configuration.ca_cert_data = access.ca_pem
    configuration.refresh_api_key_hook = renew  # type: ignore[assignment]
    # Without one of its own the client leaves the hook unasked.
    configuration.api_key["authorization"] = ""
    configuration.connection_pool_maxsize = _CONNECTIONS
    return Api(ApiClient(configuration), namespace)


def connect(kubeconfig: str, context: str, namespace: str) -> Api:
    """Return the API of the cluster that settings name; without any, of the one we run in, or of ~/.kube/config.

    Nothing is dialled yet. Raises TryLater when there is no such file or context, with what to do.
    """
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    try:
        client = _inside() if not kubeconfig and not context and _ACCOUNT.exists() else _by_file(kubeconfig, context)
    except (ConfigException, YAMLError, OSError, ValueError) as error:
        hint = "Set `kubeconfig` and `context` of the backend to what `kubectl config get-contexts` shows."
        raise TryLater(f"no way to the cluster: {_first_line(error)}", delay=30.0, hint=hint) from error
    return Api(client, namespace)


def _inside() -> ApiClient:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.config.incluster_config import load_incluster_config

    configuration = Configuration()
    load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = _CONNECTIONS
    return ApiClient(configuration)


def _by_file(kubeconfig: str, context: str) -> ApiClient:
    from kubernetes.client.api_client import ApiClient
    from kubernetes.client.configuration import Configuration
    from kubernetes.config.kube_config import load_kube_config

    configuration = Configuration()
    load_kube_config(  # type: ignore[no-untyped-call]
        config_file=kubeconfig or None,
        context=context or None,
        client_configuration=configuration,
        persist_config=False,
    )
    configuration.connection_pool_maxsize = _CONNECTIONS
    return ApiClient(configuration)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
