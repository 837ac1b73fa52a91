"""The checklist of a mechanism, filled in: what of it is there, and which file lacks what.

    python -m tests.mechanism CBAM cbam             class, and its file in medattn_lite/attention
    python -m tests.mechanism MyAttention my_attention      a new one: the list of what to write, as Markdown

Paste it into the pull request. `tests/test_contributing.py` holds it over the mechanisms that are there.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MECHANISMS = {
    "SqueezeExcitation": "squeeze_excitation",
    "CBAM": "cbam",
    "SplitAttention": "split_attention",
    "InterSliceAttention": "inter_slice",
    "NonLocal": "non_local",
    "RecurrentSliceAttention": "rsa",
    "DualFusionAttention": "dual_fusion",
}
PARTS = ("by hand", "loop", "what goes wrong", "quiz")


def checklist(name: str, file: str, root: Path = ROOT) -> list[tuple[bool, str]]:
    """(done, what) of each thing a mechanism needs, in the order in which to write them.

    Args:
        name: its class.
        file: its module in `medattn_lite/attention`, without ending.
        root: the checkout.
    """
    return list(_items(name, file, root))


def _items(name: str, file: str, root: Path) -> Iterator[tuple[bool, str]]:
    path = root / "medattn_lite" / "attention" / f"{file}.py"
    text = _text(path)
    tree = ast.parse(text)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    docstring = ast.get_docstring(tree) or ""
    shown = path.relative_to(root)
    yield name in classes, f"`{shown}` has the class `{name}`"
    yield "Paper:" in docstring, f"`{shown}` names its paper: a line `Paper: …` in the docstring"
    yield "Deviations:" in docstring, f"`{shown}` names every deviation: a line `Deviations: …`, or `Deviations: none.`"
    yield _watched(path), f"`{shown}`: the map is the output of a small module, an `AttentionMap`, so that hooks see it"
    yield bool(text) and _imports(tree) <= {"torch", "medattn_lite"}, f"`{shown}` imports nothing but torch"
    said = (ast.get_docstring(classes[name]) or "") if name in classes else ""
    yield "Args:" in said, f"`{name}` says what its arguments are, with units and shapes"
    exported = _text(root / "medattn_lite" / "attention" / "__init__.py")
    yield f'"{name}"' in exported, f"`medattn_lite/attention/__init__.py` lists `{name}` in `__all__`"
    tests = "\n".join(_text(test) for test in sorted((root / "tests" / "attention").glob("test_*.py")))
    yield f"{name}(" in tests, f"`tests/attention` builds `{name}` (shapes, odd sizes, batch 1, gradients, its start)"
    parity = _text(root / "tests" / "parity" / "references.py") + _text(root / "tests" / "parity" / "live.py")
    own_words = re.search(r"No code is\s+(public|known)|no reference code", docstring, re.IGNORECASE)
    yield f'"{name}' in parity or bool(own_words), (
        f"`tests/parity` compares `{name}` with the authors' code, or its docstring says that no code is public"
    )
    notebooks = [_text(source) for source in sorted((root / "notebooks" / "source").glob("*.py"))]
    taught = [source for source in notebooks if f"{name}(" in source or f"import {name}" in source]
    yield bool(taught), f"a notebook in `notebooks/source` builds `{name}`"
    best = max(taught, key=lambda source: sum(part in source.lower() for part in PARTS), default="")
    for part in PARTS:
        yield part in best.lower(), f"that notebook has the part “{part}”"


def _watched(path: Path) -> bool:
    """Whether a file, or one beside it that it imports from, has an `AttentionMap`."""
    text = _text(path)
    beside = re.findall(r"from medattn_lite\.attention\.(\w+) import", text)
    return any("(AttentionMap" in part for part in [text, *(_text(path.with_name(f"{name}.py")) for name in beside)])


def _imports(tree: ast.Module) -> set[str]:
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main(arguments: list[str] | None = None) -> int:
    """Prints the list; returns 1 while anything is open, 2 without the two names."""
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 2:
        print("python -m tests.mechanism CLASS FILE, such as: python -m tests.mechanism CBAM cbam", file=sys.stderr)
        return 2
    items = checklist(*given)
    print("\n".join(f"- [{'x' if done else ' '}] {what}" for done, what in items))
    return 0 if all(done for done, _ in items) else 1


if __name__ == "__main__":
    sys.exit(main())
