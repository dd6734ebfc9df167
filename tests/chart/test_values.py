"""The values are those of the schema, each does something, and what is wrong is refused by name."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from tests.chart.rendering import CHART, SHAPES, helm, one, refusal, render, text, values_of

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
#: What to say of values whose own kind does not tell another lawful one.
OTHERS = {
    "config.logins": {"corp": {"provider": "kind", "kind": {"cluster": "lab"}}},
    "config.backends": {"lab": {"compute": "kube", "storage": "kube"}},
    "config.limits.max_hours_by_type": {"cpu": 48},
    "gpuTypes": {"t4": {"slots_per_node": 2}},
    "plugins.packages": ["gpudev-other==1.0"],
    "plugins.indexUrl": "https://index.example.org/simple",
    "storage.classes": {"other": {"provisioner": "other.example.org"}},
    "devServer.profiles": ["profiling"],
    "cloudProvider.aws": {"region": "us-west-2"},
    "cloudProvider.gcp": {"projectId": "other-lab-1"},
    "networkPolicies.closedNetworks": ["100.64.0.0/10"],
    "networkPolicies.extraEgress": {"api": [{"ports": [{"port": 8200, "protocol": "TCP"}]}]},
    "sshGateway.address": "other.example.org:22",
    "apiService.publicOrigin": "https://other.example.org",
    "apiService.route.parentRefs": [{"name": "other"}],
    "registry.ghcr.upstream": "https://other.example.org",
    "registry.dockerhub.upstream": "https://other.example.org",
}
#: Where one of them shows, beside the shape in which everything is on.
ELSEWHERE = ("kind", "external-database", "cloudnative-pg", "aws", "gcp")


def leaves(values, path=()):
    """Every value that has no values with names of the schema's own below it."""
    if isinstance(values, dict) and values and _has_names(path):
        for key, below in values.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, values


def _has_names(path):
    return bool(schema_of(path).get("properties"))


def schema_of(path):
    """The part of the schema that says what may stand there."""
    found = SCHEMA
    for key in path:
        found = found["properties"][key]
        if "$ref" in found:
            found = {**SCHEMA["$defs"][found["$ref"].rpartition("/")[2]], **found}
    return found


def another(path, value):
    """A lawful value that is not the one that stands there."""
    schema, name = schema_of(path), ".".join(path)
    if name in OTHERS:
        return OTHERS[name]
    if "enum" in schema:
        return next(each for each in schema["enum"] if each != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return _other_text(path, schema, value)


def _other_text(path, schema, value):
    if isinstance(value, str):
        if schema.get("$ref", "").endswith("quantity"):
            return "77Gi"
        return f"sha256:{'0' * 64}" if path[-1] == "digest" else "other"
    if isinstance(value, list):
        return (
            [{"key": "other"}]
            if path[-1] == "tolerations"
            else ([7] if value and isinstance(value[0], int) else ["other"])
        )
    if path[-1] in ("requests", "limits"):
        return {"cpu": "77"}
    return {"nodeAffinity": {}} if path[-1] == "affinity" else {"other": "1"}


def within(path, value):
    for key in reversed(path):
        value = {key: value}
    return value


#: A yes to what is refused without, which a law of its own shows.
YES = ("apiService", "service", "allowPlainHttp")
LEAVES = [(path, value) for path, value in leaves(VALUES) if path != YES]


def test_the_values_file_names_every_value_of_the_schema_and_no_other():
    def names(schema, path=()):
        schema = {**SCHEMA["$defs"].get(schema.get("$ref", "").rpartition("/")[2], {}), **schema}
        for key, below in schema.get("properties", {}).items():
            deeper = list(names(below, (*path, key)))
            yield from deeper or [(*path, key)]

    # What an operator fills in where a cloud has it, and what is fine without.
    open_ones = ("cloudProvider.aws.", "cloudProvider.gcp.", "networkPolicies.extraEgress.")
    wanted = {".".join(path) for path in names(SCHEMA)}
    there = {".".join(path) for path, _ in leaves(VALUES)}
    unfilled = {name for name in wanted if name.startswith(open_ones)}

    assert there - {"cloudProvider.aws", "cloudProvider.gcp", "networkPolicies.extraEgress"} <= wanted
    lacking = wanted - there - unfilled
    assert {name for name in lacking if not name.endswith(("resources.requests", "resources.limits"))} == set()


@pytest.mark.parametrize(("path", "value"), LEAVES, ids=[".".join(path) for path, _ in LEAVES])
def test_every_value_changes_what_is_rendered(path, value, tmp_path):
    given = tmp_path / "values.yaml"
    for name in ("everything", *ELSEWHERE):
        there = yaml.safe_load((CHART / "ci" / f"{name}-values.yaml").read_text(encoding="utf-8"))
        now = _at(there, path, value)
        given.write_text(yaml.safe_dump(within(path, another(path, now))), encoding="utf-8")
        made = helm("template", "gpu-dev", str(CHART), *values_of(name), "--values", str(given))
        if made.returncode != 0 or made.stdout != text(*values_of(name)):
            # A value that is refused here for what others say is read too; one that the schema refuses is this test's mistake.
            assert "specifications of the schema" not in made.stderr
            return
    raise AssertionError(f"{'.'.join(path)} does nothing")


def _at(values, path, default):
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return default
        values = values[key]
    return values


def test_every_value_is_described_and_every_table_is_closed():
    def walk(schema, path):
        for key, below in schema.get("properties", {}).items():
            yield (*path, key), below
            yield from walk(below, (*path, key))

    found = list(walk(SCHEMA, ()))
    assert [path for path, each in found if not each.get("description", "").endswith((".", "`"))] == []
    assert [
        path for path, each in found if "properties" in each and each.get("additionalProperties") is not False
    ] == []
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("nothingWeKnow=1", "additional properties 'nothingWeKnow' not allowed"),
        ("apiService.replica=1", "/apiService"),
        ("apiService.service.annotation=1", "/apiService/service"),
        ("postgres.auth.pasword=x", "/postgres/auth"),
        ("images.services.name=x", "/images/services"),
        ("gpuTypes.h100.gpus=8", "/gpuTypes/h100"),
        ("apiService.replicas=many", "/apiService/replicas"),
        ("apiService.replicas=0", "/apiService/replicas"),
        ("hooks=perhaps", "/hooks"),
        ("postgres.mode=mysql", "/postgres/mode"),
        ("postgres.auth.password=CHANGEME", "/postgres/auth/password"),
        ("postgres.auth.password=change-me", "/postgres/auth/password"),
        ("images.services.tag=latest", "/images/services/tag"),
        ("images.services.digest=sha256:12", "/images/services/digest"),
        ("apiService.service.type=ExternalName", "/apiService/service/type"),
        ("plugins.packages={gpudev-aws}", "/plugins/packages/0"),
        ("plugins.indexUrl=http://index.example.org", "/plugins/indexUrl"),
        ("cloudProvider.name=azure", "/cloudProvider/name"),
        ("registry.ghcr.upstream=http://ghcr.io", "/registry/ghcr/upstream"),
        ("namespaces.workloads=Not_A_Name", "/namespaces/workloads"),
    ],
)
def test_what_no_operator_can_mean_is_refused_by_name(said, where):
    assert where in refusal("--set", said)


def test_every_table_and_list_with_a_default_can_be_cleared():
    clearable = [path for path, value in LEAVES if value and isinstance(value, dict | list)]
    kept = {("imagePrepuller", "command")}
    words = ",".join(f"{'.'.join(path)}=null" for path in clearable if path not in kept)
    things = render(*values_of("everything"), "--set", words)

    assert len(clearable) > 5
    assert "tolerations" not in one(things, "DaemonSet", "gpu-dev-device-plugin")["spec"]["template"]["spec"]
    assert "grafana_dashboard" not in one(things, "ConfigMap", "gpu-dev-dashboards")["metadata"]["labels"]


@pytest.mark.parametrize("name", SHAPES)
def test_a_place_that_was_said_can_be_taken_back(name):
    chosen = copy.deepcopy(values_of(name))
    placed = (*chosen, "--set", "apiService.nodeSelector.pool=cpu")

    assert "nodeSelector" in one(render(*placed), "Deployment", "gpu-dev-api")["spec"]["template"]["spec"]
    assert render(*placed, "--set", "apiService.nodeSelector=null") == render(*chosen)
