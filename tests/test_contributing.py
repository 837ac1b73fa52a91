"""What CONTRIBUTING promises to those who add a mechanism: the checklist knows what is there and what is not."""

from __future__ import annotations

import re

import pytest
import torch
import yaml

from medattn_lite.attention.registry import MECHANISMS, Mechanism
from tests.mechanism import ROOT, checklist, main


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_mechanism_that_is_here_has_all_that_is_asked_of_a_new_one(name: str) -> None:
    assert [what for done, what in checklist(name) if not done] == []


def test_a_new_mechanism_finds_everything_open_and_is_told_where(capsys: pytest.CaptureFixture) -> None:
    assert main(["slicewise_transformer"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 10 and all(line.startswith("- [ ] ") for line in lines)
    parts = ("attention/slicewise_transformer.py", "registry.py", "contract.py", "tests/parity", "notebooks/source")
    for part in parts:
        assert any(part in line for line in lines)
    assert main([]) == 2


class Doubling(torch.nn.Module):
    """Args: channels. Has no map, and no way in for hooks."""

    def __init__(self, channels: int, *, spatial_dims: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels, *(1,) * spatial_dims))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * self.weight * x


def test_what_is_half_done_shows_as_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    half = Mechanism("eca", "Doubling", "doubling")
    registry = {**MECHANISMS, "doubling": half}
    monkeypatch.setattr("medattn_lite.attention.eca.Doubling", Doubling, raising=False)
    monkeypatch.setattr("medattn_lite.attention.registry.MECHANISMS", registry)
    states = {what: done for done, what in checklist("doubling", registry)}
    open_items = [what for what, done in states.items() if not done]
    assert any("keeps the shape" in what for what, done in states.items() if done)
    for part in ("has the class", "shows its maps", "uses the map", "tests/parity", "notebook"):
        assert any(part in what for what in open_items), part
    assert not any("right gradient" in what for what in open_items)


def test_contributing_names_the_command_and_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "python -m tests.mechanism" in text
    for room in sorted(path.name for path in (ROOT / "medattn_lite").iterdir() if path.is_dir()):
        assert room == "__pycache__" or f"  {room}/" in text, room


def test_issue_forms_and_hooks_are_well_formed() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert {form.stem for form in forms} >= {"bug", "notebook", "config"}
    for form in forms:
        content = yaml.safe_load(form.read_text(encoding="utf-8"))
        if form.stem != "config":
            assert content["name"] and content["description"]
            ids = [part["id"] for part in content["body"] if part["type"] != "markdown"]
            assert len(set(ids)) == len(ids) >= 2
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    assert any("ruff check" in entry for entry in entries) and any("course.generate" in entry for entry in entries)


def test_the_citation_has_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert str(citation["version"]) == version
    assert {"title", "authors", "license", "message"} <= set(citation)
