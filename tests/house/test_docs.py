"""Pages for people: links lead somewhere, and every manifest in them is accepted."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from house.repository import ROOT
from inferfleet.api.parse import parse_spec
from inferfleet.api.spec import ModelDeploymentSpec

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("e2e/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FENCE = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = [found for found in LINK.findall(page.read_text("utf-8")) if "://" not in found]
    broken = [target for target in targets if not (page.parent / target).exists()]

    assert not broken


def manifests() -> list[tuple[str, object]]:
    found = [(str(page.relative_to(ROOT)), text) for page in PAGES for text in FENCE.findall(page.read_text("utf-8"))]
    found += [(str(file.relative_to(ROOT)), file.read_text("utf-8")) for file in sorted(ROOT.glob("examples/*.yaml"))]
    parsed = [(where, raw) for where, text in found for raw in yaml.safe_load_all(text)]
    return [(where, raw) for where, raw in parsed if isinstance(raw, dict) and raw.get("kind") == "ModelDeployment"]


def test_there_are_manifests_to_check() -> None:
    assert len(manifests()) > 4


@pytest.mark.parametrize(("where", "raw"), manifests(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_manifest_is_accepted(where: str, raw: dict[str, object]) -> None:
    assert isinstance(parse_spec(raw), ModelDeploymentSpec), f"{where}: {parse_spec(raw)}"


def test_make_lists_every_target_that_says_what_it_is_for() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    wanted = {line.split(":")[0] for line in makefile.splitlines() if ": " in line and " ## " in line}
    said = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout

    assert {"e2e", "demo", "test"} < wanted
    assert wanted == {line.split()[0] for line in said.splitlines() if not line.startswith("make")}
