"""Formulas become well-formed MathML, whole or not at all."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from medattn_lite.course.mathml import UnknownTeX, mathml

_SPACE = "{http://www.w3.org/1998/Math/MathML}"


def tree(tex: str, *, display: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(mathml(tex, display=display))


@pytest.mark.parametrize(
    ("tex", "read"),
    [
        (r"z_c = F_{sq}(u_c)", "zc=Fsq(uc)"),
        (r"\mathbf{M}_c(F) = \sigma\left(W_1 W_0\right) \in \mathbb{R}^{C \times 1 \times 1}", "𝐌c(F)=σ(W1W0)∈ℝC×1×1"),
        (r"\hat{y} \in \{0, 1\}", "y^∈{0,1}"),
        (r"\sqrt[3]{d}\tag{01.2}", "d3(01.2)"),
        (r"f(x) = \begin{cases} 1 & x > 0 \\ 0 & \text{else} \end{cases}", "f(x)={1x>00else"),
    ],
)
def test_a_formula_reads_as_it_should(tex: str, read: str) -> None:
    assert "".join(tree(tex).itertext()) == read


def test_limits_stand_below_the_sum_only_on_a_line_of_its_own() -> None:
    assert tree(r"\sum_{i=1}^{n} x", display=True).find(f".//{_SPACE}munderover") is not None
    assert tree(r"\sum_{i=1}^{n} x").find(f".//{_SPACE}munderover") is None
    assert tree(r"\sum_{i=1}^{n} x").find(f".//{_SPACE}msubsup") is not None


def test_rows_and_columns_of_an_environment_are_kept() -> None:
    rows = tree(r"\begin{aligned} a &= b \\ c &= d \\ \end{aligned}", display=True).findall(f".//{_SPACE}mtr")
    assert [len(row) for row in rows] == [2, 2]


def test_the_tex_stays_with_the_formula() -> None:
    assert tree(r"a < b").get("alttext") == "a < b"


@pytest.mark.parametrize("tex", [r"\weird{x}", r"{a", r"a}", r"\left( a", r"\begin{tikz}\end{tikz}",
                                 r"\begin{cases} a", r"a & b", r"\text{a"])
def test_what_is_not_known_or_does_not_close_is_refused_with_the_formula(tex: str) -> None:
    with pytest.raises(UnknownTeX):
        mathml(tex)
