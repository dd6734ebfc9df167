"""What a node's GPU is called, by the labels that each cloud sets itself."""

from __future__ import annotations

import pytest

from gpudev_aws.settings import AwsSettings
from gpudev_gcp.settings import GcpSettings
from gpudev_sdk.kube import catalogue
from gpudev_sdk.kube.settings import GPU_PRODUCT, KubeSettings
from tests.unit.kube.objects import node

AWS = AwsSettings(region="us-east-1")
GCP = GcpSettings(project="lab-project")


@pytest.mark.parametrize(
    ("settings", "labels", "named"),
    [
        (AWS, {"karpenter.k8s.aws/instance-gpu-name": "h100"}, "h100"),
        (AWS, {"eks.amazonaws.com/instance-gpu-name": "l40s"}, "l40s"),
        (GCP, {"cloud.google.com/gke-accelerator": "nvidia-h100-80gb"}, "h100"),
        (GCP, {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4", GPU_PRODUCT: "NVIDIA-L4"}, "l4"),
        (KubeSettings(), {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}, "gpu"),
        (KubeSettings(product_labels=["lab/gpu"]), {"lab/gpu": "NVIDIA A100"}, "a100"),
    ],
)
def test_a_gpu_is_named_by_the_label_that_its_cloud_sets(settings, labels, named):
    machine = node(labels=labels, gpus=8)

    assert [kind.name for kind in catalogue.gpu_types(catalogue.offers(settings, [machine]))] == [named]
