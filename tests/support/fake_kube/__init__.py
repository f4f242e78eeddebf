"""A Kubernetes API server in this process, true enough to be trusted and easy to break.

The one rule: what it claims to do is held against a real API server by `tests/contracts`; its levers are the only lies.
"""

from __future__ import annotations

from support.fake_kube.clock import ManualClock
from support.fake_kube.cluster import FakeKube
from support.fake_kube.errors import ApiError
from support.fake_kube.faults import Fault, Logged
from support.fake_kube.kubelet import Fate
from support.fake_kube.rbac import Rule

__all__ = ["ApiError", "FakeKube", "Fate", "Fault", "Logged", "ManualClock", "Rule"]
