"""What is generated is what its models say, and drift is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import generate


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Make every text once."""
    return {name: text() for name, text in generate.FILES.items()}


@pytest.fixture
def elsewhere(tmp_path: Path, texts: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Generate into an empty directory."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FILES", {name: lambda text=text: text for name, text in texts.items()})
    assert generate.main([]) == 0
    return tmp_path


def test_every_generated_file_is_fresh(texts: dict[str, str]) -> None:
    stale = [name for name, text in texts.items() if (generate.ROOT / name).read_text("utf-8") != text]

    assert stale == [], "run `make generate` and commit what it writes"


@pytest.mark.parametrize("name", generate.FILES)
def test_a_file_that_was_edited_by_hand_is_noticed(
    name: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (elsewhere / name).open("a") as file:
        file.write("edited\n")
    capsys.readouterr()

    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == f"{name} is stale: run `make generate` and commit it.\n"


def test_a_file_that_is_missing_is_noticed(elsewhere: Path) -> None:
    (elsewhere / next(iter(generate.FILES))).unlink()

    assert generate.main(["--check"]) == 1


def test_what_is_as_it_should_be_is_not_written_again(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()

    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_what_cannot_be_generated_is_said_in_one_line(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unexplained() -> str:
        raise ValueError("explain in tools/reasons.py: SomethingNew")

    monkeypatch.setattr(generate, "FILES", {"a": unexplained})
    capsys.readouterr()

    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "explain in tools/reasons.py: SomethingNew\n"
