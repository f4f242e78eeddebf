"""The argv that is rendered is the argv that our image understands."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from inferfleet import cli
from inferfleet.cli import weights
from inferfleet.cli.weights import FetchArguments
from inferfleet.render import commands
from render.values import COMMIT, CONFIG

HUB, CA = Path("/cache"), Path("/ca/ca.crt")


@pytest.mark.parametrize(
    ("wanted", "understood"),
    [
        (
            commands.Fetch("hf://org/models", "main", port=8080),
            FetchArguments(
                "hf://org/models",
                "main",
                CONFIG.fetch.hub_endpoint,
                HUB,
                Path("/claim"),
                False,
                CA,
                4,
                0,
                False,
                (),
                8080,
            ),
        ),
        (
            commands.Fetch("hf://org/models", "main", resolve_only=True, port=8080),
            FetchArguments(
                "hf://org/models",
                "main",
                CONFIG.fetch.hub_endpoint,
                HUB,
                Path("/claim"),
                True,
                CA,
                4,
                0,
                False,
                (),
                8080,
            ),
        ),
        (
            commands.Fetch("hf://org/models", COMMIT, size_limit=1 << 30),
            FetchArguments(
                "hf://org/models",
                COMMIT,
                CONFIG.fetch.hub_endpoint,
                HUB,
                Path("/claim"),
                False,
                CA,
                4,
                1 << 30,
                False,
                (),
                0,
            ),
        ),
        (
            commands.Fetch("hf://org/models", COMMIT, evict=True, in_use=("a/1", "b/2")),
            FetchArguments(
                "hf://org/models",
                COMMIT,
                CONFIG.fetch.hub_endpoint,
                HUB,
                Path("/claim"),
                False,
                CA,
                4,
                0,
                True,
                ("a/1", "b/2"),
                0,
            ),
        ),
        (
            commands.Fetch("pvc://claim/folder", "", port=8080),
            FetchArguments(
                "pvc://claim/folder",
                "",
                CONFIG.fetch.hub_endpoint,
                HUB,
                Path("/claim"),
                False,
                None,
                4,
                0,
                False,
                (),
                8080,
            ),
        ),
    ],
)
def test_a_download_is_understood(
    wanted: commands.Fetch, understood: FetchArguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[FetchArguments] = []

    def listen(arguments: FetchArguments) -> int:
        heard.append(arguments)
        return 0

    monkeypatch.setattr(weights, "fetch_weights", listen)

    result = CliRunner().invoke(cli.app, commands.fetch(wanted, CONFIG))

    assert result.exit_code == 0, result.output
    assert heard == [understood]


def test_a_download_with_a_secret_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []

    def listen(arguments: FetchArguments) -> int:
        heard.append(arguments.secret)
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
