"""The writes of one beat, each of which may fail for itself.

The one rule: what one object is refused keeps no other from being written, but for those that need it; what says that
the API server cannot be written to at all ends the beat.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field

from inferfleet.errors import InferfleetError
from inferfleet.reconcile.verdict import concerns_one_object, verdict


@dataclass(slots=True)
class Tries:
    """What went wrong so far."""

    errors: list[InferfleetError] = field(default_factory=list)

    async def one(self, write: Awaitable[object]) -> bool:
        """Do one write; tell whether it was done."""
        try:
            await write
        except InferfleetError as error:
            if not concerns_one_object(error):
                raise
            self.errors.append(error)
            return False
        return True

    def settle(self) -> None:
        """Raise the first error that the user must hear of, or the first at all."""
        told = [error for error in self.errors if verdict(error).is_worth_telling]
        for error in (*told, *self.errors):
            raise error
