"""Pools of EKS: the laws over moto, whose node groups are given the autoscaling groups that EKS would make."""

from __future__ import annotations

import json
import threading
import uuid

import pytest

from gpudev_aws.scaling import AwsScaling
from gpudev_sdk.errors import Conflict, MissingAbility, NotFound, TryLater, Unworkable
from gpudev_sdk.kube.settings import TypeSettings
from gpudev_sdk.providers import Context
from gpudev_sdk.testing import ScalingContract

ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running"]}


class Scaling(AwsScaling):
    def __init__(self, settings, context, session):
        self.session, self._aws, self._install = session, settings, context.install_id


class Cluster:
    """An EKS cluster of moto's."""

    def __init__(self, hand):
        self.name, self._hand = f"c-{uuid.uuid4().hex[:8]}", hand
        self._role = "arn:aws:iam::123456789012:role/cluster"
        self._subnets = [each["SubnetId"] for each in hand("ec2").describe_subnets()["Subnets"]][:2]
        network = {"subnetIds": self._subnets}
        hand("eks").create_cluster(name=self.name, roleArn=self._role, resourcesVpcConfig=network)

    def add(self, name, *, kind="p5.48xlarge", sizes=(1, 2, 4), **more):
        """Make a node group, with its autoscaling group and machines."""
        least, wanted, most = sizes
        scaling = {"minSize": least, "maxSize": most, "desiredSize": wanted}
        asked = {"clusterName": self.name, "nodegroupName": name, "subnets": self._subnets, "nodeRole": self._role}
        made = self._hand("eks").create_nodegroup(**asked, scalingConfig=scaling, instanceTypes=[kind], **more)
        group = made["nodegroup"]["resources"]["autoScalingGroups"][0]["name"]
        image = self._hand("ec2").describe_images(Owners=["self"])["Images"]
        image = image or [self._hand("ec2").register_image(Name=uuid.uuid4().hex, RootDeviceName="/dev/xvda")]
        launch = {"LaunchConfigurationName": group, "ImageId": image[0]["ImageId"], "InstanceType": kind}
        self._hand("autoscaling").create_launch_configuration(**launch)
        self._hand("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=group,
            LaunchConfigurationName=group,
            MinSize=least,
            MaxSize=most,
            DesiredCapacity=wanted,
            VPCZoneIdentifier=",".join(self._subnets),
            Tags=[{"Key": "eks:cluster-name", "Value": self.name, "PropagateAtLaunch": True}],
        )
        return group

    def group_of(self, pool):
        described = self._hand("eks").describe_nodegroup(clusterName=self.name, nodegroupName=pool)["nodegroup"]
        name = described["resources"]["autoScalingGroups"][0]["name"]
        return self._hand("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
            "AutoScalingGroups"
        ][0]

    def machines(self, pool):
        ids = [each["InstanceId"] for each in self.group_of(pool)["Instances"]]
        filters = [{"Name": "instance-id", "Values": ids}, ALIVE]
        found = self._hand("ec2").describe_instances(Filters=filters)["Reservations"] if ids else []
        return [each["PrivateDnsName"] for reservation in found for each in reservation["Instances"]]

    def set(self, pool, wanted):
        """Do what EKS does with a number."""
        group = self.group_of(pool)["AutoScalingGroupName"]
        self._hand("autoscaling").set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=wanted)


@pytest.fixture
def cluster(hand):
    return Cluster(hand)


RESERVED = """<DescribeCapacityReservationsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
<requestId>r</requestId><capacityReservationSet>%s</capacityReservationSet></DescribeCapacityReservationsResponse>"""


def reserved(number, zone="us-east-1a", state="active", free=1):
    parts = {
        "capacityReservationId": f"cr-{number}",
        "instanceType": "p5.48xlarge",
        "availabilityZone": zone,
        "totalInstanceCount": 4,
        "availableInstanceCount": free,
        "state": state,
        "endDate": "2026-12-01T00:00:00.000Z",
    }
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in parts.items()) + "</item>"


@pytest.fixture
def booked():
    """What EC2 has reserved."""
    return [reserved(2), reserved(1, state="scheduled", free=0), reserved(3, state="expired")]


@pytest.fixture
def make(build, cluster, interfere, booked):
    """Return what builds a compute's scaling over an EKS that acts, and an EC2 that knows of reservations."""

    def scaling(context, **changes):
        made = build(Scaling, context, **({"cluster": cluster.name, "pools": ["gpus"]} | changes))

        def act(request):
            pool = request.url.rpartition("/node-groups/")[2].partition("/")[0]
            asked = json.loads(request.body)["scalingConfig"]
            assert set(asked) == {"desiredSize"}
            cluster.set(pool, asked["desiredSize"])

        interfere(made.session.client("eks"), "eks.UpdateNodegroupConfig", act)
        interfere(
            made.session.client("ec2"),
            "ec2.DescribeCapacityReservations",
            lambda request: (200, (RESERVED % "".join(booked)).encode()),
        )
        return made

    return scaling


@pytest.fixture
def scaling(make, cluster, context):
    cluster.add("gpus")
    return make(context)


class TestLaws(ScalingContract):
    @pytest.fixture
    def scaling(self, make, cluster, context):
        cluster.add("gpus")
        cluster.add("cpus", kind="t3.micro", tags={"gpudev:install": str(context.install_id)})
        self.cluster = cluster
        return make(context)

    def machines(self, pool):
        return self.cluster.machines(pool.name)


def test_a_pool_says_what_a_node_of_it_brings(make, cluster, context):
    cluster.add("gpus", capacityType="SPOT")
    cluster.add("cpus", kind="t3.micro", sizes=(0, 1, 2))
    cpus, gpus = make(context, pools=["gpus", "cpus"]).node_pools()

    assert (gpus.name, gpus.machine_type, gpus.gpu_type, gpus.gpus_per_node) == ("gpus", "p5.48xlarge", "h100", 8)
    assert (gpus.wanted, gpus.minimum, gpus.maximum, gpus.spot) == (2, 1, 4, True)
    assert (cpus.gpu_type, cpus.gpus_per_node, cpus.spot) == (None, 0, False)
    assert set(cpus.zones) <= {"us-east-1a", "us-east-1b"}


def test_a_pool_is_named_as_its_nodes_will_be_listed(make, cluster, context):
    cluster.add("gpus", labels={"gpu.dev/kind": "fast"})
    (pool,) = make(context, types={"fast": TypeSettings(labels={"gpu.dev/kind": "fast"})}).node_pools()

    assert pool.gpu_type == "fast"


def test_a_pool_that_is_not_named_and_has_not_our_tag_is_left_alone(make, cluster, context, other_context):
    cluster.add("theirs", tags={"gpudev:install": str(other_context.install_id)})
    cluster.add("gpus")
    ours = make(context)
    before = cluster.group_of("theirs")
    node = cluster.machines("theirs")[0]

    assert [pool.name for pool in ours.node_pools()] == ["gpus"]
    for call in (lambda: ours.grow("theirs", 3), lambda: ours.remove_node("theirs", node)):
        with pytest.raises(NotFound):
            call()
    assert cluster.group_of("theirs")["DesiredCapacity"] == before["DesiredCapacity"]
    assert [pool.name for pool in make(other_context, pools=[]).node_pools()] == ["theirs"]


@pytest.fixture
def other_context(tmp_path):
    return Context(install_id=uuid.uuid4(), name="aws", data_folder=tmp_path)


def test_a_machine_of_another_pool_is_not_removed(scaling, cluster):
    cluster.add("others")
    node = cluster.machines("others")[0]

    with pytest.raises(NotFound, match="not in the pool"):
        scaling.remove_node("gpus", node)
    assert len(cluster.machines("gpus")) == len(cluster.machines("others")) == 2


def test_a_machine_is_also_known_by_its_id_and_one_that_never_was_is_gone(scaling, cluster):
    instance = cluster.group_of("gpus")["Instances"][0]["InstanceId"]
    scaling.remove_node("gpus", "ip-10-9-9-9.ec2.internal")
    scaling.remove_node("gpus", "i-00000000000000000")
    assert len(cluster.machines("gpus")) == 2

    scaling.remove_node("gpus", instance)

    assert instance not in {each["InstanceId"] for each in cluster.group_of("gpus")["Instances"]}


def test_a_machine_that_ends_already_is_not_ended_again(scaling, cluster, interfere):
    """Each end asks for one fewer."""
    node = cluster.machines("gpus")[0]
    group = cluster.group_of("gpus")
    interfere(scaling.session.client("autoscaling"), "autoscaling.DescribeAutoScalingGroups", _ending(group))
    asked = []
    interfere(scaling.session.client("autoscaling", tries=1), "autoscaling", lambda request: asked.append(request))

    scaling.remove_node("gpus", node)

    assert asked == []
    assert cluster.group_of("gpus")["DesiredCapacity"] == 2


def _ending(group):
    """Return an answer in which all machines of a group end."""
    items = "".join(
        f"<member><InstanceId>{each['InstanceId']}</InstanceId><AvailabilityZone>us-east-1a</AvailabilityZone>"
        "<LifecycleState>Terminating:Wait</LifecycleState><HealthStatus>Healthy</HealthStatus></member>"
        for each in group["Instances"]
    )
    body = f"""<DescribeAutoScalingGroupsResponse xmlns="http://autoscaling.amazonaws.com/doc/2011-01-01/">
    <DescribeAutoScalingGroupsResult><AutoScalingGroups><member>
    <AutoScalingGroupName>{group["AutoScalingGroupName"]}</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>4</MaxSize>
    <DesiredCapacity>2</DesiredCapacity><AvailabilityZones><member>us-east-1a</member></AvailabilityZones>
    <Instances>{items}</Instances></member></AutoScalingGroups></DescribeAutoScalingGroupsResult>
    <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></DescribeAutoScalingGroupsResponse>"""
    return lambda request: (200, body.encode())


def refusing(message):
    body = f"<ErrorResponse><Error><Code>ValidationError</Code><Message>{message}</Message></Error></ErrorResponse>"
    return lambda request: (400, body.encode())


@pytest.mark.parametrize(
    ("message", "raised"),
    [
        ("Terminating instance without replacement will violate group's min size constraint.", Conflict),
        ("Instance Id not found - No managed instance found for instance ID: i-0abc", None),
        ("Instance i-0abc is protected from termination.", Unworkable),
    ],
)
def test_what_changed_meanwhile_is_read_out_of_the_answer(scaling, cluster, interfere, message, raised):
    client = scaling.session.client("autoscaling", tries=1)
    interfere(client, "autoscaling.TerminateInstanceInAutoScalingGroup", refusing(message))
    node = cluster.machines("gpus")[0]

    if raised is None:
        scaling.remove_node("gpus", node)
    else:
        with pytest.raises(raised):
            scaling.remove_node("gpus", node)


def test_an_end_that_was_not_answered_is_not_asked_for_by_itself_again(scaling, cluster, interfere):
    asked = []

    def broken(request):
        asked.append(request)
        return 500, b"<ErrorResponse><Error><Code>InternalFailure</Code></Error></ErrorResponse>"

    interfere(scaling.session.client("autoscaling", tries=1), "autoscaling.TerminateInstanceInAutoScalingGroup", broken)

    with pytest.raises(TryLater):
        scaling.remove_node("gpus", cluster.machines("gpus")[0])
    assert len(asked) == 1


def test_a_pool_that_eks_changes_already_is_grown_later(scaling, interfere):
    busy = {"content-type": "application/json", "x-amzn-errortype": "ResourceInUseException"}
    answer = (409, b'{"message": "Nodegroup cannot be updated now"}', busy)
    interfere(scaling.session.client("eks"), "eks.UpdateNodegroupConfig", lambda request: answer)

    with pytest.raises(TryLater, match="already"):
        scaling.grow("gpus", 3)


@pytest.fixture
def showing(scaling, cluster, hand, interfere):
    """Return what has EKS show its node group with changes."""

    def show(**changes):
        group = hand("eks").describe_nodegroup(clusterName=cluster.name, nodegroupName="gpus")["nodegroup"] | changes
        body = json.dumps({"nodegroup": group}, default=lambda time: time.timestamp()).encode()
        answer = (200, body, {"content-type": "application/json"})
        interfere(scaling.session.client("eks"), "eks.DescribeNodegroup", lambda request: answer)

    return show


def test_what_eks_is_about_to_reach_is_not_asked_for_again(scaling, cluster, showing, interfere):
    asked = []
    showing(status="UPDATING", scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 3})
    interfere(scaling.session.client("eks"), "eks", lambda request: asked.append(request.method))

    scaling.grow("gpus", 3)

    assert "POST" not in asked
    assert scaling.node_pools()[0].wanted == 2


@pytest.mark.parametrize("status", ["CREATING", "CREATE_FAILED", "DELETING", "DELETE_FAILED"])
def test_a_pool_without_machines_is_none(scaling, showing, status):
    showing(status=status)

    assert scaling.node_pools() == ()
    with pytest.raises(NotFound):
        scaling.grow("gpus", 3)


def test_the_type_may_be_said_by_a_launch_template(scaling, showing, hand):
    made = hand("ec2").create_launch_template(
        LaunchTemplateName=uuid.uuid4().hex, LaunchTemplateData={"InstanceType": "p4d.24xlarge"}
    )
    template = {"id": made["LaunchTemplate"]["LaunchTemplateId"], "version": "1"}
    showing(instanceTypes=None, launchTemplate=template)

    (pool,) = scaling.node_pools()

    assert (pool.machine_type, pool.gpu_type, pool.gpus_per_node) == ("p4d.24xlarge", "a100", 8)


def test_a_label_of_ours_names_the_type(scaling, showing):
    showing(labels={"gpudev.io/gpu-type": "H100-Fast"})

    assert scaling.node_pools()[0].gpu_type == "h100-fast"


def test_two_who_grow_at_once_take_turns_and_nobody_makes_it_less(scaling, cluster, interfere):
    """Each looks what is asked for and then asks for more; in between the other may not."""
    inside, most = [], []

    def slow(request):
        inside.append(request)
        most.append(len(inside))
        threading.Event().wait(0.05)
        inside.pop()

    interfere(scaling.session.client("autoscaling"), "autoscaling.DescribeAutoScalingGroups", slow)
    both = [threading.Thread(target=scaling.grow, args=("gpus", wanted)) for wanted in (4, 3)]
    for each in both:
        each.start()
    for each in both:
        each.join()

    assert max(most) == 1
    assert cluster.group_of("gpus")["DesiredCapacity"] == 4


def test_a_list_of_which_one_pool_is_not_seen_is_an_error(scaling, cluster, hand):
    group = cluster.group_of("gpus")["AutoScalingGroupName"]
    hand("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)

    with pytest.raises(TryLater, match="is not seen"):
        scaling.node_pools()


def test_a_reservation_says_where_it_is_and_how_much_of_it_is_free(scaling):
    first, second = scaling.capacity_reservations()

    assert (first.id, first.state, first.available) == ("cr-1", "scheduled", 0)
    assert (second.id, second.machine_type, second.zone) == ("cr-2", "p5.48xlarge", "us-east-1a")
    assert (second.total, second.available, second.ends_at.year) == (4, 1, 2026)


def test_a_reservation_elsewhere_is_left_out(scaling, booked):
    booked[:] = [reserved(1), reserved(2, zone="us-east-1f")]

    assert [each.id for each in scaling.capacity_reservations()] == ["cr-1"]


def test_without_the_name_of_a_cluster_it_is_said_what_to_set(build, context):
    with pytest.raises(MissingAbility) as raised:
        build(Scaling, context).node_pools()
    assert "`cluster`" in raised.value.hint
