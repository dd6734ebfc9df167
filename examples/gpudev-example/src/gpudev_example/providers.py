"""Boxes in a dictionary, and a login by a shared word: every law of the contract, and nothing behind it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

import attrs

from gpudev_sdk.domain.gpu import GpuType, Instance, Node, Slot
from gpudev_sdk.domain.server import Claim, Phase, Presence, ServerId, ServerSpec, Sighting, digest_files
from gpudev_sdk.domain.user import Challenge, Credentials, Identity
from gpudev_sdk.errors import Conflict, NoCapacity, NotFound, NotSignedIn
from gpudev_sdk.providers import Compute, Context, IdentityProvider


@attrs.frozen(kw_only=True)
class ExampleSettings:
    """What `[backends.NAME.example]` and `[logins.NAME.example]` may say."""

    gpus: int = 2
    word: str = attrs.field(default="", repr=False)


class ExampleCompute(Compute):
    Settings = ExampleSettings

    def __init__(self, settings: ExampleSettings, context: Context) -> None:
        self._gpus = settings.gpus
        self._files: dict[ServerId, dict[str, bytes]] = {}
        self._tombstones: set[ServerId] = set()
        self._claim: Claim | None = None

    def gpu_types(self) -> tuple[GpuType, ...]:
        return (GpuType(name="example", gpus_per_node=self._gpus, pretended=True),)

    def get_availability_zones(self) -> tuple[str, ...]:
        return ("nowhere",)

    def list_instances(self) -> tuple[Instance, ...]:
        return ()

    def get_instance(self, instance_id: str) -> Instance:
        raise NotFound

    def nodes(self) -> tuple[Node, ...]:
        slots = tuple(Slot(gpu_type="example", index=index) for index in range(self._gpus))
        return (Node(name="shelf", zone="nowhere", slots=slots),)

    def launch(self, spec: ServerSpec) -> None:
        if spec.node != "shelf":
            raise NoCapacity
        if spec.server_id not in self._tombstones:
            self._files.setdefault(spec.server_id, dict(spec.files))

    def observe(self, server_id: ServerId) -> Sighting:
        if server_id not in self._files:
            return Sighting.absent()
        digest = digest_files(self._files[server_id])
        return Sighting(presence=Presence.PRESENT, phase=Phase.READY, endpoint="unix:/nowhere", files_digest=digest)

    def configure(self, server_id: ServerId, files: Mapping[str, bytes]) -> None:
        if server_id in self._files:
            self._files[server_id] = dict(files)

    def terminate(self, server_id: ServerId) -> None:
        self._tombstones.add(server_id)
        self._files.pop(server_id, None)

    def list_servers(self) -> tuple[ServerId, ...]:
        return tuple(self._files)

    def read_claim(self) -> Claim | None:
        return self._claim

    def write_claim(self, new: Claim, expected: Claim | None) -> None:
        if self._claim != expected:
            raise Conflict
        self._claim = new


class ExampleIdentity(IdentityProvider):
    Settings = ExampleSettings

    def __init__(self, settings: ExampleSettings, context: Context) -> None:
        self._word = settings.word.encode()

    def get_caller_identity(self, challenge: Challenge) -> Credentials:
        return Credentials(provider="example", fields={"proof": self._proof(challenge)})

    def verify_credentials(self, credentials: Credentials, challenge: Challenge) -> Identity:
        proof = credentials.fields.get("proof", "").encode()
        if not self._word or not hmac.compare_digest(proof, self._proof(challenge).encode()):
            raise NotSignedIn
        return Identity(subject="whoever knows the word")

    def _proof(self, challenge: Challenge) -> str:
        return hmac.new(self._word, f"{challenge.nonce}\0{challenge.audience}".encode(), hashlib.sha256).hexdigest()
