"""The book's API reference: a page per room with every public name, its signature and its docstring.

Sphinx's autodoc imports the package and asks `medattn_lite.<room>.__all__`; nothing is written by hand. Docstrings are
plain text in Google style with Markdown's single backticks: `to_rst` makes reStructuredText of them, formulas and
drawings as they stand, so that no character of a formula is taken for markup.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PACKAGE = Path(__file__).resolve().parents[1]
EXTENSIONS = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
SETTINGS: dict[str, Any] = {
    "autodoc_typehints": "none",  # types stand in the signature
    "autodoc_preserve_defaults": True,
    "napoleon_google_docstring": True,
    "napoleon_numpy_docstring": False,
    "napoleon_use_ivar": True,
    "napoleon_custom_sections": [("Warns", "Warnings")],
}
SECTIONS = ("Args:", "Returns:", "Raises:", "Yields:", "Attributes:", "Warns:", "Example:", "Examples:")
_CODE = re.compile(r"``[^`]+``|`([^`]+)`")
_MARKUP = re.compile(r"[\\*|]|_(?!\w)|(?<![\w])_(?=\w)")


@cache
def rooms() -> tuple[str, ...]:
    """Names of the packages that list public names, `medattn_lite` first."""
    names = []
    for path in sorted(PACKAGE.rglob("__init__.py")):
        name = ".".join(("medattn_lite", *path.parent.relative_to(PACKAGE).parts))
        if getattr(importlib.import_module(name), "__all__", ()):
            names.append(name)
    return tuple(names)


def restore_signatures() -> None:
    """Takes off the signatures, with defaults as they stand in the source, that autodoc has put on public names.

    Whoever asks for a signature later in the same process (scikit-learn's estimators do) needs the real defaults.
    """
    for room in rooms():
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            classes = value.__mro__ if inspect.isclass(value) else ()
            for documented in (value, *(member for kind in classes for member in vars(kind).values())):
                documented = getattr(documented, "__func__", documented)  # of class methods and static methods
                signature = getattr(documented, "__dict__", {}).get("__signature__")
                if signature is not None and _is_of_autodoc(signature):
                    del documented.__signature__


def _is_of_autodoc(signature: inspect.Signature) -> bool:
    defaults = (parameter.default for parameter in signature.parameters.values())
    return any(type(default).__module__.startswith("sphinx.") for default in defaults)


def write_api(folder: Path) -> list[str]:
    """Writes a page per room.

    Args:
        folder: where the pages go; made if it is missing.

    Returns:
        their names, without suffix.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for room in rooms():
        names.append(room.replace(".", "_"))
        (folder / f"{names[-1]}.rst").write_text(_page(room), encoding="utf-8")
    return names


def _page(room: str) -> str:
    module = importlib.import_module(room)
    title = f"``{room}``"
    lines = [title, "=" * len(title), "", f".. module:: {room}", "", *to_rst((module.__doc__ or "").split("\n")), ""]
    for name in sorted(module.__all__, key=str.lower):
        home = _home(name, getattr(module, name))
        if home != room:
            lines += [f".. py:data:: {name}", f"   :module: {room}", "", f"   See :py:obj:`{home}.{name}`.", ""]
        elif name != "__version__":
            lines += [*_entry(room, name, getattr(module, name)), ""]
    return "\n".join(lines) + "\n"


def _home(name: str, value: Any) -> str:
    """The innermost room that lists a name; it is described there once."""
    listing = (room for room in rooms() if getattr(importlib.import_module(room), name, None) is value)
    return max(listing, key=lambda room: room.count("."))


def _entry(room: str, name: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        return [f".. autoclass:: {room}.{name}", "   :members:", "   :exclude-members: forward, extra_repr"]
    if inspect.isroutine(value):
        return [f".. autofunction:: {room}.{name}"]
    return [f".. py:data:: {name}", f"   :module: {room}", "", f"   {_kind(value)}"]


def _kind(value: Any) -> str:
    if isinstance(value, dict) or hasattr(value, "keys"):
        return "By name: " + ", ".join(f"``{key}``" for key in value) + "."
    if isinstance(value, tuple | list):
        return "One of " + ", ".join(f"``{choice}``" for choice in value) + "."
    return f"``{value!r}``"


def to_rst(lines: Sequence[str]) -> list[str]:
    """A docstring in plain text as reStructuredText.

    Code between backticks becomes literal, what stands further in than its paragraph becomes a block shown as it is,
    everything else is text; the sections of Google's style stay for napoleon.

    Args:
        lines: of the docstring; the first may stand further out than the rest.
    """
    cleaned = inspect.cleandoc("\n".join(lines)).split("\n")
    out: list[str] = []
    inside = drawing = example = False
    for number, line in enumerate(cleaned):
        indent = len(line) - len(line.lstrip())
        if line in SECTIONS:
            inside = True
        elif line and not indent:
            inside = False
        example = line.lstrip().startswith(">>>") or (example and bool(line))
        if example:
            out.append(line)
            continue
        starts = bool(line) and indent > 0 and not inside and not (number and cleaned[number - 1])
        if starts and not drawing:
            out += ["::", ""]
        drawing = starts or (drawing and (indent > 0 or not line))
        out.append(line if drawing else _text(line))
    return out


def _text(line: str) -> str:
    parts, end = [], 0
    for code in _CODE.finditer(line):
        parts += [_escaped(line[end : code.start()]), f"``{code[1]}``" if code[1] else code[0]]
        end = code.end()
    return "".join([*parts, _escaped(line[end:])])


def _escaped(text: str) -> str:
    return _MARKUP.sub(lambda match: f"\\{match[0]}", text)


def add_to(app: Sphinx) -> None:
    """Registers the translation of docstrings, before napoleon reads their sections."""
    app.connect("autodoc-process-docstring", _process, priority=100)


def _process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = to_rst(lines)
