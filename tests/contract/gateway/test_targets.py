"""What a destination may mean, and which endpoints are dialled."""

from __future__ import annotations

import pytest

from gpudev_services.gateway.targets import Target, TcpEndpoint, UnixEndpoint, parse_endpoint, parse_target


@pytest.mark.parametrize(
    ("host", "means"),
    [
        ("work", [Target("work")]),
        ("work.gpudev", [Target("work")]),
        ("work.kim", [Target("work", "kim")]),
        ("work.kim.gpudev", [Target("work", "kim")]),
        ("work.lab", [Target("work"), Target("work", "lab")]),
        ("work.kim.lab.gpudev", [Target("work", "kim")]),
        ("lab", [Target("lab")]),
        ("gpudev", [Target("gpudev")]),
        ("work.kim.other", []),
        ("a.b.c.lab", []),
        ("", []),
        (".gpudev", []),
        ("work.", []),
        ("work.gpudev\n", []),
        ("WORK", []),
        ("work/kim", []),
        ("wörk", []),
        ("127.0.0.1", []),
        ("::1", []),
        ("x" * 41, []),
    ],
)
def test_a_destination_means_boxes_by_name_only(host: str, means: list[Target]) -> None:
    assert list(parse_target(host, 22, "lab")) == means


@pytest.mark.parametrize("port", [0, 21, 23, 2222, 4294967295])
def test_only_the_ssh_port_of_a_box_is_reached(port: int) -> None:
    assert parse_target("work", port, "lab") == ()


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("unix:/run/gpudev/box.sock", UnixEndpoint("/run/gpudev/box.sock")),
        ("tcp:10.1.2.3:2222", TcpEndpoint("10.1.2.3", 2222)),
        ("tcp:box-1.ns.svc:22", TcpEndpoint("box-1.ns.svc", 22)),
        ("tcp:fd00::1:22", TcpEndpoint("fd00::1", 22)),
        ("", None),
        ("unix:", None),
        ("unix:box.sock", None),
        ("unix:/" + "x" * 107, None),
        ("unix:/a\0b", None),
        ("tcp:host:0", None),
        ("tcp:host:65536", None),
        ("tcp:host:22\n", None),
        ("tcp::22", None),
        ("http://host:22", None),
    ],
)
def test_an_endpoint_is_a_socket_or_an_address(text: str, endpoint: object) -> None:
    assert parse_endpoint(text) == endpoint
