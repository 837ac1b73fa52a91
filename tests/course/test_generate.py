"""One source, three copies; making them again changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from medattn_lite.course import generate
from medattn_lite.errors import UserError

FIRST = '''# %% [markdown]
# # 00 · First steps
#
# See [the picture](../figures/brain.png), [the next one](01_second.ipynb#part) and ![a brain](../figures/brain.png).

# %% tags=["parameters"]
SCALE = "smoke"

# %% [markdown]
# ## Squeeze
#
# $z_c = \\frac{1}{HW} \\sum_{i,j} x_{c,i,j}$
#
# *Figure 00.1.* What is not on the slide
# needs no caption.
#
# ### Within a cell
#
# ```
# # no heading
# ```

# %% tags=["slide"]
shape = (2, 3)  # a comment

# %% tags=["exercise"]
def squeeze(x):
    """Mean of each channel."""
    ### BEGIN SOLUTION
    if x is None:
        return 0
    return x.mean(dim=(2, 3))
    ### END SOLUTION

# %%
check("00-squeeze", squeeze)

# %%
check("00-squeeze", squeeze)

# %% [markdown]
# <details><summary>Hint 1</summary>Two axes.</details>

# %% [markdown] tags=["solution-only"]
# For teachers.
'''
SECOND = "# %% [markdown]\n# # 01 · `Second` steps\n\n# %% tags=[\"parameters\"]\nSCALE = \"smoke\"\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "00_first.py").write_text(FIRST)
    (tmp_path / "source" / "01_second.py").write_text(SECOND)
    (tmp_path / "source" / "helper.py").write_text("not a notebook")
    generate.write(tmp_path)
    return tmp_path


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def test_the_projects_notebooks_are_as_their_sources_make_them() -> None:
    assert generate.stale() == []


def test_making_the_notebooks_again_changes_nothing(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert generate.write(folder) == []
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert generate.main(["--check", "--notebooks", str(folder)]) == 0


def test_a_solution_becomes_one_stub_line_and_the_stub_still_runs(folder: Path) -> None:
    learner, teacher = (sources(folder / part / "00_first.ipynb") for part in (".", "solutions"))
    stub = 'def squeeze(x):\n    """Mean of each channel."""\n    ...  # your code here'
    assert stub in learner
    assert any("return x.mean(dim=(2, 3))" in text for text in teacher)
    assert not any("SOLUTION" in text for text in learner + teacher)
    assert not any("x.mean" in text for text in learner)
    namespace: dict = {}
    exec(stub, namespace)
    assert namespace["squeeze"](1) is None
    assert "For teachers." in teacher and "For teachers." not in learner


def test_copies_are_clean_and_their_cells_keep_their_ids_when_another_cell_changes(folder: Path) -> None:
    path = folder / "00_first.ipynb"
    before = nbformat.read(path, as_version=4)
    assert "widgets" not in before.metadata and len({cell.id for cell in before.cells}) == len(before.cells)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in before.cells)
    source = folder / "source" / "00_first.py"
    source.write_text(source.read_text().replace("shape = (2, 3)", "shape = (2, 4)"))
    assert generate.stale(folder) == [f"{name} differs from its source" for name in
                                      ("00_first.ipynb", "solutions/00_first.ipynb", "slides/00_first.html")]
    assert generate.main(["--check", "--notebooks", str(folder)]) == 1
    assert len(generate.write(folder)) == 3
    after = nbformat.read(path, as_version=4)
    changed = [old.source for old, new in zip(before.cells, after.cells, strict=True) if old.id != new.id]
    assert changed == ["shape = (2, 3)  # a comment"]


def test_links_lead_on_and_back_and_still_lead_somewhere_one_folder_down(folder: Path) -> None:
    first, second = (sources(folder / name) for name in ("00_first.ipynb", "01_second.ipynb"))
    assert first[-1] == "---\n[All notebooks](README.md)  ·  [01 · Second steps](01_second.ipynb) →"
    assert second[-1] == "---\n← [00 · First steps](00_first.ipynb)  ·  [All notebooks](README.md)"
    down = sources(folder / "solutions" / "00_first.ipynb")
    assert "(../../figures/brain.png), [the next one](01_second.ipynb#part)" in down[0]
    assert "![a brain](../../figures/brain.png)" in down[0] and "(../README.md)" in down[-1]
    page = (folder / "slides" / "00_first.html").read_text()
    assert 'href="01_second.html#part"' in page and 'src="../../figures/brain.png"' in page


def test_slides_hold_headings_formulas_and_tagged_code_but_no_hints_and_ask_for_nothing(folder: Path) -> None:
    page = (folder / "slides" / "00_first.html").read_text()
    assert page.count("<section") == 3 and "Slide 3 of 3" in page
    assert "<h3>Within a cell</h3>" in page and "# no heading" in page and "caption" not in page
    assert "<math" in page and "<munderover>" not in page and "<mfrac>" in page
    assert '<span class="mi">2</span>' in page and '"># a comment</span>' in page
    assert "Two axes" not in page and "def squeeze" not in page and "SCALE" not in page
    outside = page.replace('xmlns="http://www.w3.org/1998/Math/MathML"', "")
    assert "http" not in outside and "//cdn" not in outside and "src=\"../../figures" in outside


def test_what_is_missing_or_has_no_source_is_named(folder: Path) -> None:
    (folder / "01_second.ipynb").unlink()
    (folder / "solutions" / "07_old.ipynb").write_text("{}")
    (folder / "my own copy.ipynb").write_text("{}")
    assert generate.stale(folder) == ["01_second.ipynb is missing", "solutions/07_old.ipynb has no source"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FIRST.replace("    ### END SOLUTION\n", ""), "without '### END SOLUTION'"),
        (FIRST.replace("    ### BEGIN SOLUTION\n", ""), "without '### BEGIN SOLUTION'"),
        (FIRST.replace("\\frac", "\\frick"), "frick"),
        (FIRST.replace("# # 00 · First steps", "# no heading"), "has no heading"),
    ],
)
def test_a_source_that_cannot_be_made_is_named_and_nothing_is_written(folder: Path, text: str, message: str) -> None:
    (folder / "source" / "00_first.py").write_text(text)
    before = (folder / "00_first.ipynb").read_bytes()
    with pytest.raises(UserError, match="00_first.py") as caught:
        generate.write(folder)
    assert message in str(caught.value)
    assert (folder / "00_first.ipynb").read_bytes() == before
    assert generate.main(["--notebooks", str(folder)]) == 2


def test_a_folder_without_sources_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no NN_name.py"):
        generate.generated(tmp_path)


def test_the_written_json_is_what_jupyter_itself_would_write(folder: Path) -> None:
    text = (folder / "00_first.ipynb").read_text()
    assert nbformat.writes(nbformat.reads(text, as_version=4)).rstrip("\n") == text.rstrip("\n")
    assert json.loads(text)["metadata"]["kernelspec"]["name"] == "python3"
