"""The few calls of the API server that bringing a cluster up needs, and fake nodes; not a client for anybody else."""

from __future__ import annotations

import json
import pathlib
import ssl

import httpx2

from tests.cluster.machine.layout import Layout

#: Who owns the fields that are applied here.
OWNER = "gpudev-test-cluster"
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class ApiRefused(Exception):
    """The API server said no; the message has what it said."""


class Api:
    """Calls the API server as the one who may do everything; several threads may use it."""

    def __init__(self, layout: Layout) -> None:
        context = ssl.create_default_context(cafile=str(layout.certificate("ca")))
        context.load_cert_chain(layout.certificate("admin"), layout.key("admin"))
        self._client = httpx2.Client(base_url=layout.api, verify=context, timeout=20)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ready(self) -> bool:
        """Tell whether the API server answers, and means it."""
        try:
            return self._client.get("/readyz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    def find(self, path: str, **query: str) -> dict | None:
        """Return an object or a list; None where there is none."""
        answer = self._client.get(path, params=query)
        return None if answer.status_code == 404 else _checked(answer).json()

    def create(self, path: str, body: dict) -> dict:
        """Make an object."""
        return _checked(self._client.post(path, json=body)).json()

    def patch(self, path: str, body: dict) -> dict | None:
        """Merge a change into an object; None where it is gone."""
        answer = self._client.patch(path, content=json.dumps(body), headers={"Content-Type": _MERGE})
        return None if answer.status_code == 404 else _checked(answer).json()

    def patch_status(self, path: str, body: dict) -> None:
        """Merge a change into an object's status; one that is gone, or another of its name by now, stays as it is."""
        answer = self._client.patch(f"{path}/status", content=json.dumps(body), headers={"Content-Type": _MERGE})
        if answer.status_code not in (404, 409):
            _checked(answer)

    def delete(self, path: str, body: dict | None = None) -> None:
        """Delete an object; one that is gone, or another by now, is no error."""
        answer = self._client.request("DELETE", path, json=body or {})
        if answer.status_code not in (404, 409):
            _checked(answer)

    def apply(self, path: str, text: str) -> None:
        """Make an object, given in JSON or YAML, be as it is written."""
        query, headers = {"fieldManager": OWNER, "force": "true"}, {"Content-Type": _APPLY}
        _checked(self._client.patch(path, params=query, content=text, headers=headers))

    def apply_object(self, group: str, plural: str, body: dict) -> None:
        """Make an object of no namespace be as it is written."""
        self.apply(f"/apis/{group}/{plural}/{body['metadata']['name']}", json.dumps(body))

    def apply_crd(self, file: pathlib.Path) -> str:
        """Make a custom resource be as a file says; the file's name, GROUP_PLURAL.yaml, is its own. Return that."""
        group, _, plural = file.stem.partition("_")
        name = f"{plural}.{group}"
        self.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}", file.read_text())
        return name


def _checked(answer: httpx2.Response) -> httpx2.Response:
    if answer.is_error:
        raise ApiRefused(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:1000]}"
        )
    return answer
