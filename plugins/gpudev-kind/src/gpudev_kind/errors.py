"""What kind and the container engine say, in gpudev's words, with what to do next: the one place where it is translated.

Texts as kind 0.20 to 0.30 and Docker's client print them; what is not known here is passed on in its last line.
"""

from __future__ import annotations

from gpudev_sdk.errors import Conflict, GpudevError, Unworkable

GET_KIND = "Install kind, and see that it is on the PATH: https://kind.sigs.k8s.io/docs/user/quick-start/#installation"
GET_ENGINE = "Start Docker (or Podman), and see that `docker ps` works for you."

#: What is in the output, what it means, and the next step.
_KNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("cannot connect to the docker daemon", "failed to connect to the docker api", "docker daemon is not running"),
        "no container engine answers",
        GET_ENGINE,
    ),
    (("permission denied while trying to connect",), "the container engine does not let this user in", GET_ENGINE),
    (
        ("executable file not found in $path", "could not find docker", "failed to detect any supported node provider"),
        "there is no container engine",
        "Install Docker or Podman; kind runs its nodes in it.",
    ),
    (
        ("no space left on device",),
        "the disk of the container engine is full",
        "Make room: docker system prune.",
    ),
    (
        ("failed to pull image", "pull access denied", "manifest unknown", "no such host"),
        "the image of the nodes cannot be had",
        "Name one that is there: --set node_image=IMAGE.",
    ),
    (
        ("port is already allocated", "address already in use"),
        "a port that the cluster needs is taken",
        "Look at what runs: docker ps.",
    ),
)


def no_kind() -> GpudevError:
    """Return the error for a machine without kind."""
    return Unworkable("kind is not installed here", hint=GET_KIND)


def too_long(what: str, seconds: float) -> GpudevError:
    """Return the error for a run that did not end."""
    hint = "See whether the machine is busy or an image is slow to come, and run it again: what is there is adopted."
    return Unworkable(f"`kind {what}` did not end in {seconds:.0f} s", hint=hint)


def translate(what: str, output: str) -> GpudevError:
    """Return the error for a run that failed."""
    lowered = output.lower()
    if "already exist for a cluster with the name" in lowered:
        return Conflict("a cluster of that name was made by somebody else just now", hint="Run it again to adopt it.")
    for texts, meaning, hint in _KNOWN:
        if any(text in lowered for text in texts):
            return Unworkable(f"`kind {what}` failed: {meaning}", hint=hint)
    hint = f"Run it by hand to see all that it says: kind {what}"
    return Unworkable(f"`kind {what}` failed: {_last_word(output)}", hint=hint)


def _last_word(output: str) -> str:
    """Return the line that says most: the one with ERROR, or the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (told or lines or ["it said nothing"])[-1][:200]
