"""Names from outside (patients, classes, columns, variants) stay words on every page that is made of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from medattn_lite.audit.page import page as audit_page
from medattn_lite.audit.run import Audit
from medattn_lite.audit.verdicts import Finding
from medattn_lite.course.safe_html import safe_html
from medattn_lite.escaping import inline, inline_all
from medattn_lite.evaluation.readme_table import readme_table
from medattn_lite.evaluation.results import page
from tests.evaluation.test_results import RECORD

HOSTILE = ["<script>alert(1)</script>", "a | b", "x](javascript:alert(1)", "[x](javascript:alert(1))", "[x]: y",
           "<img src=x onerror=alert(1)>", "![x](http://h.example/p.png)", "a\n\n# heading\n\n| a | b |\n|---|---|",
           "$\\foo$", "a\x1b[2J", "```{raw} html", "[x][y]"]  # fmt: skip


def shape(text: str) -> list[str]:
    """What a Markdown text is made of: its tokens, without the words."""
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    kinds = [f"{token.type} {token.level}" for token in tokens if token.type != "inline"]
    for token in tokens:
        kinds += [part.type for part in token.children or () if part.type not in ("text", "text_special", "softbreak")]
    return kinds


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_makes_no_tag_link_row_or_heading_on_the_page_of_results(name: str, tmp_path: Path) -> None:
    pages = []
    for word in ("plain", name):
        record = copy.deepcopy(RECORD)
        record["variants"] = {word if key == "P3D" else key: variant for key, variant in record["variants"].items()}
        record["comparisons"] = [{**pair, "second": word, "first": word} for pair in record["comparisons"]]
        record["data_facts"]["classes"] = {word: 37, "high": 42}
        record["transfers"] = [{"tested_on": word, "lesion_ml": {word: 1.0},
                                "variants": {word: {"dice_by_patient": {word: 0.5}}}}]  # fmt: skip
        folder = tmp_path / str(len(pages))
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(record))
        pages.append([shape(page(folder, command="medattn results").replace(str(folder), "")),
                      shape(readme_table(folder))])  # fmt: skip
    assert pages[0] == pages[1]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_class_or_a_column_makes_none_on_the_page_of_an_audit(name: str) -> None:
    def text(word: str) -> str:
        findings = [Finding(name=word, kind="factor", label=word, value=0.9, low=0.8, high=0.95, n=30, p=0.001,
                            direction=f"higher in {word}"),
                    Finding(name=word, kind="factor", label=word, why=f"{word} is the same in every case")]  # fmt: skip
        audit = Audit(label=word, classes={word: 10, "b": 20}, findings=findings, constant=[word], notes=[word],
                      settings={"repeats": 2, "margin_mm": 5.0, "seed": 0, "given": [word]})  # fmt: skip
        return audit_page(audit, title=word)

    assert shape(text(name)) == shape(text("plain"))


def test_plain_words_and_intervals_stay_as_they_are() -> None:
    for text in ("P3D + IAM", "0.5 [0.1, 0.9] (n 3)", "TCGA_CS_4941", "grade II/III, 40 %", "a*b", "Müller"):
        assert inline(text) == text
    assert inline_all({"a": [1, "x", None, True]}) == {"a": [1, "x", None, True]}


@pytest.mark.parametrize(("text", "kept"), [
    ("<p>a</p><script>go()</script>", "<p>a</p>"),
    ("<SCRIPT src=x></SCRIPT >b", "b"),
    ('<img src=x onerror="go()">', '<img src="x">'),
    ('<a href=" java\nscript:go()">x</a>', "<a>x</a>"),
    ("<iframe srcdoc='<p>a'>b</iframe>c", "c"),
    ('<a href="data:text/html,x">x</a>', "<a>x</a>"),
    ('<td class="n">1 &lt; 2 &amp; 3</td>', '<td class="n">1 &lt; 2 &amp; 3</td>'),
    ('<img class="f" src="data:image/png;base64,AA=="/>', '<img class="f" src="data:image/png;base64,AA=="/>'),
    ("<svg><script>go()</script><path d='M0 0'/></svg>", '<svg><path d="M0 0"/></svg>'),
    ("<script>never closed", ""),
])  # fmt: skip
def test_html_of_an_output_keeps_its_words_and_runs_nothing(text: str, kept: str) -> None:
    assert safe_html(text) == kept
