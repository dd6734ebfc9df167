"""Boxes on EKS: the public laws over a fake API server and moto's EC2, and how the cluster is reached."""

from __future__ import annotations

import base64
import json
import uuid
from urllib.parse import parse_qs, urlsplit

import attrs
import pytest

from gpudev_aws import cluster, instances
from gpudev_aws.calls import Calls
from gpudev_aws.compute import AwsCompute
from gpudev_sdk.domain.gpu import Instance
from gpudev_sdk.errors import NoCapacity, NotFound, TryLater, Unworkable
from gpudev_sdk.providers import Context
from gpudev_sdk.testing import ComputeContract
from tests.unit.kube.bench import ABLE, H100, _new
from tests.unit.kube.fake_api import FakeApi
from tests.unit.kube.fake_cluster import Kubelet
from tests.unit.kube.objects import node

CA = "-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n"


def with_certificate(content: bytes) -> bytes:
    answer = json.loads(content)
    answer["cluster"]["certificateAuthority"] = {"data": base64.b64encode(CA.encode()).decode()}
    return json.dumps(answer).encode()


class FakeCompute(AwsCompute):
    """Reaches the fake instead of EKS."""

    fake: FakeApi

    def connect(self):
        return self.fake.api(self._settings.namespace)


@pytest.fixture
def fake(cloud):
    """A cluster with a node on an instance of EC2's, one like it that is none, and one without GPUs."""
    made = FakeApi()
    own = {"spec": {"providerID": f"aws:///{cloud.zone}/{cloud.instance}"}}
    zone = {"topology.kubernetes.io/zone": cloud.zone}
    pair = (
        node(cloud.node, gpus=4, labels=H100 | zone, status=ABLE, **own),
        node("node-c", gpus=4, labels=H100 | zone),
    )
    for each in (*pair, node("node-b", labels=zone)):
        made.store.create(("nodes", "", each["metadata"]["name"]), _new(each, "Node"))
    made.store.controllers += [Kubelet()]
    yield made
    made.close()


@pytest.fixture
def computes(fake, settings):
    """Return what builds a compute that reaches the fake."""
    built = []

    def build(context):
        built.append(FakeCompute(settings, context))
        built[-1].fake = fake
        return built[-1]

    yield build
    for each in built:
        each._view.stop()
        each.session.close()


class TestCompute(ComputeContract):
    @pytest.fixture
    def compute(self, computes, context):
        return computes(context)

    @pytest.fixture
    def other_compute(self, computes, other_context):
        return computes(other_context)


@pytest.fixture
def eks(hand, weather):
    """A cluster of EKS's, by its name. The certificate that moto says is none."""
    name = f"lab-{uuid.uuid4().hex[:8]}"
    role = "arn:aws:iam::123456789012:role/eks"
    hand("eks").create_cluster(name=name, roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1", "subnet-2"]})
    weather.replace[f"/clusters/{name}"] = with_certificate
    yield name
    hand("eks").delete_cluster(name=name)


@pytest.fixture
def reached(settings, context):
    """Return what builds a compute of a cluster, reached as EKS is."""
    built = []

    def build(name, **changes):
        built.append(AwsCompute(attrs.evolve(settings, cluster=name, **changes), context))
        return built[-1]

    yield build
    for each in built:
        each.session.close()


def token_of(api):
    headers = {}
    api._client.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
    return headers["authorization"].removeprefix("Bearer ")


def address_in(token):
    return base64.urlsafe_b64decode(token.removeprefix("k8s-aws-v1.") + "==").decode()


def test_building_one_asks_nobody(reached, weather):
    reached("nowhere")

    assert weather.calls == []


def test_the_cluster_is_found_by_its_name_with_its_certificate(reached, eks, hand, weather):
    shown = hand("eks").describe_cluster(name=eks)["cluster"]

    configuration = reached(eks).connect()._client.configuration

    assert configuration.host == shown["endpoint"]
    assert configuration.ca_cert_data == CA
    assert weather.calls == [f"/clusters/{eks}"]


def test_the_token_is_a_question_to_sts_that_is_signed_for_this_cluster_alone(reached, eks, weather):
    token = token_of(reached(eks).connect())
    address = urlsplit(address_in(token))
    query = {name: values[0] for name, values in parse_qs(address.query).items()}

    assert token.startswith("k8s-aws-v1.")
    assert "=" not in token
    assert (query["Action"], query["X-Amz-Expires"]) == ("GetCallerIdentity", "60")
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id"
    assert query["X-Amz-Credential"].endswith("/us-east-1/sts/aws4_request")
    assert not [call for call in weather.calls if "GetCallerIdentity" in call]


def test_the_token_asks_the_sts_of_the_region(reached, monkeypatch):
    made = reached("lab", endpoint="")

    assert address_in(cluster.sign(made.session, "lab")).startswith("https://sts.us-east-1.amazonaws.com/?Action=")


def test_tokens_of_two_clusters_differ(reached):
    session = reached("lab").session
    signatures = {
        parse_qs(urlsplit(address_in(cluster.sign(session, name))).query)["X-Amz-Signature"][0]
        for name in ("lab", "other")
    }

    assert len(signatures) == 2


def test_a_token_is_kept_for_twelve_of_its_fifteen_minutes(reached, passing, monkeypatch):
    signed = []
    monkeypatch.setattr(cluster, "sign", lambda session, name: signed.append(name) or f"token-{len(signed)}")
    token = cluster.Token(reached("lab").session, "lab")

    assert token() == token() == "token-1"
    passing(11 * 60)
    assert token() == "token-1"
    passing(2 * 60)
    assert token() == "token-2"


def test_without_credentials_the_call_to_the_cluster_says_so(reached, eks, monkeypatch):
    made = reached(eks)
    api = made.connect()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    made.session.__init__("us-east-1", made._aws.endpoint, 1000.0)

    with pytest.raises(TryLater, match="no credentials for AWS, so we cannot sign in to the cluster"):
        token_of(api)


def test_a_cluster_that_there_is_not_is_said_with_what_to_look_at(reached):
    with pytest.raises(TryLater, match="there is no EKS cluster 'nowhere' in us-east-1") as caught:
        reached("nowhere").gpu_types()

    assert "aws eks list-clusters" in caught.value.hint


def test_a_cluster_that_is_being_made_is_waited_for(reached, eks, weather):
    weather.replace[f"/clusters/{eks}"] = lambda content: content.replace(b'"ACTIVE"', b'"CREATING"')

    with pytest.raises(TryLater, match="it is CREATING"):
        reached(eks).connect()


def test_a_cluster_without_a_certificate_that_can_be_read_is_not_dialled(reached, eks, weather):
    weather.replace[f"/clusters/{eks}"] = lambda content: content.replace(b'"certificateAuthority"', b'"other"')

    with pytest.raises(TryLater, match="no certificate"):
        reached(eks).connect()


def test_an_answer_of_another_kind_is_not_believed(reached, eks, weather):
    weather.replace[f"/clusters/{eks}"] = lambda content: b"<html>Sign in</html>"

    with pytest.raises(TryLater):
        reached(eks).connect()


def test_an_address_that_is_not_https_is_refused(reached, eks, weather):
    weather.replace[f"/clusters/{eks}"] = lambda content: with_certificate(content).replace(b"https://", b"http://")

    with pytest.raises(Unworkable, match="not https"):
        reached(eks).connect()


def test_without_a_cluster_it_is_reached_by_the_kubeconfig(reached, tmp_path, weather):
    with pytest.raises(TryLater, match="no way to the cluster"):
        reached("", kubeconfig=str(tmp_path / "none")).connect()
    assert weather.calls == []


def test_it_describes_where_it_is(computes, context):
    shown = computes(context).describe()

    assert (shown["region"], shown["cluster"], shown["isolation"]) == ("us-east-1", "by the kubeconfig", "pods")


def test_instances_are_as_ec2_sees_them(computes, context, cloud):
    compute = computes(context)
    own = f"aws:///{cloud.zone}/{cloud.instance}"

    listed = {each.id: each for each in compute.list_instances()}

    assert listed[own] == Instance(id=own, type="t3.micro", zone=cloud.zone, state="running")
    assert listed["node-b"] == Instance(id="node-b", type="node", zone=cloud.zone, state="running")


def test_an_instance_that_stops_shows_it_though_its_node_does_not_yet(computes, context, cloud, weather):
    own = f"aws:///{cloud.zone}/{cloud.instance}"
    weather.replace["DescribeInstances"] = lambda content: content.replace(b"<name>running<", b"<name>shutting-down<")

    assert computes(context).get_instance(own).state == "shutting-down"


def test_a_machine_that_is_none_of_the_clusters_is_not_found_though_ec2_has_it(computes, context, cloud, weather):
    with pytest.raises(NotFound):
        computes(context).get_instance(f"aws:///us-east-1z/{cloud.instance}")
    assert weather.count("DescribeInstances") == 0


def test_names_that_two_networks_have_are_told_apart_by_the_clusters_tags(settings, weather):
    item = (
        "<item><instanceId>i-{zone}</instanceId><placement><availabilityZone>us-east-1{zone}</availabilityZone></placement>"
        "<tagSet><item><key>kubernetes.io/cluster/{cluster}</key><value>owned</value></item></tagSet></item>"
    )
    inner = item.format(zone="a", cluster="lab") + item.format(zone="b", cluster="other")
    page = f"<R><requestId>r</requestId><reservationSet><item><instancesSet>{inner}</instancesSet></item></reservationSet></R>"
    weather.replace["DescribeInstances"] = lambda content: page.encode()
    compute = AwsCompute(settings, Context(install_id=uuid.uuid4(), name="aws", data_folder=None))
    calls = Calls(compute.session)

    assert instances.zone_of(calls, "ip-10-0-0-1.ec2.internal", "lab") == "us-east-1a"
    assert instances.zone_of(calls, "ip-10-0-0-1.ec2.internal", "other") == "us-east-1b"
    with pytest.raises(Unworkable, match="several instances are called"):
        instances.zone_of(calls, "ip-10-0-0-1.ec2.internal", "")
    compute.session.close()


def test_a_node_called_by_its_instance_is_found(settings, weather, cloud, make, context):
    calls = make(context)._calls

    assert instances.zone_of(calls, cloud.instance, "") == cloud.zone
    assert instances.zone_of(calls, f"{cloud.instance}.us-east-2.compute.internal", "") == cloud.zone


def test_an_instance_that_was_terminated_has_no_zone_any_more(make, context, cloud):
    (shown,) = cloud.ec2.describe_instances(InstanceIds=[cloud.instance])["Reservations"][0]["Instances"]
    made = cloud.ec2.run_instances(ImageId=shown["ImageId"], MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    assert instances.zone_of(make(context)._calls, made, "")
    cloud.ec2.terminate_instances(InstanceIds=[made])

    with pytest.raises(NoCapacity, match="no instance of the node"):
        instances.zone_of(make(context)._calls, made, "")
