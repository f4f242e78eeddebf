from __future__ import annotations

import json
from pathlib import Path

from e2e.rig import audit


def _line(account: str, verb: str) -> str:
    return json.dumps({"user": {"username": f"system:serviceaccount:{account}"}, "verb": verb}) + "\n"


def test_requests_of_one_account_are_read_from_a_place_on(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_text(_line("a:op", "get") + _line("b:op", "list"))
    place = audit.mark(log)
    with log.open("a") as file:
        file.write(_line("a:op", "patch") + _line("a:op", "create")[:-5])

    assert [event["verb"] for event in audit.events("a:op", log=log)] == ["get", "patch"]
    assert [event["verb"] for event in audit.events("a:op", since=place, log=log)] == ["patch"]
