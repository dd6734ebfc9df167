"""The commands as people know them, and what they may not do."""

from __future__ import annotations

import re
import shutil

import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    SHAPES,
    component,
    helm,
    identity,
    kinds,
    one,
    pods,
    refusal,
    render,
    shape,
    text,
    values_of,
)

AWS = (
    *("--values", str(CHART / "values-aws.yaml"), "--set", "postgres.auth.password=s3cret-word"),
    *("--set", "cloudProvider.aws.eksClusterName=lab"),
    *("--set", r"apiService.serviceAccount.annotations.eks\.amazonaws\.com/role-arn=arn:aws:iam::123456789012:role/x"),
)
GCP = (
    *("--values", str(CHART / "values-gcp.yaml"), "--set", "postgres.auth.password=s3cret-word"),
    *("--set", "cloudProvider.gcp.gkeClusterName=lab", "--set", "cloudProvider.gcp.projectId=my-lab-123456"),
)
LOCAL = ("--set", "postgres.auth.password=test123", "--set", "nvidia.devicePlugin.enabled=false")


@pytest.mark.parametrize("name", SHAPES)
def test_lint_has_nothing_to_say_of_a_shape(name):
    made = helm("lint", "--strict", str(CHART), *values_of(name))

    assert made.returncode == 0, made.stdout
    assert "[WARNING]" not in made.stdout + made.stderr
    assert "[ERROR]" not in made.stdout + made.stderr


@pytest.mark.parametrize("words", [AWS, GCP, LOCAL, ("--values", str(CHART / "values-aws.yaml"))])
def test_an_install_as_people_type_it_renders_without_a_word(words):
    # `helm install --dry-run` renders the same, and wants a cluster to look at first.
    made = helm("template", "gpu-dev", str(CHART), "--debug", *words)

    assert made.returncode == 0, made.stderr
    assert "warning" not in made.stderr.lower()
    assert "kind: Deployment" in made.stdout


@pytest.mark.parametrize(("words", "said"), [(AWS, 'cluster = "lab"'), (GCP, 'cluster_location = "us-central1"')])
def test_the_words_of_a_cloud_reach_its_plugin(words, said):
    config = one(render(*words), "ConfigMap", "gpu-dev-config")["data"]["config.toml"]

    assert said in config
    assert "s3cret-word" not in config


@pytest.mark.parametrize("name", SHAPES)
def test_rendered_twice_it_is_the_same(name):
    again = helm("template", "gpu-dev", str(CHART), *values_of(name))

    assert again.stdout == text(*values_of(name))


@pytest.mark.parametrize("name", SHAPES)
def test_two_releases_in_one_cluster_share_nothing(name):
    own = ("--set", "namespaces.create=false")
    mine, theirs = (render(*values_of(name), *own, release=release) for release in ("one", "two"))

    assert {identity(thing) for thing in mine} & {identity(thing) for thing in theirs} == set()


def test_two_releases_of_one_name_in_namespaces_of_their_own_share_nothing():
    spaces = "namespaces.controlplane={0}-a,namespaces.workloads={0}-b,namespaces.privileged={0}-c"
    both = [render(*values_of("everything"), "--set", spaces.format(name)) for name in ("one", "two")]

    assert {identity(thing) for thing in both[0]} & {identity(thing) for thing in both[1]} == set()


def test_the_namespaces_have_the_names_people_know_and_their_pod_security():
    found = {each["metadata"]["name"]: each["metadata"] for each in kinds(shape("default"), "Namespace")}
    enforced = {name: each["labels"]["pod-security.kubernetes.io/enforce"] for name, each in found.items()}

    assert enforced == {"gpu-controlplane": "restricted", "gpu-dev": "restricted"}
    assert {each["annotations"]["helm.sh/resource-policy"] for each in found.values()} == {"keep"}


def test_a_namespace_is_never_deleted_to_be_made_again():
    policies = {
        each["metadata"]["annotations"]["helm.sh/hook-delete-policy"] for each in kinds(shape("aws"), "Namespace")
    }

    assert policies == {"hook-failed"}


def test_boxes_that_may_be_root_need_a_namespace_that_lets_them():
    levels = {}
    for profile in ("root", "profiling"):
        things = render("--set", f"devServer.profiles={{{profile}}}")
        labels = one(things, "Namespace", "gpu-dev")["metadata"]["labels"]
        levels[profile] = labels["pod-security.kubernetes.io/enforce"]

    assert levels == {"root": "baseline", "profiling": "privileged"}


def test_without_hooks_nothing_is_one_and_a_changed_job_is_another():
    plain = shape("no-hooks")
    changed = render(*values_of("no-hooks"), "--set", "images.services.tag=9.9.9")
    jobs = [{each["metadata"]["name"] for each in kinds(things, "Job")} for things in (plain, changed)]

    hooked = [each for each in plain if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    assert {each["metadata"]["annotations"]["helm.sh/hook"] for each in hooked} == {"test"}
    assert jobs[0] & jobs[1] == set()
    assert len(jobs[0]) == 2


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("migrate", "migration.podAnnotations.a=b"),
        ("migrate", "migration.waitSeconds=7"),
        ("migrate", "config.limits.max_hours=12"),
        ("migrate", "secrets.revision=2"),
        ("first-secrets", "firstSecrets.podAnnotations.a=b"),
        ("first-secrets", "apiService.tls.selfSigned=false"),
        ("first-secrets", "secrets.revision=2"),
    ],
)
def test_an_ordinary_job_that_is_another_has_another_name(part, words):
    def jobs(*words):
        found = kinds(render(*values_of("no-hooks"), *words), "Job")
        return {each["metadata"]["name"] for each in found if component(each) == part}

    assert jobs() & jobs("--set", words) == set()


@pytest.mark.parametrize("name", SHAPES)
def test_what_pods_wait_for_is_there_beside_them_and_once_more_after_them(name):
    """`helm install --wait` comes to the hooks after an install only when its pods are ready."""
    migrating = [each for each in kinds(shape(name), "Job") if component(each) == "migrate"]
    hooks = [each["metadata"].get("annotations", {}).get("helm.sh/hook") for each in migrating]

    assert sorted(hooks, key=str) == ([None] if name == "no-hooks" else [None, "post-install,post-upgrade"])
    assert all(each["spec"] == migrating[0]["spec"] for each in migrating)


def test_hooks_run_in_order_around_the_rest():
    things = shape("kind")
    order = {
        (each["kind"], each["metadata"]["name"]): each["metadata"]["annotations"]
        for each in things
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    }
    first, migrate = order["Job", "gpu-dev-first-secrets"], order["Job", "gpu-dev-migrate"]
    before = [
        int(order[key]["helm.sh/hook-weight"])
        for key in order
        if key[0] in ("Namespace", "ServiceAccount", "Role", "Secret")
    ]

    assert first["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert migrate["helm.sh/hook"] == "post-install,post-upgrade"
    assert max(before) < int(order["RoleBinding", "gpu-dev-first-secrets"]["helm.sh/hook-weight"])
    assert int(order["RoleBinding", "gpu-dev-first-secrets"]["helm.sh/hook-weight"]) < int(first["helm.sh/hook-weight"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "apiService.service.type=LoadBalancer,apiService.tls.selfSigned=false"), "allowPlainHttp=true"),
        (("--set", "apiService.service.type=NodePort,apiService.tls.selfSigned=false"), "allowPlainHttp=true"),
        (("--set", "apiService.ingress.enabled=true,apiService.ingress.host=a.example.org"), "ingress.tlsSecret"),
        (("--set", "apiService.ingress.enabled=true,apiService.ingress.tlsSecret=a"), "ingress.host"),
        (("--set", "apiService.route.enabled=true"), "route.parentRefs"),
        (("--set", "postgres.mode=external"), "postgres.external.existingSecret"),
        (("--set", "postgres.mode=cloudnative-pg"), "postgres.cloudNativePG.cluster"),
        (("--set", "cloudProvider.name=aws"), "cloudProvider.aws.region"),
        (("--values", str(CHART / "values-gcp.yaml")), "cloudProvider.gcp.projectId"),
        (("--set", "namespaces.workloads=gpu-controlplane"), "a name of its own"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_step(words, said):
    assert said in refusal(*words)


def test_plain_http_needs_an_explicit_yes():
    yes = ("--set", "apiService.service.type=LoadBalancer,apiService.service.allowPlainHttp=true")

    assert one(render(*yes), "Service", "gpu-dev-api")["spec"]["type"] == "LoadBalancer"


def test_a_change_of_the_configuration_rolls_the_pods_that_read_it_and_no_other():
    def rolled(*words):
        before, after = (dict(_templates(render(*each))) for each in ((), words))
        return {name for name in before if before[name] != after[name]}

    reading = {"api", "processor", "gateway"}
    assert rolled("--set", "config.limits.max_hours=12") == reading
    assert rolled("--set", "secrets.revision=2") == reading
    assert rolled("--set", "postgres.primary.parameters.max_connections=300") == {"postgres"}
    assert rolled("--set", "apiService.replicas=3") == set()


def _templates(things):
    for _, pod in pods([*kinds(things, "Deployment"), *kinds(things, "StatefulSet")]):
        yield pod["metadata"]["labels"]["app.kubernetes.io/component"], yaml.safe_dump(pod)


@pytest.fixture
def notes(tmp_path):
    """Return what an install says, as a function of its values: helm shows it to nobody who has no cluster."""
    chart = shutil.copytree(CHART, tmp_path / "chart")
    lines = (CHART / "templates" / "NOTES.txt").read_text(encoding="utf-8").splitlines()
    body = "\n".join(["kind: ConfigMap", "data:", "  notes: |", *(f"    {line}" for line in lines)])
    (chart / "templates" / "notes.yaml").write_text(body, encoding="utf-8")

    def said(*words):
        made = helm("template", "gpu-dev", str(chart), "--show-only", "templates/notes.yaml", *words)
        assert made.returncode == 0, made.stderr
        return yaml.safe_load(made.stdout)["data"]["notes"]

    return said


def test_the_notes_say_the_next_three_commands(notes):
    said = notes(*LOCAL)

    assert re.findall(r"^(\d)\.", said, flags=re.MULTILINE) == ["1", "2", "3"]
    assert "kubectl get pods -n gpu-controlplane" in said
    assert "test123" not in said


def test_the_notes_of_the_local_form_lead_to_the_services_by_two_port_forwards_and_a_pin(notes):
    lines = [line.strip() for line in notes(*LOCAL).splitlines()]

    assert "kubectl port-forward -n gpu-controlplane svc/gpu-dev-api 7070:443 &" in lines
    assert "kubectl port-forward -n gpu-controlplane svc/gpu-dev-gateway 7022:7022 &" in lines
    (login,) = [line for line in lines if line.startswith("gpudev login ")]
    assert login.startswith("gpudev login https://127.0.0.1:7070#sha256=$(kubectl get secret -n gpu-controlplane")
    assert r"gpu-dev-authority -o jsonpath='{.data.ca\.crt}' | base64 -d | openssl x509 " in login


PROXY = "apiService.publicOrigin=https://a.example.org,apiService.service.allowPlainHttp=true"
INGRESS = "apiService.ingress.enabled=true,apiService.ingress.host=b.example.org,apiService.ingress.tlsSecret=b"
ROUTE = "apiService.route.enabled=true,apiService.route.parentRefs[0].name=c,apiService.route.hostnames={c.example.org}"


@pytest.mark.parametrize(
    ("words", "host"), [(PROXY, "a"), (INGRESS, "b"), (ROUTE, "c")], ids=["proxy", "ingress", "route"]
)
def test_the_notes_name_what_people_dial_where_something_in_front_serves_tls(notes, words, host):
    assert f"gpudev login https://{host}.example.org\n" in notes("--set", words)


def test_the_notes_name_the_pin_of_a_public_name_too(notes):
    said = notes("--set", "apiService.publicOrigin=https://a.example.org,apiService.service.type=LoadBalancer")

    assert "gpudev login https://a.example.org#sha256=$(kubectl get secret " in said
