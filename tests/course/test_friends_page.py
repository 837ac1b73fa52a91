"""What the pages beside the notebooks say is true: code runs, links lead somewhere, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medattn_lite.cli import _parser

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAGES = ("friends.md", "faq.md", "front.md", "data.md")
BLOCKS = [(f"{title} {number}", code)
          for title, text in re.findall(r"^## (.*?)$(.*?)(?=^## |\Z)", (NOTEBOOKS / "friends.md").read_text("utf-8"),
                                        re.MULTILINE | re.DOTALL)
          for number, code in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL))]  # fmt: skip


@pytest.mark.parametrize(("title", "code"), BLOCKS, ids=[title for title, _ in BLOCKS])
def test_each_block_runs_as_it_stands(title, code, capsys):
    if "CoxEstimator" in code:
        pytest.importorskip("sksurv", reason="the extra 'survival' is not installed")
    exec(compile(code, title, "exec"), {"__name__": "a_fresh_python"})
    assert capsys.readouterr().out.strip()


def test_every_friend_has_its_lines():
    titles = " ".join(title for title, _ in BLOCKS)
    friends = ("MONAI", "torchio", "scikit-learn", "Slicer", "nnU-Net")
    assert len(BLOCKS) >= 7 and all(name in titles for name in friends)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere_and_commands_exist(page):
    text = (NOTEBOOKS / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (NOTEBOOKS / link).exists(), link
    commands = next(action for action in _parser()._actions if hasattr(action, "choices") and action.choices).choices
    for command in re.findall(r"`medattn ([a-z-]+)", text):
        assert command in commands, command
