"""The reference pages of what the code says: reasons and metrics.

The one rule: what the code has and no page explains stops the generator.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from inferfleet.plan.conditions import ORDER
from tools.markdown import code, page, table
from tools.reasons import EXPLAINED, SECTIONS
from tools.reasons_in_code import reasons

PACKAGE = Path(__file__).resolve().parents[1] / "operator" / "inferfleet"
REASONS = """\
A condition has a `status`, a `reason` for machines and a `message` for people. `Ready` repeats reason and message of
the first truth that fails; events carry the same reasons. Reasons are API: one is renamed in a new version only.

`Reconciling`, `Stalled` and `UpdateAvailable` are there only while they are true, and never the first two together:
`Reconciling` means that something moves or is waited for, `Stalled` that someone must act. Tools that wait by kstatus
(Flux, Helm) fail at once on `Stalled` and show its message.
"""
METRICS = """\
The operator serves these on port 8080 at `/metrics`; a histogram has `_bucket`, `_sum` and `_count`. A replica that
stands by serves them too: its queue is empty, its caches are not filled, and `inferfleet_leader` is 0, so that the sum
of `inferfleet_leader` over replicas is 1 while one leads. No label holds a name or a text that a user wrote.
"""
PROCESS = """
Of the process: `process_cpu_seconds_total`, `process_resident_memory_bytes`, `process_virtual_memory_bytes`,
`process_start_time_seconds`, `process_open_fds` and `process_max_fds`.
"""
KINDS = {"Counter": "counter", "Histogram": "histogram", "counter": "counter", "gauge": "gauge", "gauges": "gauge"}
LABELLED = ("Counter", "Histogram", "gauges")


def reasons_page() -> str:
    """Write the page of conditions and reasons."""
    _nothing_unsaid()
    parts = [REASONS, f"Conditions: {', '.join(map(code, ORDER))}.\n"]
    for title, section in SECTIONS.items():
        rows = sorted((code(reason), text) for reason, text in section.items())
        parts += [f"## {title}\n", table(("reason", "meaning, and what to do"), rows)]
    return page("Conditions and reasons", "\n".join(parts))


def _nothing_unsaid() -> None:
    said = reasons(PACKAGE)
    if unexplained := sorted(said - EXPLAINED.keys()):
        raise ValueError(f"explain in tools/reasons.py: {', '.join(unexplained)}")
    if gone := sorted(EXPLAINED.keys() - said):
        raise ValueError(f"no longer said, take from tools/reasons.py: {', '.join(gone)}")


def metrics_page() -> str:
    """Write the page of metrics."""
    rows = [(code(name), KINDS[kind], ", ".join(map(code, labels)), text) for name, kind, labels, text in _metrics()]
    return page("Metrics", f"{METRICS}\n{table(('metric', 'kind', 'labels', 'meaning'), sorted(rows))}{PROCESS}")


def _metrics() -> Iterator[tuple[str, str, Sequence[str], str]]:
    """Find every metric where it is made: its name and its text are the first two arguments."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) >= 2:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                first, second = node.args[:2]
                if name in KINDS and isinstance(first, ast.Constant) and isinstance(second, ast.Constant):
                    labels = ast.literal_eval(node.args[2]) if len(node.args) > 2 and name in LABELLED else []
                    found = [labels] if isinstance(labels, str) else labels
                    yield str(first.value), name, found, str(second.value)
