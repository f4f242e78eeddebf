"""What a security team asks of a chart: least rights, restricted pods, closed networks, a CRD that is never lost."""

from __future__ import annotations

from itertools import product

import pytest

from ecosystem.chart import CASES, config_of, of_kind, render, the_only
from inferfleet.api.base import Json
from inferfleet.fleet import names
from inferfleet.kube.kinds import (
    BUDGETS,
    CHILDREN,
    CLAIMS,
    EVENTS,
    LEASES,
    MODEL_DEPLOYMENTS,
    NODES,
    PODS,
    RESOURCE_QUOTAS,
    Kind,
)

pytestmark = pytest.mark.ecosystem

Right = tuple[str, str, str]
LOOK = ("list", "watch")
READ = ("get", *LOOK)
NEVER = ("secrets", "pods/exec", "pods/log", "pods/attach", "pods/portforward", "serviceaccounts/token", "roles",
         "rolebindings", "clusterroles", "clusterrolebindings", "customresourcedefinitions")  # fmt: skip
PAIRS = [
    {
        "rbac": {"foreignPods": foreign, "aggregate": aggregate},
        "watchNamespaces": watched,
        "networkPolicy": {"enabled": on},
    }
    for foreign, aggregate, watched, on in product((True, False), (True, False), ([], ["a", "b"]), (True, False))
]


def rights(role: Json) -> set[Right]:
    """List what a role grants; rights by name are marked."""
    return {
        (group, f"{resource}={rule['resourceNames']}" if rule.get("resourceNames") else resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def on(kind: Kind, *verbs: str) -> set[Right]:
    return {(kind.group, kind.plural, verb) for verb in verbs}


def operator_roles(objects: list[Json], namespace: str | None) -> list[Json]:
    """Find the roles that the operator's account is bound to, in a namespace or in the whole cluster."""
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    account = the_only(objects, "ServiceAccount")["metadata"]["name"]
    bound = {
        binding["roleRef"]["name"]
        for binding in of_kind(objects, kind)
        if binding["metadata"].get("namespace") == namespace and binding["subjects"][0]["name"] == account
    }
    roles = of_kind(objects, "Role" if namespace else "ClusterRole")
    return [r for r in roles if r["metadata"]["name"] in bound and r["metadata"].get("namespace") == namespace]


NEVER_DELETED = (CLAIMS, BUDGETS)
MODELS = (
    on(MODEL_DEPLOYMENTS, *READ)
    | {(MODEL_DEPLOYMENTS.group, f"{MODEL_DEPLOYMENTS.plural}/status", "patch")}
    | set().union(*(on(kind, *READ, "create", "patch") for kind in CHILDREN))
    | set().union(*(on(kind, "delete") for kind in CHILDREN if kind not in NEVER_DELETED))
    | on(PODS, *LOOK, "patch", "delete")
    | on(RESOURCE_QUOTAS, *LOOK)
    | on(EVENTS, "create", "patch")
)
LEASE = {(LEASES.group, "leases", "create")} | {
    (LEASES.group, "leases=['inferfleet']", verb) for verb in ("get", "update")
}


def granted(objects: list[Json], namespace: str | None) -> set[Right]:
    return set().union(*(rights(role) for role in operator_roles(objects, namespace)))


def test_over_all_namespaces_the_operator_has_these_rights_and_no_other() -> None:
    objects = render({})

    assert granted(objects, None) == MODELS | on(NODES, *LOOK)
    assert granted(objects, "inferfleet-system") == LEASE


def test_in_chosen_namespaces_it_has_a_role_in_each_and_sees_nodes_and_pods_of_others() -> None:
    objects = render({"watchNamespaces": ["team-a", "team-b"]})

    assert granted(objects, None) == on(NODES, *LOOK) | on(PODS, *LOOK)
    assert granted(objects, "team-a") == granted(objects, "team-b") == MODELS
    assert granted(objects, "inferfleet-system") == LEASE


def test_the_look_at_other_teams_pods_can_be_taken_away() -> None:
    objects = render({"watchNamespaces": ["team-a"], "rbac": {"foreignPods": False}})

    assert granted(objects, None) == on(NODES, *LOOK)


@pytest.mark.parametrize(("release", "lease"), [("inferfleet", "inferfleet"), ("blue", "blue-inferfleet")])
def test_each_release_of_a_namespace_has_a_lease_of_its_own(release: str, lease: str) -> None:
    objects = render({}, release)

    assert config_of(objects)["lease"] == lease
    assert (LEASES.group, f"leases=['{lease}']", "update") in granted(objects, "inferfleet-system")


@pytest.mark.parametrize("values", PAIRS, ids=str)
def test_no_role_grants_everything_secrets_or_more_rights(values: Json) -> None:
    for role in of_kind(render(values), "Role", "ClusterRole"):
        for group, resource, verb in rights(role):
            assert "*" not in (group, resource, verb)
            assert resource not in NEVER
            assert verb not in ("escalate", "bind", "impersonate")


def test_users_get_rights_on_models_through_the_built_in_roles() -> None:
    roles = {role["metadata"]["name"]: role for role in of_kind(render({}), "ClusterRole")}

    view, edit = roles["inferfleet-system-inferfleet-view"], roles["inferfleet-system-inferfleet-edit"]
    assert {verb for _, _, verb in rights(view)} == set(READ)
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in edit["metadata"]["labels"]
    assert {group for group, _, _ in rights(view) | rights(edit)} == {MODEL_DEPLOYMENTS.group}
    assert not any(resource.endswith("/status") for _, resource, _ in rights(edit))


@pytest.mark.parametrize("case", CASES)
def test_the_operator_runs_under_pod_security_restricted(case: str) -> None:
    pod = the_only(render(CASES[case]), "Deployment")["spec"]["template"]["spec"]

    assert not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert {next(key for key in volume if key != "name") for volume in pod["volumes"]} == {"configMap", "emptyDir"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container["ports"])
        assert "memory" in container["resources"]["limits"]
        assert "cpu" not in container["resources"]["limits"]


def test_a_second_process_stands_by_and_none_is_lost_in_an_upgrade() -> None:
    objects = render({})
    spec = the_only(objects, "Deployment")["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert spec["template"]["spec"]["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"
    budget = the_only(objects, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == spec["selector"]


def test_the_process_knows_its_name_and_is_asked_whether_it_lives() -> None:
    (container,) = the_only(render({}), "Deployment")["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable for variable in container["env"]}

    assert environment["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert environment["LOGNAME"]["value"]
    assert container["args"][:2] == ["run", "--config=/etc/inferfleet/config.yaml"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]


def test_the_operators_pods_are_not_taken_for_models_of_its_own() -> None:
    labels = the_only(render({}), "Deployment")["spec"]["template"]["metadata"]["labels"]

    assert labels.get(names.MANAGED_BY) != names.OPERATOR


def test_labels_of_others_do_not_take_the_place_of_those_that_select() -> None:
    values = {"commonLabels": {"app.kubernetes.io/name": "x"}, "podLabels": {"app.kubernetes.io/instance": "y"}}
    spec = the_only(render(values), "Deployment")["spec"]

    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_the_operators_own_policy_opens_the_api_server_names_and_models() -> None:
    values = {"networkPolicy": {"enabled": True}, "apiServer": {"cidrs": ["10.0.0.1/32"]}}
    spec = the_only(render(values), "NetworkPolicy")["spec"]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    api, dns, servers, downloads = spec["egress"]
    assert api["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert servers["to"][0]["podSelector"]["matchLabels"][names.ROLE] == names.ROLE_SERVER
    assert downloads["to"][0]["podSelector"]["matchLabels"][names.ROLE] == names.ROLE_DOWNLOAD
    assert {port["port"] for port in spec["ingress"][0]["ports"]} == {8080}


def test_the_policy_opens_the_ports_that_servers_and_downloads_have() -> None:
    from inferfleet.engines.triton import TRITON
    from inferfleet.render.commands import PROGRESS_PORT

    spec = the_only(render({"networkPolicy": {"enabled": True}}), "NetworkPolicy")["spec"]

    _, _, servers, downloads = spec["egress"]
    assert [port["port"] for port in servers["ports"]] == [port.number for port in TRITON.ports]
    assert [port["port"] for port in downloads["ports"]] == [PROGRESS_PORT]


@pytest.mark.parametrize("case", [case for case in CASES if CASES[case].get("crds", {}).get("enabled", True)])
def test_the_crd_outlives_the_release_unless_someone_says_otherwise(case: str) -> None:
    metadata = the_only(render(CASES[case]), "CustomResourceDefinition")["metadata"]
    keep = CASES[case].get("crds", {}).get("keep", True)

    annotations = {"helm.sh/resource-policy": "keep", "argocd.argoproj.io/sync-options": "Prune=false"}
    assert metadata.get("annotations", {}) == (annotations if keep else {})


def test_the_crd_can_be_left_to_others() -> None:
    assert of_kind(render({"crds": {"enabled": False}}), "CustomResourceDefinition") == []
