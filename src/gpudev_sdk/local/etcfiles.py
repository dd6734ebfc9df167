"""What a box sees below /etc: a few files of this machine by name, and those that we make for it."""

from __future__ import annotations

import pathlib

#: Of this machine, where they are there: how names, time, certificates, programs and terminals are found. Nothing that
#: holds a secret or a machine's identity.
FROM_HOST = (
    "X11/rgb.txt",
    "alternatives",
    "bash.bashrc",
    "bash_completion",
    "bash_completion.d",
    "bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "default/locale",
    "fonts",
    "gai.conf",
    "glvnd",
    "host.conf",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "login.defs",
    "magic",
    "mime.types",
    "nanorc",
    "nvidia",
    "OpenCL",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "profile",
    "profile.d",
    "protocols",
    "redhat-release",
    "resolv.conf",
    "services",
    "shells",
    "skel",
    "ssh/ssh_config",
    "ssh/ssh_config.d",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "vim",
    "vulkan",
    "xattr.conf",
    "zsh",
)
#: Made for each box.
MADE = ("passwd", "group", "nsswitch.conf", "hostname", "hosts")


def write_etc(folder: pathlib.Path, uid: int, name: str) -> None:
    """Make the files of a box's own /etc in `folder`."""
    folder.mkdir(mode=0o755, exist_ok=True)
    shell = "/bin/bash" if pathlib.Path("/bin/bash").exists() else "/bin/sh"
    nobody = "" if uid == 65534 else "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    made = {
        "passwd": f"root:x:0:0:root:/root:/usr/sbin/nologin\ndev:x:{uid}:{uid}:dev:/home/dev:{shell}\n{nobody}",
        "group": f"root:x:0:\ntty:x:5:\ndev:x:{uid}:\n" + ("" if uid == 65534 else "nogroup:x:65534:\n"),
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        "hostname": f"{name}\n",
        "hosts": f"{_hosts_here()}127.0.1.1 {name}\n",
    }
    for file, content in made.items():
        path = folder / file
        path.write_text(content)
        path.chmod(0o644)


def _hosts_here() -> str:
    try:
        text = pathlib.Path("/etc/hosts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "127.0.0.1 localhost\n::1 localhost\n"
    return text if text.endswith("\n") else f"{text}\n"
