"""What is generated is what its models say, and drift is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import generate


def test_every_generated_file_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", generate.FILES)
def test_a_file_that_was_edited_by_hand_is_noticed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main([]) == 0
    with (tmp_path / name).open("a") as file:
        file.write("edited\n")
    capsys.readouterr()

    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == f"{name} is stale: run `make generate` and commit it.\n"


def test_written_twice_it_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    generate.main([])
    capsys.readouterr()

    generate.main([])

    assert capsys.readouterr().out == ""
