"""What each error of a beat means: for whom to wait, for how long, and whether anybody is told."""

from __future__ import annotations

import pytest

from inferfleet.errors import FetchError, InferfleetError, KubeError, NotReadyYet, SpecError, TritonError
from inferfleet.reconcile.verdict import LONGEST, Verdict, concerns_one_object, verdict

NO_RIGHT = 'services is forbidden: User "u" cannot create resource "services" in API group "" in the namespace "x"'
OF_ADMISSION = (
    'persistentvolumeclaims "m.weights" is forbidden: only dynamically provisioned pvc can be resized',
    'admission webhook "policy.example" denied the request: no',
)
TERMINATING = "unable to create new content in namespace x because it is being terminated"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotReadyYet("NoGpuFree", "Wait.", retry_after=7.0), Verdict("NoGpuFree", "Wait.", 7.0, is_worth_telling=True)),
        (SpecError("TooManyGpus", "None has 64."), Verdict("TooManyGpus", "None has 64.", is_worth_telling=True)),
        (TritonError("ScrapeFailed", "No answer."), Verdict("ScrapeFailed", "No answer.", is_worth_telling=True)),
        (FetchError("DiskFull", "No room."), Verdict("DiskFull", "No room.", is_worth_telling=True)),
        (KubeError("Invalid", "no", status=422), Verdict("ChildRefused", "no", is_worth_telling=True)),
        (KubeError("BadRequest", "no", status=400), Verdict("ChildRefused", "no", is_worth_telling=True)),
        (KubeError("TooLarge", "no", status=413), Verdict("ChildRefused", "no", is_worth_telling=True)),
        (KubeError("Forbidden", "no", status=403), Verdict("Forbidden", "no", is_worth_telling=True)),
        (
            KubeError("Forbidden", NO_RIGHT, status=403),
            Verdict("Forbidden", NO_RIGHT, is_worth_telling=True),
        ),
        *(
            (KubeError("Forbidden", said, status=403), Verdict("ChildRefused", said, is_worth_telling=True))
            for said in OF_ADMISSION
        ),
        (
            KubeError("Forbidden", TERMINATING, status=403),
            Verdict("NamespaceTerminating", "The namespace is being deleted.", 30.0),
        ),
        (KubeError("Conflict", "again", status=409), Verdict("Conflict", "again")),
        (KubeError("TooManyRequests", "later", status=429), Verdict("TooManyRequests", "later")),
        (KubeError("InternalError", "oops", status=500), Verdict("InternalError", "oops")),
        (KubeError("Unreachable", "gone"), Verdict("Unreachable", "gone")),
        (KubeError("NotLeader", "not us"), Verdict("NotLeader", "not us")),
        (TimeoutError(), Verdict("Timeout", "The beat took too long.")),
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:60] if isinstance(value, Exception) else "",
)
def test_an_error_means(error: Exception, expected: Verdict) -> None:
    assert verdict(error) == expected


def test_what_nobody_foresaw_is_told_by_its_name_alone() -> None:
    found = verdict(ValueError("the token is hf_secret"))

    assert (found.reason, found.after, found.is_worth_telling) == ("InternalError", None, False)
    assert "ValueError" in found.message
    assert "hf_secret" not in found.message


def test_what_a_webhook_says_is_shown_short_and_without_secrets() -> None:
    said = f"token=hf_Canary0123456789abcdef {'x' * 5000}"

    found = verdict(KubeError("Forbidden", said, status=403))

    assert "hf_Canary" not in found.message
    assert len(found.message) <= LONGEST


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KubeError("Invalid", "no", status=422), True),
        (KubeError("Forbidden", "no", status=403), True),
        (KubeError("Conflict", "again", status=409), True),
        (KubeError("InternalError", "failed calling webhook", status=500), True),
        (NotReadyYet("NameTaken", "It is another's."), True),
        (KubeError("Forbidden", TERMINATING, status=403), False),
        (KubeError("TooManyRequests", "later", status=429), False),
        (KubeError("Unauthorized", "who?", status=401), False),
        (KubeError("ServiceUnavailable", "later", status=503), False),
        (KubeError("Unreachable", "gone"), False),
        (KubeError("NotLeader", "not us"), False),
        (SpecError("TooManyGpus", "None has 64."), False),
    ],
    ids=str,
)
def test_what_one_object_is_refused_says_nothing_of_the_others(error: InferfleetError, expected: bool) -> None:
    assert concerns_one_object(error) is expected
