"""The checklist of a mechanism, run: what of it is there, and what its block does and does not do.

    python -m tests.mechanism eca                 a mechanism of the registry
    python -m tests.mechanism my_attention        a new one: the list of what to write, as Markdown

The contract of `tests/attention/contract.py` is run on the block itself, and so is its comparison with a reference in
`tests/parity`. Paste what it prints into the pull request. `tests/test_contributing.py` holds it over the registry.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch

from medattn_lite.attention.registry import MECHANISMS, Mechanism, create
from tests.attention.contract import CHANNELS, CONTRACT, keeps_the_signature
from tests.parity.goldens import compare, records, reference_name
from tests.parity.live import LIVE, LIVE_LIMIT
from tests.parity.references import REFERENCES

ROOT = Path(__file__).resolve().parents[1]
CONTROL = "none"  # has no map and changes nothing, so most of the contract says nothing about it
NO_CODE = re.compile(r"No code is\s+(public|known)|no reference code|^Paper: none", re.IGNORECASE | re.MULTILINE)
Item = tuple[bool, str]


def checklist(name: str, mechanisms: Mapping[str, Mechanism] = MECHANISMS, root: Path = ROOT) -> list[Item]:
    """(done, what) of each thing a mechanism needs, in the order in which to write them.

    Args:
        name: its name in the registry.
        mechanisms: the registry.
        root: the checkout.
    """
    mechanism = mechanisms.get(name)
    return [
        *_file(name, mechanism, root),
        *_contract(name, mechanism),
        _parity(mechanism, root),
        _notebook(name, mechanism, root),
    ]


def _file(name: str, mechanism: Mechanism | None, root: Path) -> Iterator[Item]:
    path = root / "medattn_lite" / "attention" / f"{mechanism.file if mechanism else name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8") if path.is_file() else "")
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    docstring, shown = ast.get_docstring(tree) or "", path.relative_to(root)
    registry = "`medattn_lite/attention/registry.py`"
    yield mechanism is not None, f"{registry} has a line `{name!r}: Mechanism(…)`"
    yield mechanism is not None and mechanism.class_name in classes, f"`{shown}` has the class that this line names"
    yield "Paper:" in docstring, f"`{shown}` names its paper: a line `Paper: …` in the docstring"
    yield "Deviations:" in docstring, f"`{shown}` names every deviation: a line `Deviations: …`, or `Deviations: none.`"
    described = (
        (ast.get_docstring(classes[mechanism.class_name]) or "")
        if mechanism and mechanism.class_name in classes
        else ""
    )
    yield "Args:" in described, f"`{shown}`: the class says what its arguments are, with units and shapes"


def _contract(name: str, mechanism: Mechanism | None) -> Iterator[Item]:
    where = "`tests/attention/contract.py`: the block"
    yield _passes(mechanism, lambda: keeps_the_signature(name)), f"{where} takes channels first and the rest by keyword"
    if name == CONTROL:
        return
    for words, check in CONTRACT.items():
        for dims in mechanism.spatial_dims if mechanism else (2, 3):
            done = _passes(mechanism, lambda dims=dims, check=check: check(_builder(name, dims), spatial_dims=dims))
            yield done, f"{where} {words} ({dims}-D)"


def _builder(name: str, spatial_dims: int) -> Callable[[], torch.nn.Module]:
    return lambda: create(name, CHANNELS, spatial_dims=spatial_dims)


def _passes(mechanism: Mechanism | None, check: Callable[[], None]) -> bool:
    if mechanism is None:
        return False
    try:
        check()
    except Exception:  # whatever a new block raises, the item is open
        return False
    return True


def _parity(mechanism: Mechanism | None, root: Path) -> Item:
    what = "`tests/parity`: the block equals a reference (`references.py`, `live.py`), or its docstring says that no "
    what += "code is public"
    if mechanism is None:
        return False, what
    path = root / "medattn_lite" / "attention" / f"{mechanism.file}.py"
    if NO_CODE.search(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""):
        return True, what
    differences = [
        max(compare(golden).output, compare(golden).settled) <= REFERENCES[reference_name(golden)].limit
        for golden in records()
        if REFERENCES[reference_name(golden)].title == mechanism.class_name
    ]
    measured = [measure for block, _, measure in LIVE.values() if block.split(",")[0] == mechanism.class_name]
    differences += [max(measure()) <= LIVE_LIMIT for measure in measured]
    return bool(differences) and all(differences), what


def _notebook(name: str, mechanism: Mechanism | None, root: Path) -> Item:
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / "notebooks" / "source").glob("*.py"))]
    builds = re.compile(rf'(create\(|attention=)"{name}"' + (rf"|\b{mechanism.class_name}\b" if mechanism else ""))
    taught = name == CONTROL or any(builds.search(source) for source in sources)
    return taught, f"a notebook in `notebooks/source` builds it, by name (`attention.create({name!r}, …)`) or class"


def main(arguments: list[str] | None = None) -> int:
    """Prints the list; returns 1 while anything is open, 2 without a name."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 1:
        print("python -m tests.mechanism NAME, such as: python -m tests.mechanism eca", file=sys.stderr)
        return 2
    items = checklist(words[0])
    print("\n".join(f"- [{'x' if done else ' '}] {what}" for done, what in items))
    return 0 if all(done for done, _ in items) else 1


if __name__ == "__main__":
    sys.exit(main())
