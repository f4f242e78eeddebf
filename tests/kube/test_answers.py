"""What an error of the API server may show."""

from __future__ import annotations

import orjson
import pytest

from inferfleet.api.base import Json
from inferfleet.kube.answers import MESSAGE_LIMIT, error_from, error_of, retry_after

CANARY = "canary-7f3a"


def status(code: int, reason: str, message: str, causes: list[Json] | None = None) -> bytes:
    details = {"details": {"causes": causes}} if causes else {}
    return orjson.dumps({"kind": "Status", "code": code, "reason": reason, "message": message, **details})


def test_an_error_keeps_status_reason_and_the_servers_own_message() -> None:
    error = error_of(409, status(409, "AlreadyExists", 'pods "one" already exists'))

    assert (error.status, error.reason, error.message) == (409, "AlreadyExists", 'pods "one" already exists')


@pytest.mark.parametrize(
    "body",
    [
        f"<html>{CANARY}</html>".encode(),
        b'{"token": "canary-7f3a"}',
        b'{"message": "canary-7f3a"}',
        b"[1]",
        b"",
        b"\xff",
    ],
)
def test_row_47_an_answer_of_somebody_else_is_never_repeated(body: bytes) -> None:
    error = error_of(502, body)

    assert (error.status, error.reason, error.message) == (502, "Http502", "The API server answered 502.")


@pytest.mark.parametrize(
    "message",
    [
        f'Invalid value: "{CANARY}": must be no more than 63 characters',
        f'Invalid value: "a\\"b: {CANARY}\\\\": must be no more than 63 characters',
        f'Invalid value: {{"containers":[{{"env":[{{"name":"T","value":"{CANARY}"}}]}}]}}: field is immutable',
        f'Invalid value: core.PodTemplateSpec{{Env:"x: {CANARY}"}}: field is immutable',
        f'Duplicate value: "{CANARY}"',
        f'Unsupported value: "{CANARY}": supported values: "a", "b"',
        f"Not found: {CANARY}",
    ],
)
def test_row_47_a_refused_value_is_never_repeated(message: str) -> None:
    causes = [{"field": "spec.template", "message": message, "reason": "FieldValueInvalid"}]

    error = error_of(422, status(422, "Invalid", f"whole: {message}", causes))

    assert CANARY not in str(error)
    assert error.message.startswith("spec.template: ")


def test_a_refusal_names_field_and_rule_once() -> None:
    cause = {"field": "metadata.name", "message": 'Invalid value: "A": a lowercase RFC 1123 subdomain must consist'}

    error = error_of(
        422, status(422, "Invalid", "whole", [cause, cause, {"field": "spec", "message": "Required value"}])
    )

    rule = "metadata.name: Invalid value: a lowercase RFC 1123 subdomain must consist"
    assert error.message == f"{rule}; spec: Required value"


def test_a_long_message_is_cut_and_control_characters_are_spaces() -> None:
    error = error_of(500, status(500, "InternalError", "a\n\x00b" + "x" * 2000))

    assert error.message.startswith("a bx")
    assert len(error.message) == MESSAGE_LIMIT


def test_a_version_that_is_too_large_has_a_reason_of_its_own() -> None:
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]

    error = error_from({"kind": "Status", "code": 504, "reason": "Timeout", "details": {"causes": causes}}, 500)

    assert (error.status, error.reason) == (504, "ResourceVersionTooLarge")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [(None, 1.0), ("3", 3.0), ("9999", 30.0), ("-1", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0)],
)
def test_a_wait_is_bounded(header: str | None, seconds: float) -> None:
    assert retry_after(header) == seconds
