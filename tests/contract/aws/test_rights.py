"""The policy in the documentation allows what is called, and nothing more."""

from __future__ import annotations

import json
import pathlib
import re
import uuid

import attrs

from tests.contract.aws import test_compute

DOCUMENT = pathlib.Path(__file__).parents[3] / "docs" / "plugins" / "aws.md"
# Those of its cluster are used here as well.
fake, computes, eks, reached = test_compute.fake, test_compute.computes, test_compute.eks, test_compute.reached


def allowed() -> set[str]:
    policy = json.loads(re.search(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[1])
    actions = [each["Action"] for each in policy["Statement"]]
    return {name for action in actions for name in ([action] if isinstance(action, str) else action)}


def test_what_is_called_in_a_whole_life_is_what_the_policy_allows(
    storage, spec, volume, snapshot, weather, computes, context, reached, eks
):
    restored = attrs.evolve(spec, volume_id=uuid.uuid4())
    handle = storage.create_volume_from_snapshot(restored, snapshot)
    for look in (storage.list_volumes, storage.list_snapshots, computes(context).list_instances):
        look()
    storage.delete_volume(attrs.evolve(volume, volume_id=restored.volume_id, handle=handle))
    storage.delete_snapshot(snapshot)
    reached(eks).connect()
    called = {"eks:DescribeCluster" if name.startswith("/clusters/") else f"ec2:{name}" for name in weather.calls}

    # Tags are set by the calls that make things; types of instances are asked for where pools grow.
    assert called | {"ec2:CreateTags", "ec2:DescribeInstanceTypes"} == allowed()


def test_every_tag_that_is_set_is_documented(storage, snapshot, cloud, context):
    text = DOCUMENT.read_text()
    made = [*cloud.volumes(context.install_id), *cloud.snapshots(context.install_id)]

    assert all(f"`{tag['Key']}`" in text for each in made for tag in each["Tags"])
