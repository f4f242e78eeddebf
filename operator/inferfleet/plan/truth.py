"""One truth about a model: a status, a word and a sentence. Conditions, events and `why` are made of these."""

from __future__ import annotations

from dataclasses import dataclass

from inferfleet.api.status import ConditionStatus


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so, in one word for machines and one sentence for people."""

    status: ConditionStatus
    reason: str
    message: str

    @property
    def fails(self) -> bool:
        """It stands in the way of serving."""
        return self.status == "False"


REFUSED = Truth("Unknown", "SpecRefused", "Not looked at: the spec is refused.")
