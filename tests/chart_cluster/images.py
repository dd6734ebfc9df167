"""Copies an image between two registries that speak plain HTTP."""

from __future__ import annotations

import httpx2

from tests.cluster.machine.images import MANIFESTS


def copy(source: str, target: str) -> None:
    """Copy an image of one machine's kind, blob by blob."""
    with httpx2.Client(timeout=60) as client:
        name, tag = _place(source)
        into, as_tag = _place(target)
        manifest = client.get(f"{name}/manifests/{tag}", headers={"Accept": MANIFESTS}).raise_for_status()
        for blob in (manifest.json()["config"], *manifest.json()["layers"]):
            content = client.get(f"{name}/blobs/{blob['digest']}").raise_for_status().content
            begun = client.post(f"{into}/blobs/uploads/").raise_for_status()
            where = httpx2.URL(begun.headers["Location"]).copy_add_param("digest", blob["digest"])
            done = {"Content-Type": "application/octet-stream"}
            client.put(str(httpx2.URL(into).join(where)), content=content, headers=done).raise_for_status()
        kind = {"Content-Type": manifest.headers["Content-Type"]}
        client.put(f"{into}/manifests/{as_tag}", content=manifest.content, headers=kind).raise_for_status()


def _place(reference: str) -> tuple[str, str]:
    rest, _, tag = reference.rpartition(":")
    registry, _, name = rest.partition("/")
    return f"http://{registry}/v2/{name}", tag
