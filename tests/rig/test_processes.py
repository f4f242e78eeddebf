"""These start real processes of their own and end them by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.rig import processes
from e2e.rig.processes import Process


@pytest.fixture(name="child")
def _child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        yield child
        child.kill()


@pytest.fixture(name="run_directory")
def _run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "RUN", tmp_path)
    return tmp_path


def test_a_process_is_known_by_pid_and_start_time(child: subprocess.Popen[bytes]) -> None:
    start = processes.start_time(child.pid)
    assert start is not None

    assert Process("x", child.pid, start).alive
    assert not Process("x", child.pid, start - 1).alive


def test_an_ended_process_that_nobody_has_waited_for_counts_as_gone(child: subprocess.Popen[bytes]) -> None:
    processes.end({child.pid})

    assert Path(f"/proc/{child.pid}/stat").exists()
    assert processes.start_time(child.pid) is None


def test_a_process_that_ignores_a_signal_is_killed_when_patience_ends() -> None:
    script = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"on\n"

        processes.end({child.pid}, signal.SIGTERM, patience_s=0.05)

        assert child.wait(10) == -signal.SIGKILL


def test_the_pid_of_a_process_that_was_reused_by_another_is_left_alone(
    child: subprocess.Popen[bytes], run_directory: Path
) -> None:
    (run_directory / "etcd.json").write_text(f'{{"name": "etcd", "pid": {child.pid}, "started": 1}}')

    processes.stop("etcd")

    assert child.poll() is None
    assert not (run_directory / "etcd.json").exists()


@pytest.mark.parametrize("text", ["", "{", '{"name": "etcd"}', "[]"])
def test_a_record_that_was_cut_short_is_no_record(run_directory: Path, text: str) -> None:
    (run_directory / "etcd.json").write_text(text)

    assert processes.recorded("etcd") is None
    assert processes.all_recorded() == []


def test_the_command_line_of_a_process_is_read() -> None:
    assert "python" in processes.command_line(os.getpid())
    assert processes.command_line(2**22 + 1) == ""
