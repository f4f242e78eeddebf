"""ResourceQuotas: pods that would exceed one are refused, and its use is shown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from inferfleet.api.base import Json
from support.fake_kube.controller import Controller, is_finished
from support.fake_kube.defaults import quantity
from support.fake_kube.errors import forbidden
from support.fake_kube.resources import Resource
from support.fake_kube.scheduler import amount, requests_of
from support.fake_kube.storage import Change, Key, key_of

_MANAGER = "kube-controller-manager"


@dataclass(slots=True, eq=False)
class Quotas(Controller):
    """Shows the use of quotas, and refuses as an admission."""

    def seen(self, change: Change) -> None:
        for stored in self.api.storage.all(self.api.resource("resourcequotas"), change.namespace):
            if change.resource.plural in ("pods", "resourcequotas"):
                self.dirty[key_of(stored.obj)] = None

    def act(self, key: Key) -> None:
        resource = self.api.resource("resourcequotas")
        if self.api.storage.get(resource, key) is None:
            return
        quota = self.api.read(resource, *key)
        hard = quota["spec"].get("hard") or {}
        used = {name: quantity(str(value)) for name, value in self._used(key[0], hard).items()}
        self.hands.set_status(resource, {**quota, "status": {"hard": hard, "used": used}}, _MANAGER)

    def admit(self, resource: Resource, before: Json | None, after: Json) -> None:
        """Refuse a pod for which a quota has no room."""
        if resource.plural != "pods" or before is not None:
            return
        wanted = _counted(after)
        for stored in self.api.storage.all(self.api.resource("resourcequotas"), after["metadata"]["namespace"]):
            hard = stored.obj["spec"].get("hard") or {}
            used = self._used(after["metadata"]["namespace"], hard)
            over = [name for name in hard if used[name] + wanted.get(name, 0) > amount(hard[name]) and wanted.get(name)]
            if over:
                parts = [
                    f"{told}: " + ",".join(f"{name}={quantity(str(values[name]))}" for name in over)
                    for told, values in (("requested", wanted), ("used", used), ("limited", hard))
                ]
                why = f"exceeded quota: {stored.obj['metadata']['name']}, {', '.join(parts)}"
                raise forbidden("pods", after["metadata"]["name"], why)

    def _used(self, namespace: str, hard: Json) -> dict[str, Decimal]:
        used = dict.fromkeys(hard, Decimal(0))
        for stored in self.api.storage.all(self.api.resource("pods"), namespace):
            if not is_finished(stored.obj):
                for name, value in _counted(stored.obj).items():
                    if name in used:
                        used[name] += value
        return used


def _counted(pod: Json) -> dict[str, Decimal]:
    """Count a pod under the names that quotas use."""
    found = {f"requests.{name}": value for name, value in requests_of(pod).items() if name != "pods"}
    return {"pods": Decimal(1), "count/pods": Decimal(1), **found}
