"""What a model that is gone leaves to us: its policies, which have no owner.

The one rule: they stay until the last pod that they guard is gone, and nothing is remembered of the model meanwhile.
"""

from __future__ import annotations

from inferfleet.fleet import names
from inferfleet.kube import facts
from inferfleet.kube.client import Client, Scope
from inferfleet.kube.kinds import JOBS, NETWORK_POLICIES, PODS, REPLICA_SETS, Ref
from inferfleet.reconcile.caches import Caches, Child
from inferfleet.reconcile.queue import Key
from inferfleet.reconcile.workers import NEVER

BEHIND_SECONDS = 5.0
"""For so long a cache may be behind that does not show a pod."""


async def clear(key: Key, client: Client, caches: Caches) -> float:
    """Delete the policies of a model that is gone once nothing needs them; return when to look again."""
    left = _policies(key, caches)
    # The end of each of these wakes us.
    if not left or _has_pods(key, caches):
        return NEVER
    selector = f"{names.SELECTOR},{names.MODEL}={key.name}"
    if await client.list(PODS, Scope(key.namespace, selector)):
        return BEHIND_SECONDS
    for policy in left:
        await client.delete(Ref(NETWORK_POLICIES, key.namespace, policy.name), policy.uid)
    return NEVER


def _policies(key: Key, caches: Caches) -> list[Child]:
    """List those that we wrote, and no others that bear our labels."""
    found = caches.children[NETWORK_POLICIES].indexed(str(key))
    return [child for child in found if not child.owner and facts.annotation(child.raw, names.APPLIED)]


def _has_pods(key: Key, caches: Caches) -> bool:
    """Tell whether there are pods, or what makes some."""
    stores = (caches.pods, caches.children[REPLICA_SETS], caches.children[JOBS])
    return any(True for store in stores for _ in store.indexed(str(key)))
