r"""Formulas without a network and without a script: the TeX that the notebooks use, as MathML.

JupyterLab brings its own formula renderer; a slide or a page opened from a folder has none, and every
browser of today draws MathML. Only the commands listed in `mathml_symbols` are known; another one raises,
so that a formula is never shown half.
"""

from __future__ import annotations

import re
from html import escape

from medattn_lite.course import mathml_symbols as symbols

_TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
_ENVIRONMENTS = {
    "aligned": ("", ""), "align": ("", ""), "align*": ("", ""), "gathered": ("", ""), "array": ("", ""),
    "split": ("", ""), "cases": ("{", ""), "matrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"),
    "vmatrix": ("|", "|"),
}


class UnknownTeX(ValueError):
    """A command this converter does not know, or a formula that does not close."""


def mathml(tex: str, *, display: bool = False) -> str:
    """One formula as a `<math>` element; the TeX stays in it as an annotation.

    Args:
        tex: the formula without its dollar signs.
        display: on a line of its own, with limits above and below the sums.

    Raises:
        UnknownTeX: a command that is not known, a brace or an environment that does not close.
    """
    parser = _Parser(tex, display)
    body = parser.row(until=())
    if parser.position < len(parser.tokens):
        raise UnknownTeX(f"{parser.tokens[parser.position]!r} closes nothing in {tex.strip()!r}")
    block = ' display="block"' if display else ""
    return (f'<math xmlns="http://www.w3.org/1998/Math/MathML"{block}><semantics><mrow>{body}</mrow>'
            f'<annotation encoding="application/x-tex">{escape(tex.strip())}</annotation></semantics></math>')


class _Parser:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, tex: str, display: bool) -> None:
        self.tex = tex
        self.display = display
        self.tokens = _TOKEN.findall(tex)
        self.position = 0

    def row(self, until: tuple[str, ...]) -> str:
        """Everything up to one of `until` (not taken) or the end."""
        items: list[str] = []
        while (token := self.peek()) is not None and token not in until and token not in ("}", r"\right", r"\end"):
            if token in ("&", r"\\") and not until:
                raise UnknownTeX(f"{token!r} outside an environment in {self.tex.strip()!r}")
            items.append(self.scripted())
        return "".join(items)

    def peek(self) -> str | None:
        """The next token that is no space, or None."""
        while self.position < len(self.tokens) and self.tokens[self.position].isspace():
            self.position += 1
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if token is None or (expected is not None and token != expected):
            raise UnknownTeX(f"{expected or 'something'!r} is missing in {self.tex.strip()!r}")
        self.position += 1
        return token

    def scripted(self) -> str:
        """One atom with what hangs below and above it."""
        first = self.peek()
        base = "<mrow></mrow>" if first in ("^", "_") else self.atom()
        below = above = ""
        limits = first in symbols.ALWAYS_LIMITS or (self.display and first in symbols.LIMITS)
        while (token := self.peek()) in ("_", "^", "'", r"\limits", r"\nolimits"):
            self.take()
            if token == "_":
                below += self.atom()
            elif token == "^":
                above += self.atom()
            elif token == "'":
                above += "<mo>′</mo>"
        below, above = (f"<mrow>{part}</mrow>" if part else "" for part in (below, above))
        if not below and not above:
            return base
        if below and above:
            name = "munderover" if limits else "msubsup"
        else:
            name = ("munder" if below else "mover") if limits else ("msub" if below else "msup")
        return f"<{name}>{base}{below}{above}</{name}>"

    def atom(self) -> str:
        token = self.take()
        if token == "{":
            inside = self.row(until=("}",))
            self.take("}")
            return f"<mrow>{inside}</mrow>"
        if token.startswith("\\"):
            return self.command(token)
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if token.isalpha():
            return f"<mi>{token}</mi>"
        if token in "()[]|":
            return f'<mo stretchy="false">{token}</mo>'
        return f"<mo>{escape({'-': '−', '*': '∗', '~': ' '}.get(token, token))}</mo>"

    def command(self, token: str) -> str:
        name = token[1:]
        if name in symbols.IDENTIFIERS:
            return f"<mi>{symbols.IDENTIFIERS[name]}</mi>"
        if name in symbols.OPERATORS:
            return f"<mo>{escape(symbols.OPERATORS[name])}</mo>"
        if name in symbols.FENCES:
            return f'<mo stretchy="false">{escape(symbols.FENCES[name])}</mo>'
        if name in symbols.FUNCTIONS:
            return f"<mi>{symbols.FUNCTIONS[name]}</mi>"
        if name in symbols.SPACES:
            return f'<mspace width="{symbols.SPACES[name]}"></mspace>'
        if name in symbols.IGNORED:
            return ""
        if name in symbols.ACCENTS:
            place, sign = symbols.ACCENTS[name]
            wide = str(len(name) > 5).lower()
            return f'<{place} accent="true">{self.atom()}<mo stretchy="{wide}">{sign}</mo></{place}>'
        if name in symbols.ALPHABETS:
            return self.alphabet(name)
        if name in ("text", "textrm", "textbf", "textit", "mathrm", "operatorname", "operatorname*", "texttt"):
            words = escape(self.raw_group())
            upright = name.startswith(("math", "oper"))
            return f'<mi mathvariant="normal">{words}</mi>' if upright else f"<mtext>{words}</mtext>"
        if name in ("frac", "tfrac", "dfrac"):
            return f"<mfrac>{self.atom()}{self.atom()}</mfrac>"
        if name == "sqrt":
            return self.root()
        if name in ("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr"):
            return self.fenced() if name == "left" else self.fence()
        if name == "begin":
            return self.environment()
        if name == "tag":
            return f'<mspace width="2em"></mspace><mtext>({escape(self.raw_group())})</mtext>'
        raise UnknownTeX(f"the command {token!r} in {self.tex.strip()!r} is not known to medattn_lite.course.mathml")

    def alphabet(self, name: str) -> str:
        letters = self.row_or_letter()
        return "".join(f"<mi>{symbols.styled(letter, name)}</mi>" for letter in letters)

    def row_or_letter(self) -> str:
        """The letters of a group; a named letter such as \\beta counts as one."""
        token = self.peek()
        if token != "{":
            inside = self.take()
        else:
            inside = self.raw_group()
        return re.sub(r"\\([A-Za-z]+)\s*", lambda m: symbols.IDENTIFIERS.get(m.group(1), m.group(0)), inside).strip()

    def raw_group(self) -> str:
        """The text between two braces, spaces kept."""
        self.take("{")
        depth, words = 1, []
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            self.position += 1
            depth += {"{": 1, "}": -1}.get(token, 0)
            if depth == 0:
                return re.sub(r"\\([_%&#$ ,])", r"\1", "".join(words)).replace("$", "")
            words.append(token)
        raise UnknownTeX(f"a brace does not close in {self.tex.strip()!r}")

    def root(self) -> str:
        if self.peek() != "[":
            return f"<msqrt>{self.atom()}</msqrt>"
        self.take("[")
        degree = self.row(until=("]",))
        self.take("]")
        return f"<mroot>{self.atom()}<mrow>{degree}</mrow></mroot>"

    def fence(self) -> str:
        token = self.take()
        sign = symbols.FENCES.get(token[1:], token) if token.startswith("\\") else token
        return f'<mo stretchy="true">{escape("" if sign == "." else sign)}</mo>'

    def fenced(self) -> str:
        opening = self.fence()
        inside = self.row(until=(r"\right",))
        self.take(r"\right")
        return f"<mrow>{opening}{inside}{self.fence()}</mrow>"

    def environment(self) -> str:
        name = self.raw_group()
        if name not in _ENVIRONMENTS:
            raise UnknownTeX(f"the environment {name!r} in {self.tex.strip()!r} is not known")
        if name == "array":
            self.raw_group()  # the columns' alignment
        rows: list[list[str]] = [[]]
        while True:
            rows[-1].append(self.row(until=("&", r"\\", r"\end")))
            token = self.take()
            if token == r"\\":
                rows.append([])
            elif token == r"\end":
                if self.raw_group() != name:
                    raise UnknownTeX(f"the environment {name!r} in {self.tex.strip()!r} does not close")
                break
        lines = ["".join(f"<mtd>{cell}</mtd>" for cell in row) for row in rows if any(row)]
        align = ' columnalign="right left" class="aligned"' if name.startswith(("align", "split")) else ""
        table = f"<mtable{align}>{''.join(f'<mtr>{line}</mtr>' for line in lines)}</mtable>"
        opening, closing = (f'<mo stretchy="true">{sign}</mo>' if sign else "" for sign in _ENVIRONMENTS[name])
        return f"<mrow>{opening}{table}{closing}</mrow>"
