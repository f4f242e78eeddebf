"""The argv that is rendered is the argv that our image understands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from inferfleet import cli
from inferfleet.cli import weights
from inferfleet.fetch.options import FetchOptions
from inferfleet.render import commands
from render.values import COMMIT, CONFIG

CA = Path("/ca/ca.crt")


def understood(source: str, **changes: Any) -> FetchOptions:
    """Say what a download from the chart's hub is asked to do."""
    plain = FetchOptions(source, endpoint=CONFIG.fetch.hub_endpoint, ca_file=CA, connections=CONFIG.fetch.connections)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (
            commands.Fetch("hf://org/models", "main", port=8080),
            understood("hf://org/models", revision="main", port=8080),
        ),
        (
            commands.Fetch("hf://org/models", "main", resolve_only=True, port=8080),
            understood("hf://org/models", revision="main", resolve_only=True, port=8080),
        ),
        (
            commands.Fetch("hf://org/models", COMMIT, size_limit=1 << 30),
            understood("hf://org/models", revision=COMMIT, size_limit=1 << 30),
        ),
        (
            commands.Fetch("hf://org/models", COMMIT, evict=True, in_use=("a/1", "b/2")),
            understood("hf://org/models", revision=COMMIT, evict=True, in_use=("a/1", "b/2")),
        ),
        (
            commands.Fetch("pvc://claim/folder", "", port=8080),
            FetchOptions("pvc://claim/folder", port=8080),
        ),
    ],
)
def test_a_download_is_understood(wanted: commands.Fetch, found: FetchOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[FetchOptions] = []

    def listen(options: FetchOptions) -> int:
        heard.append(options)
        return 0

    monkeypatch.setattr(weights, "fetch_weights", listen)

    result = CliRunner().invoke(cli.app, commands.fetch(wanted, CONFIG))

    assert result.exit_code == 0, result.output
    assert heard == [found]


def test_a_download_with_a_secret_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def listen(options: FetchOptions) -> int:
        heard.append(options.secret)
        return 0

    monkeypatch.setattr(weights, "fetch_weights", listen)

    for source in ("hf://org/models", "pvc://claim"):
        result = CliRunner().invoke(cli.app, commands.fetch(commands.Fetch(source, ""), CONFIG, "hub"))
        assert result.exit_code == 0, result.output

    assert heard == ["hub", ""]  # a claim needs no token


@pytest.mark.parametrize(
    ("source", "configured", "understood"),
    [
        ("hf://org/models", True, ("hf://org/models", Path("/weights"), COMMIT, Path("/models"), Path("/config"))),
        ("pvc://claim", False, ("pvc://claim", Path("/weights"), "", Path("/models"), None)),
    ],
)
def test_a_link_is_understood(
    source: str, configured: bool, understood: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[object, ...]] = []

    def listen(*arguments: object) -> int:
        heard.append(arguments)
        return 0

    monkeypatch.setattr(weights, "link_weights", listen)

    result = CliRunner().invoke(cli.app, commands.link(source, COMMIT, configured=configured))

    assert result.exit_code == 0, result.output
    assert heard == [understood]
