"""Logs are lines of JSON, whichever of our commands writes them, and hold no secret."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inferfleet.telemetry.logs import JsonLines

ROOT = Path(__file__).parents[2]
STEP = """
import sys
from functools import partial
from pathlib import Path
from inferfleet.fetch import options
at = Path(sys.argv.pop(1))
options.FetchOptions = partial(options.FetchOptions, termination_message=at)
options.LinkOptions = partial(options.LinkOptions, termination_message=at)
from inferfleet.cli import main
main()
"""


def lines_of(at: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run a step whose termination message goes to a file, and read its log."""
    command = [sys.executable, "-c", STEP, str(at / "message"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "operator"), "HF_TOKEN": "hf_canaryCANARYcanary"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert "canaryCANARY" not in ended.stderr
    return [json.loads(line) for line in ended.stderr.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        ("fetch", "--source", "pvc://c/nothing-there", "--claim"),
        ("link", "--source", "pvc://c/nothing-there", "--weights"),
    ],
    ids=lambda step: step[0],
)
def test_the_steps_of_pods_log_as_the_operator_does(tmp_path: Path, step: tuple[str, ...]) -> None:
    told = lines_of(tmp_path, *step, str(tmp_path))

    assert told
    assert all(set(line) == {"time", "level", "logger", "message"} for line in told)
    assert {line["level"] for line in told} >= {"error"}
    assert all(line["logger"].startswith("inferfleet.fetch.") for line in told)
    reason = json.loads((tmp_path / "message").read_text("utf-8"))["reason"]
    assert any(reason in line["message"] for line in told)


def test_a_record_is_one_line_without_secrets_and_control_characters() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 0, "a\nb\x1b[31m token=%s", ("hush",), None)

    line = JsonLines().format(record)

    assert "\n" not in line
    assert json.loads(line)["message"] == "a b [31m [redacted]"
    assert json.loads(line)["level"] == "warning"
