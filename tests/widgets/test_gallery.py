"""The gallery is as its command makes it, small, and every picture has words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medattn_lite.errors import UserError
from medattn_lite.widgets.gallery import BEGIN, END, GALLERY, main, page, picture, put, table
from medattn_lite.widgets.ready import READY

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 1_500_000  # bytes of all pictures of README and gallery together
ALT = re.compile(r"!\[([^\]]*)\]\(([^)]+\.png)\)")


def test_readmes_pictures_are_there_small_and_have_words():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = dict((path, words) for words, path in ALT.findall(readme))
    assert {f"figures/gallery_{entry.explorer}.png" for entry in GALLERY} <= set(shown)
    assert {path: words for path, words in shown.items() if len(words.split()) < 8} == {}
    assert sum((ROOT / path).stat().st_size for path in shown) <= LARGEST


def test_page_and_readme_are_as_the_command_writes_them():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    written = (ROOT / "figures" / "gallery.md").read_text(encoding="utf-8")
    alts = {entry.explorer: next(words for words, path in ALT.findall(written) if entry.explorer in path)
            for entry in GALLERY}  # fmt: skip
    assert page(alts) == written and put(readme, table(alts)) == readme


def test_every_picture_shows_an_explorer_and_leads_to_its_notebook():
    assert all(entry.explorer in READY and (ROOT / "notebooks" / "source" / f"{entry.notebook}.py").exists()
               for entry in GALLERY)  # fmt: skip


def test_a_picture_is_small_and_described():
    png, alt = picture(next(entry for entry in GALLERY if entry.explorer == "slices"))
    assert 10_000 < len(png) < 150_000 and "flair" in alt and "three planes" in alt


def test_a_readme_without_a_place_for_it_is_left_alone(tmp_path, capsys):
    with pytest.raises(UserError, match="put them where"):
        put("# mine", "x")
    assert put(f"a {BEGIN} old {END} b", "new") == "a new b"
    assert main(tmp_path) == 2 and "checkout" in capsys.readouterr().err
