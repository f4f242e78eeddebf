"""What is read off the chart: pages of its values and rights, and the configuration that it writes by default."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import yaml
from helm_python import Chart
from pydantic import BaseModel

from inferfleet.api.base import Json
from tools.chart_files import GENERATED, plain
from tools.chart_values import Values
from tools.markdown import code, page, table

CHART = Path(__file__).resolve().parents[1] / "charts" / "inferfleet"
VALUES = """\
Helm refuses every key that is not in this table, every value that is out of its bounds, and a `null` where a value is
needed (`values.schema.json`).
"""
README = """\
Serves open-weight models on the GPUs of a Kubernetes cluster (1.30 or later) with NVIDIA Triton.

    helm install inferfleet ./charts/inferfleet --namespace inferfleet-system --create-namespace

The CRD is upgraded with the chart and kept when the chart is uninstalled, and with it every model
(`crds.enabled`, `crds.keep`). The chart has no hooks, makes no model and looks nothing up in the cluster, so that it
renders offline as it renders in the cluster.
"""
RIGHTS = """\
The operator's account has these rights and no other. Over all namespaces (`watchNamespaces: []`) they are one
ClusterRole; with namespaces named, everything but nodes is a Role in each of them, and of other namespaces it sees pods
only, to count free GPUs (`rbac.foreignPods`). It has no right to any Secret, to logs, to `exec`, to roles or to CRDs.

Who may create a ModelDeployment may run pods in that namespace and mount its Secrets into them, as with a Deployment:
every reference stays in the object's namespace.
"""
WHY: Mapping[str, str] = {
    "nodes": "Where GPUs are, which are allocatable, which nodes are cordoned or tainted.",
    "modeldeployments": "What is wanted. The operator never writes it.",
    "modeldeployments/status": "What is. The only part of the user's object that is written.",
    "replicasets": "The replicas of a revision; they heal while the operator is away.",
    "controllerrevisions": "What a revision is restored from.",
    "jobs": "Downloads.",
    "services": "Where a model answers.",
    "configmaps": "Generated model configurations.",
    "persistentvolumeclaims": "Weights that many nodes share.",
    "poddisruptionbudgets": "What a drain may take.",
    "networkpolicies": "Whom a model reaches, and who reaches it. They have no owner: they are deleted when the last "
    "pod of a model that is gone has ended.",
    "pods": "What runs. Labels send traffic, annotations say which goes first; a dead one is deleted. Pods of others "
    "are read for the GPUs that they hold.",
    "resourcequotas": "Why a namespace may have no more GPUs.",
    "events": "What happened, for `kubectl describe`.",
    "leases": "Which process leads; by name, in the operator's own namespace. A create cannot be limited by name.",
}


def values_page() -> str:
    """Write the page of values."""
    return page("Values of the chart", f"{VALUES}\n{_table()}")


def readme() -> str:
    """Write what a chart shows of itself where charts are listed."""
    return page("inferfleet", f"{README}\n## Values\n\n{VALUES}\n{_table()}")


def _table() -> str:
    rows = [(code(key), code(default), text) for key, default, text in _values(Values(), "")]
    return table(("value", "default", "meaning"), rows)


def _values(model: BaseModel, path: str) -> Iterator[tuple[str, str, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        key = f"{path}{field.alias}"
        if isinstance(value, BaseModel):
            yield from _values(value, f"{key}.")
        else:
            yield key, _shown(value), str(field.description)
            yield from _items(field.annotation, f"{key}[].")


def _items(annotation: object, path: str) -> Iterator[tuple[str, str, str]]:
    """Describe the keys of a list's items, where they are ours."""
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            for field in part.model_fields.values():
                default = "" if field.is_required() else _shown(field.default)
                yield f"{path}{field.alias}", default, str(field.description)


def _shown(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return ", ".join(str(getattr(item, "name", "")) for item in value)
    return json.dumps(plain(value))


def permissions_page() -> str:
    """Write the page of rights, from the rendered roles."""
    rules = [rule for role in _roles() for rule in role["rules"]]
    rows = [
        (code(group or "core"), code(resource), ", ".join(rule["verbs"]) + _by_name(rule), WHY[resource])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    ]
    return page("Permissions", f"{RIGHTS}\n{table(('group', 'resource', 'verbs', 'why'), rows)}")


def _by_name(rule: Json) -> str:
    names = rule.get("resourceNames", ())
    return f" (only {', '.join(map(code, names))})" if names else ""


def defaults_file() -> str:
    """Write the operator's configuration as the chart's default values make it."""
    found = yaml.safe_load(_rendered("configmap.yaml"))
    return f"{GENERATED}\n{found['data']['config.yaml']}"


def _roles() -> list[Json]:
    """Render the operator's own roles; those for users are made of other labels."""
    found = yaml.safe_load_all(_rendered("rbac.yaml"))
    return [each for each in found if each and each["kind"] in ("ClusterRole", "Role")]


def _rendered(template: str) -> str:
    """Render one template with the chart's default values."""
    texts = Chart.load(str(CHART)).render({}, name="inferfleet", namespace="inferfleet-system")
    return str(texts[f"inferfleet/templates/{template}"])
