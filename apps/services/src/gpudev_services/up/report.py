"""What `up` says when it is up."""

from __future__ import annotations

from gpudev_services.up.front import Front
from gpudev_services.up.life import Back


def lines(back: Back, front: Front) -> list[str]:
    """Say where it is, what a box is fenced by, what is paused, and what to type next."""
    said = [f"gpudev is up in {back.folder.root}"]
    for name, backend in back.engine.backends.items():
        said.append(f"  backend {name}: " + ", ".join(f"{key} {value}" for key, value in backend.notes().items()))
    for name, why in back.paused.items():
        said.append(f"  PAUSED {name}: {why}")
        said.append(f"  Nothing is done there until: gpudev admin adopt {name}")
    if front.login_line is not None:
        said.append("  From another machine, once `gpudev admin users add NAME --key FILE.pub` was done here:")
        said.append(f"    {front.login_line}")
    said.append("  Next: gpudev avail, gpudev reserve cpu 1h")
    return said


def say(back: Back, front: Front) -> None:
    """Print it."""
    print("\n".join(lines(back, front)), flush=True)
