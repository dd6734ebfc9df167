"""What the enforcer of the test cluster makes of NetworkPolicies, packet by packet, beside what their page says."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.machine import policies, policies_read
from tests.cluster.machine.policies import Pod, Scene
from tests.unit.cluster.iptables import Packet, passes

NETWORK, GATEWAY, NOBODY = "10.9.0.0/24", "10.9.0.1", "10.9.0.99"
NAMESPACES = {"lab": {"team": "lab", "fenced": "yes"}, "shop": {"team": "shop"}}
WEB, DATA, BUYER = (
    Pod("lab", "10.9.0.2", {"app": "web"}, {("TCP", "http"): 8080}),
    Pod("lab", "10.9.0.3", {"app": "data", "tier": "deep"}, {("TCP", "http"): 9090, ("UDP", "chat"): 53}),
    Pod("shop", "10.9.0.4", {"app": "web"}),
)
PODS = (WEB, DATA, BUYER)
#: Others' addresses: a private one, the internet, a service of metadata.
OUTSIDE = ("10.1.2.3", "203.0.113.7", "169.254.169.254")


def written(namespace="lab", **spec):
    return {"metadata": {"name": "one", "namespace": namespace}, "spec": {"podSelector": {}} | spec}


def sees(*bodies, pods=PODS):
    """Return what tells whether a packet passes where these policies hold."""
    scene = Scene(pods, NAMESPACES, [policies_read.policy(each) for each in bodies])
    made = policies.chains(scene, NETWORK)
    return lambda source, target, protocol="TCP", port=80, stands=False: passes(
        made, Packet(_address(source), _address(target), protocol, port, stands)
    )


def _address(end):
    return end.address if isinstance(end, Pod) else end


def test_without_a_policy_everybody_speaks_with_everybody():
    passing = sees()

    assert all(passing(a, b) for a in (*PODS, *OUTSIDE) for b in (*PODS, *OUTSIDE))


def test_who_is_selected_is_closed_in_the_directions_that_are_named_and_nobody_else_is():
    passing = sees(written(podSelector={"matchLabels": {"app": "data"}}, policyTypes=["Ingress"]))

    assert not passing(WEB, DATA)
    assert passing(DATA, WEB)
    assert passing(WEB, BUYER)
    assert not sees(written(policyTypes=["Egress"]))(DATA, OUTSIDE[1])


def test_what_answers_or_belongs_to_a_connection_that_stands_passes():
    passing = sees(written(policyTypes=["Ingress", "Egress"]))

    assert passing(WEB, BUYER, stands=True)
    assert not passing(WEB, BUYER)


def test_a_pod_reaches_itself():
    assert sees(written(policyTypes=["Ingress", "Egress"]))(WEB, WEB)


def test_an_address_that_is_not_known_to_be_anybodys_is_closed_both_ways_and_the_nodes_own_is_not():
    passing = sees()

    assert not passing(NOBODY, WEB)
    assert not passing(WEB, NOBODY)
    assert passing(GATEWAY, WEB)
    assert passing(WEB, GATEWAY)


def test_policies_add_up():
    closed, opened = (
        written(policyTypes=["Ingress"]),
        written(ingress=[{"ports": [{"port": 80}]}], policyTypes=["Ingress"]),
    )

    assert sees(closed, opened)(BUYER, WEB, port=80)
    assert not sees(closed, opened)(BUYER, WEB, port=81)


def test_both_ends_have_to_agree():
    out = written("shop", egress=[{"ports": [{"port": 80}, {"port": 81}]}], policyTypes=["Egress"])
    into = written(ingress=[{"ports": [{"port": 81}, {"port": 82}]}], policyTypes=["Ingress"])
    passing = sees(out, into)

    assert [port for port in (80, 81, 82) if passing(BUYER, WEB, port=port)] == [81]


def test_pods_without_a_namespace_are_those_of_the_policys_own():
    web = {"podSelector": {"matchLabels": {"app": "web"}}}
    anywhere = web | {"namespaceSelector": {}}

    assert not sees(written(ingress=[{"from": [web]}]))(BUYER, DATA)
    assert sees(written(ingress=[{"from": [web]}]))(WEB, DATA)
    assert sees(written(ingress=[{"from": [anywhere]}]))(BUYER, DATA)
    assert not sees(written(ingress=[{"from": [anywhere]}]))(DATA, WEB)


def test_a_label_that_lacks_is_in_no_set():
    def named(operator):
        return {"podSelector": {"matchExpressions": [{"key": "tier", "operator": operator, "values": ["deep"]}]}}

    among, not_among = (sees(written(ingress=[{"from": [named(operator)]}])) for operator in ("In", "NotIn"))

    assert (among(WEB, DATA), not_among(WEB, DATA)) == (False, True)
    assert (among(DATA, WEB), not_among(DATA, WEB)) == (True, False)


def test_a_name_of_a_port_is_that_of_the_pod_that_is_dialled():
    into = sees(written(ingress=[{"ports": [{"port": "http"}]}], policyTypes=["Ingress"]))
    out = sees(written("shop", egress=[{"ports": [{"port": "http"}]}], policyTypes=["Egress"]))

    for passing in (into, out):
        assert passing(BUYER, WEB, port=8080)
        assert passing(BUYER, DATA, port=9090)
        assert not passing(BUYER, DATA, port=8080)
    assert not out(BUYER, OUTSIDE[1], port=8080)
    from_data = sees(written(ingress=[{"from": [{"podSelector": {}}], "ports": [{"port": "http"}]}]))
    assert from_data(DATA, WEB, port=8080)
    assert not from_data(DATA, WEB, port=9090)


def test_a_block_reaches_all_but_its_exceptions():
    block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16"]}
    passing = sees(written(egress=[{"to": [{"ipBlock": block}]}], policyTypes=["Egress"]))

    assert [place for place in OUTSIDE if passing(WEB, place)] == ["203.0.113.7"]
    assert not passing(WEB, BUYER)


def test_an_exception_in_an_exception_is_closed_too():
    block = {"cidr": "10.0.0.0/8", "except": ["10.1.2.3/32", "10.1.0.0/16"]}
    passing = sees(written(egress=[{"to": [{"ipBlock": block}]}], policyTypes=["Egress"]))

    assert passing(WEB, BUYER)
    assert not passing(WEB, "10.1.2.3")
    assert not passing(WEB, "10.1.2.2")


def test_a_range_of_ports_ends_with_its_last():
    passing = sees(written(ingress=[{"ports": [{"port": 80, "endPort": 82}]}]))

    assert [port for port in range(78, 85) if passing(BUYER, WEB, port=port)] == [80, 81, 82]


def test_nothing_of_ipv6_becomes_a_rule():
    passing = sees(written(egress=[{"to": [{"ipBlock": {"cidr": "::/0"}}]}], policyTypes=["Egress"]))

    assert not any(passing(WEB, place) for place in OUTSIDE)


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"policyTypes": ["Sideways"]}, "Sideways"),
        ({"priority": 1}, "priority"),
        ({"ingress": [{"unless": []}]}, "unless"),
        ({"ingress": [{"to": []}]}, "to"),
        ({"ingress": [{"from": [{"serviceAccount": "x"}]}]}, "serviceAccount"),
        ({"ingress": [{"from": [{}]}]}, "nobody"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]}, "podSelector"),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "but": []}}]}]}, "but"),
        ({"ingress": [{"ports": [{"port": 1, "name": "x"}]}]}, "name"),
        ({"ingress": [{"ports": [{"protocol": "ICMP"}]}]}, "ICMP"),
        ({"ingress": [{"ports": [{"port": "http", "endPort": 9}]}]}, "endPort"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}}, "Gt"),
        ({"podSelector": {"matchFields": {}}}, "matchFields"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name_and_that_of_the_policy(spec, named):
    with pytest.raises(policies_read.Unsupported, match=f"lab/one.*{named}"):
        policies_read.policy(written(**spec))


def test_a_name_of_a_port_of_addresses_that_are_no_pods_is_refused():
    body = written(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": "http"}]}])

    with pytest.raises(policies_read.Unsupported, match="http"):
        sees(body)


def test_chains_of_pods_that_are_gone_are_removed_and_those_that_lead_are_told_once():
    text = policies.restoring({"CNI-NP": ["-j RETURN"]}, ["CNI-NP", "CNI-NP-IN-10.9.0.2"], ["INPUT"])

    assert text.splitlines() == [
        "*mangle",
        ":CNI-NP - [0:0]",
        ":CNI-NP-IN-10.9.0.2 - [0:0]",
        "-A CNI-NP -j RETURN",
        "-X CNI-NP-IN-10.9.0.2",
        "-I INPUT 1 -j CNI-NP",
        "COMMIT",
    ]


# Any policies of a small world, beside a reading of the page that asks of one packet at a time.

LABELS = st.sampled_from([("app", "web"), ("app", "data"), ("tier", "deep"), ("team", "shop"), ("fenced", "yes")])
EXPRESSIONS = st.one_of(
    st.builds(
        lambda pair, operator: {"key": pair[0], "operator": operator, "values": [pair[1]]},
        LABELS,
        st.sampled_from(["In", "NotIn"]),
    ),
    st.builds(
        lambda pair, operator: {"key": pair[0], "operator": operator},
        LABELS,
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
SELECTORS = st.one_of(
    st.just({}),
    st.builds(lambda pair: {"matchLabels": dict([pair])}, LABELS),
    st.builds(lambda one: {"matchExpressions": [one]}, EXPRESSIONS),
)
BLOCKS = st.builds(
    lambda cidr, holes: {"ipBlock": {"cidr": cidr, "except": holes}},
    st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "::/0"]),
    st.lists(st.sampled_from(["10.9.0.0/24", "10.1.0.0/16", "10.9.0.3/32"]), max_size=2),
).map(lambda peer: peer if ":" not in peer["ipBlock"]["cidr"] else {"ipBlock": {"cidr": "::/0"}})
PEERS = st.one_of(
    BLOCKS,
    st.builds(lambda one: {"podSelector": one}, SELECTORS),
    st.builds(lambda one: {"namespaceSelector": one}, SELECTORS),
    st.builds(lambda one, two: {"podSelector": one, "namespaceSelector": two}, SELECTORS, SELECTORS),
)
PORTS = st.sampled_from(
    [{"port": 80}, {"protocol": "UDP"}, {"port": 79, "endPort": 81}, {"protocol": "UDP", "port": 53}, {"port": 53}]
)


def rules(peers):
    return st.lists(
        st.fixed_dictionaries(
            {}, optional={peers: st.lists(PEERS, max_size=2), "ports": st.lists(PORTS, min_size=1, max_size=2)}
        ),
        max_size=2,
    )


POLICIES = st.builds(
    lambda namespace, **spec: written(namespace, **spec),
    st.sampled_from([*NAMESPACES]),
    podSelector=SELECTORS,
    ingress=rules("from"),
    egress=rules("to"),
    policyTypes=st.lists(st.sampled_from(["Ingress", "Egress"]), min_size=1, unique=True),
)


@given(
    st.lists(POLICIES, max_size=3),
    st.sampled_from([*PODS, *OUTSIDE]),
    st.sampled_from([*PODS, *OUTSIDE]),
    st.sampled_from(["TCP", "UDP"]),
    st.sampled_from([53, 80, 82]),
)
def test_a_packet_passes_where_the_page_lets_it(bodies, source, target, protocol, port):
    assert sees(*bodies)(source, target, protocol, port) == lawful(bodies, source, target, protocol, port)


def lawful(bodies, source, target, protocol, port):
    """Tell what the page says: each end that is a pod lets it pass if nothing isolates it, or something lets it."""
    if source == target:
        return True

    def lets(pod, other, direction, key, peers):
        isolating = [
            body
            for body in bodies
            if isinstance(pod, Pod)
            and body["metadata"]["namespace"] == pod.namespace
            and meant(body["spec"]["podSelector"], pod.labels)
            and direction in body["spec"]["policyTypes"]
        ]
        return not isolating or any(
            (not rule.get(peers) or any(is_peer(each, other, pod.namespace) for each in rule[peers]))
            and (not rule.get("ports") or any(is_port(each, protocol, port) for each in rule["ports"]))
            for body in isolating
            for rule in body["spec"][key]
        )

    return lets(source, target, "Egress", "egress", "to") and lets(target, source, "Ingress", "ingress", "from")


def meant(selector, labels):
    for each in selector.get("matchExpressions", ()):
        among = labels.get(each["key"]) in each.get("values", ())
        there = each["key"] in labels
        if not {"In": among, "NotIn": not among, "Exists": there, "DoesNotExist": not there}[each["operator"]]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer, other, namespace):
    if "ipBlock" in peer:
        nets = [ipaddress.ip_network(net) for net in (peer["ipBlock"]["cidr"], *peer["ipBlock"].get("except", ()))]
        address = ipaddress.ip_address(_address(other))
        return address in nets[0] and not any(address in net for net in nets[1:])
    if not isinstance(other, Pod):
        return False
    there = other.namespace == namespace
    if "namespaceSelector" in peer:
        there = meant(peer["namespaceSelector"], NAMESPACES[other.namespace])
    return there and meant(peer.get("podSelector", {}), other.labels)


def is_port(one, protocol, port):
    if one.get("protocol", "TCP") != protocol:
        return False
    return "port" not in one or one["port"] <= port <= one.get("endPort", one["port"])
