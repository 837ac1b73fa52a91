r"""Formulas without a network and without a script: TeX as MathML, which every browser of today draws.

JupyterLab brings its own formula renderer; a slide or a page opened from a folder has none. latex2mathml
converts; what it does not know it would show as a word with a backslash, so that is refused here.
"""

from __future__ import annotations

import re
from html import escape
from xml.etree import ElementTree

_TAG = re.compile(r"\\tag\{([^}]*)\}")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{(\w+\*?)\}")
_ENVIRONMENTS = {
    "aligned": "split", "split": "split", "align*": "align*", "cases": "cases", "matrix": "matrix",
    "pmatrix": "pmatrix", "bmatrix": "bmatrix", "vmatrix": "vmatrix",
}  # fmt: skip
_LEFT_OVER = re.compile(r">[^<]*\\[A-Za-z][^<]*<")


class UnknownTeX(ValueError):
    """A command latex2mathml does not know, or a formula that does not close."""


def mathml(tex: str, *, display: bool = False) -> str:
    """One formula as a `<math>` element; the TeX stays with it as alternative text.

    Args:
        tex: the formula without its dollar signs.
        display: on a line of its own, with limits above and below the sums.

    Raises:
        UnknownTeX: a command that is not known, a brace or an environment that does not close.
    """
    from latex2mathml.converter import convert

    formula = tex.strip()
    numbered = _TAG.sub(lambda match: rf"\qquad\text{{({match.group(1)})}}", formula)
    numbered = _ENVIRONMENT.sub(_renamed, numbered)
    if numbered.count("{") != numbered.count("}"):
        raise UnknownTeX(f"a brace does not close in {formula!r}")
    try:
        element = convert(numbered, display="block" if display else "inline")
        ElementTree.fromstring(element)
    except Exception as error:
        reason = f"{type(error).__name__} {error}"
        raise UnknownTeX(f"{formula!r} is not a formula latex2mathml can read: {reason}") from error
    if _LEFT_OVER.search(element):
        raise UnknownTeX(f"a command in {formula!r} is not known to latex2mathml")
    return element.replace("<math ", f'<math alttext="{escape(formula)}" ', 1)


def _renamed(match: re.Match) -> str:
    """latex2mathml's name for an environment."""
    verb, name = match.groups()
    if name not in _ENVIRONMENTS:
        raise UnknownTeX(f"the environment {name!r} is not one of {', '.join(_ENVIRONMENTS)}")
    return rf"\{verb}{{{_ENVIRONMENTS[name]}}}"
