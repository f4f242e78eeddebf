"""One object for each row of the table of conditions, written by the planner's own code.

The one rule: a row is named by its situation and says what every tool must make of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.objects import deployment
from inferfleet.api.base import Json
from inferfleet.plan.conditions import View, conditions, truths
from inferfleet.plan.truth import Truth

GENERATION = 3
NOW = "2026-11-25T10:00:00Z"
GOOD = Truth("True", "Good", "All is well.")
WAITS = Truth("False", "NoGpuFree", "needs 2 x H100-80GB on one node; best node has 1 free, 3 free in total")
REFUSED = Truth("False", "InvalidSpec", "spec.gpu.products: no class is called H1000; choose one of H100-80GB, L4")


@dataclass(frozen=True, slots=True)
class Row:
    """A situation, and what tools say of it: kstatus, and Argo CD's health."""

    title: str
    view: View
    kstatus: str
    argo: str

    @property
    def object(self) -> Json:
        """Write the object as the operator leaves it."""
        raw = deployment()
        found = conditions(truths(self.view), GENERATION, (), NOW)
        return {
            **raw,
            "metadata": {**raw["metadata"], "generation": GENERATION},
            "status": {
                "observedGeneration": GENERATION,
                "conditions": found,
                "summary": {"replicas": f"{self.view.serving}/{self.view.wanted}", "gpus": "2xH100-80GB"},
            },
        }


def view(**changes: object) -> View:
    """Describe a model that serves as wanted, with these changes."""
    usual = {"accepted": GOOD, "cached": GOOD, "scheduled": GOOD, "loading": GOOD, "wanted": 2, "serving": 2}
    return View(**{**usual, **changes})  # type: ignore[arg-type]  # - a test may change any field


ROWS = (
    Row("serves as wanted", view(), "Current", "Healthy"),
    Row("scaled to zero", view(wanted=0, serving=0), "Current", "Healthy"),
    Row("suspended", view(wanted=0, serving=0, suspended=True), "Current", "Healthy"),
    Row("serves, and an update waits", view(update="A newer image is there."), "Current", "Healthy"),
    Row("waits for GPUs", view(serving=0, scheduled=WAITS), "InProgress", "Progressing"),
    Row("one of two serves", view(serving=1, scheduled=WAITS), "InProgress", "Progressing"),
    Row("one of four serves", view(wanted=4, serving=1, scheduled=WAITS), "InProgress", "Progressing"),
    Row("rolls out", view(rolling=True, step="1 of 2 replaced"), "InProgress", "Progressing"),
    Row("waits for consent", view(waits="NeedsOutage", rolling=True), "InProgress", "Progressing"),
    Row("paused", view(waits="Paused", rolling=True), "InProgress", "Progressing"),
    Row("refused", view(accepted=REFUSED), "Failed", "Degraded"),
    Row("refused before it ever served", view(accepted=REFUSED, serving=0), "Failed", "Degraded"),
    Row("no progress", view(serving=0, scheduled=WAITS, overdue=1801), "Failed", "Degraded"),
)
