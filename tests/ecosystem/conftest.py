"""What needs a cluster is collected where one is given, and nowhere is it skipped."""

from __future__ import annotations

from api.judges import KUBECONFIG

collect_ignore = [] if KUBECONFIG else ["test_kubectl.py", "test_helm_wait.py", "test_chart_on_a_cluster.py"]
