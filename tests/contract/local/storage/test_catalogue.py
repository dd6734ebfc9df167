"""What a machine says it offers, and the settings that change it."""

from __future__ import annotations

import os
import re

import pynvml
import pytest

from gpudev_sdk.domain.gpu import Slot
from gpudev_sdk.domain.names import LABEL
from gpudev_sdk.errors import TryLater
from gpudev_sdk.local import catalogue, gpus
from gpudev_sdk.local.gpus import Gpu
from gpudev_sdk.local.settings import LocalSettings

H100 = "NVIDIA H100 80GB HBM3"


def gpu(index, product=H100, **fields):
    return Gpu(**({"index": index, "uuid": f"GPU-{index}", "minor": index, "product": product, "memory_bytes": 85 * 2**30}
                  | fields))  # fmt: skip


@pytest.fixture
def machine(monkeypatch):
    """Return a function that says which GPUs this machine has; there are none where the tests run."""
    return lambda *found: monkeypatch.setattr(catalogue, "find_gpus", lambda: found)


def slots(settings=None, ours=lambda pid: False):
    (node,) = catalogue.nodes(settings or LocalSettings(), ours)
    return node.slots


def test_a_machine_always_offers_cpu(machine):
    machine()

    (cpu,) = catalogue.gpu_types(LocalSettings(cpu_slots=3))

    assert (cpu.name, cpu.gpus_per_node, cpu.slots_per_node) == ("cpu", 0, 3)
    assert [slot.index for slot in slots(LocalSettings(cpu_slots=3))] == [0, 1, 2]


def test_there_are_at_least_two_cpu_places(machine):
    machine()

    assert len(slots()) == max(2, len(os.sched_getaffinity(0)))


def test_gpus_become_slots_with_their_own_number_and_name(machine):
    machine(gpu(0), gpu(1))

    assert slots()[:2] == (
        Slot(gpu_type="h100", index=0, device="GPU-0"),
        Slot(gpu_type="h100", index=1, device="GPU-1"),
    )
    assert catalogue.gpu_types(LocalSettings())[0].description == "NVIDIA H100 80GB HBM3, 85 GiB"


def test_gpus_that_are_not_named_stay_out_of_the_pool(machine):
    machine(gpu(0), gpu(1), gpu(2))

    settings = LocalSettings(gpus=[1])

    assert [slot.device for slot in slots(settings) if slot.gpu_type == "h100"] == ["GPU-1"]
    assert catalogue.gpu_types(settings)[0].gpus_per_node == 1


def test_different_products_are_different_types(machine):
    machine(gpu(0), gpu(1, "NVIDIA GeForce RTX 4090"))

    assert [kind.name for kind in catalogue.gpu_types(LocalSettings())] == ["h100", "rtx-4090", "cpu"]


def test_a_gpu_that_a_stranger_computes_on_is_busy_outside(machine):
    machine(gpu(0, pids=(os.getpid(),)))

    busy = slots()[0].busy_outside

    assert re.fullmatch(rf".+, {os.getpid()}", busy)


def test_a_gpu_that_our_own_box_computes_on_is_not_busy_outside(machine):
    machine(gpu(0, pids=(os.getpid(),)))

    assert slots(ours=lambda pid: pid == os.getpid())[0].busy_outside is None


def test_a_gpu_split_by_mig_is_shown_and_not_placed_on(machine):
    machine(gpu(0, trouble="split by MIG"))

    assert slots()[0].busy_outside == "split by MIG"


def test_pretended_gpus_say_that_they_are(machine):
    machine()

    h100, _ = catalogue.gpu_types(LocalSettings(pretend="h100:8"))

    assert (h100.name, h100.gpus_per_node, h100.pretended) == ("h100", 8, True)
    assert len([slot for slot in slots(LocalSettings(pretend="h100:8")) if slot.gpu_type == "h100"]) == 8


def test_real_gpus_come_before_pretended_ones_of_that_name(machine):
    machine(gpu(0))

    kinds = catalogue.gpu_types(LocalSettings(pretend="h100:8,a100:2"))

    assert [(kind.name, kind.gpus_per_node, kind.pretended) for kind in kinds[:2]] == [
        ("h100", 1, False),
        ("a100", 2, True),
    ]


@pytest.mark.parametrize(
    ("product", "name"),
    [
        (H100, "h100"),
        ("NVIDIA H100 PCIe", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("NVIDIA RTX 6000 Ada Generation", "rtx-6000-ada"),
        ("Tesla T4", "t4"),
        ("NVIDIA Graphics Device", "gpu"),
        ("X" * 200, "x" * 60),
    ],
)
def test_a_products_name_becomes_what_people_ask_for(product, name):
    assert gpus.type_name(product) == name
    assert LABEL.match(name)


@pytest.mark.parametrize(
    ("host", "name"), [("Lab_Box.Example", "lab_box.example"), ("-", "localhost"), ("Köln 7", "k-ln-7"), ("", None)]
)
def test_a_hosts_name_becomes_a_label(host, name):
    assert LABEL.match(catalogue.node_name(host))
    assert name is None or catalogue.node_name(host) == name


def test_without_a_driver_there_are_no_gpus(monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", raising(pynvml.NVMLError_LibraryNotFound))

    assert gpus.find_gpus() == ()


def test_a_driver_that_does_not_answer_is_unknown_and_not_none(monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlInit", raising(pynvml.NVMLError_LibRmVersionMismatch))

    with pytest.raises(TryLater, match="does not answer"):
        gpus.find_gpus()


def raising(error):
    def call():
        raise error

    return call
