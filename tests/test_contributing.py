"""What CONTRIBUTING promises to those who add a mechanism: the checklist knows what is there and what is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from medattn_lite import attention
from tests.mechanism import MECHANISMS, ROOT, checklist, main


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_mechanism_that_is_here_has_all_that_is_asked_of_a_new_one(name: str) -> None:
    assert hasattr(attention, name)
    assert [what for done, what in checklist(name, MECHANISMS[name]) if not done] == []


def test_a_new_mechanism_finds_everything_open_and_is_told_where(capsys: pytest.CaptureFixture) -> None:
    assert main(["SlicewiseTransformer", "slicewise_transformer"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 10 and all(line.startswith("- [ ] ") for line in lines)
    for part in ("attention/slicewise_transformer.py", "tests/attention", "tests/parity", "notebooks/source"):
        assert any(part in line for line in lines)


def test_what_is_half_done_shows_as_half_done(tmp_path: Path) -> None:
    (tmp_path / "medattn_lite" / "attention").mkdir(parents=True)
    (tmp_path / "medattn_lite" / "attention" / "new.py").write_text(
        '"""New.\n\nPaper: A 2026.\n"""\nimport numpy\nclass New:\n    """Args:\n        x: (B, C)."""\n'
    )
    states = {what.split("`: ")[0]: done for done, what in checklist("New", "new", tmp_path)}
    done = [what for ok, what in checklist("New", "new", tmp_path) if ok]
    assert len(done) == 3 and any("Paper:" in what for what in done) and any("arguments" in what for what in done)
    assert not all(states.values())


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
