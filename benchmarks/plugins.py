"""What each plugin costs beside its vendor's library alone, until its storage can be asked: time and memory. `make bench`."""

from __future__ import annotations

import statistics
import subprocess
import sys

from measure import line

RUNS = 5
_MEASURE = """
import resource, sys, time
began = time.process_time()
{code}
print(time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
_CONTEXT = "Context(install_id=uuid.UUID(int=1), name='b', data_folder=pathlib.Path('/tmp'))"
#: The vendor's library with the one client that disks need, and our storage with that client made.
PAIRS = {
    "gpudev-aws": (
        "import boto3; boto3.client('ec2', region_name='us-east-1')",
        "import pathlib, uuid\nfrom gpudev_sdk.providers import Context\nfrom gpudev_aws.settings import AwsSettings\n"
        "from gpudev_aws.storage import AwsStorage\n"
        f"AwsStorage(AwsSettings(region='us-east-1'), {_CONTEXT}).session.client('ec2')",
    ),
    "gpudev-gcp": (
        "from google.cloud import compute_v1\nfrom google.auth.credentials import AnonymousCredentials\n"
        "compute_v1.DisksClient(credentials=AnonymousCredentials())",
        "import pathlib, uuid\nfrom gpudev_sdk.providers import Context\nfrom gpudev_gcp.settings import GcpSettings\n"
        "from gpudev_gcp.storage import GcpStorage\n"
        f"GcpStorage(GcpSettings(project='lab-project', endpoint='http://127.0.0.1:1'), {_CONTEXT})._session.disks",
    ),
}
#: What naming a plugin costs, when nothing of it is used yet.
NAMED = "from gpudev_sdk import plugins\nplugins.load('{name}')"


def cost(code: str) -> tuple[float, float]:
    """Return the CPU seconds and the megabytes of a fresh interpreter that runs it: the middle of some runs."""
    found = []
    for _ in range(RUNS):
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE.format(code=code)], capture_output=True, text=True, check=True
        )
        seconds, megabytes = map(float, done.stdout.split()[-2:])
        found.append((seconds, megabytes))
    return statistics.median(each for each, _ in found), statistics.median(each for _, each in found)


def main() -> None:
    """Print the figures."""
    _, bare = cost("pass")
    for name, (vendor, ours) in PAIRS.items():
        named, named_mb = cost(NAMED.format(name=name.removeprefix("gpudev-")))
        alone, alone_mb = cost(vendor)
        whole, whole_mb = cost(ours)
        line(f"{name}: named only", f"{named:.2f} s, {named_mb - bare:.0f} MB")
        beside = f"the vendor's library and client alone {alone:.2f} s, {alone_mb - bare:.0f} MB"
        line(f"{name}: its storage, ready to ask", f"{whole:.2f} s, {whole_mb - bare:.0f} MB", beside)


if __name__ == "__main__":
    main()
