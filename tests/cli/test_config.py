"""A wrong configuration is one line: the file, what is wrong with it, and what it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from inferfleet.api.config import FleetConfig
from inferfleet.cli.config import DEFAULTS, load_config
from inferfleet.errors import SpecError

RIGHT = """
namespace: inferfleet-system
images: {operator: "registry.test/inferfleet:1", triton: "registry.test/triton:1"}
"""


def test_the_charts_defaults_are_a_configuration() -> None:
    assert isinstance(load_config(DEFAULTS), FleetConfig)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty or no map"),
        (b"- a\n", "it is empty or no map"),
        (b"a: [", "line 1"),
        (b"\xff\xfe\x00", "is no YAML"),
        (f"{RIGHT}day: 2026-01-01\n".encode(), "day"),
        (f"{RIGHT}nope: 1\n".encode(), "nope"),
        (f"{RIGHT}classes: 7\n".encode(), "classes"),
        (b"images: {}\n", "namespace"),
    ],
)
def test_a_wrong_file_is_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(content)

    said = refusal(file)
    assert words in said


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "config.yaml")
    assert "directory" in refusal(tmp_path)


def refusal(file: Path) -> str:
    with pytest.raises(SpecError) as refused:
        load_config(file)
    said = refused.value.message
    assert "\n" not in said
    assert said.startswith(f"{file}")
    assert "operator's configuration" in said
    assert r"get configmap inferfleet -o jsonpath='{.data.config\.yaml}'" in said
    return said
