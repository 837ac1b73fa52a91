"""Which cells of a notebook depend on its data: the others do the same on phantoms as on real patients.

A notebook is run whole on phantoms. On real patients it is enough to run the cells that use `DATA` or `DATA_ROOT`, or
a name computed from them, and the cells that define what those use. A training of a positive control, say, or a figure
that is drawn of numbers in the text, is the same computation twice, and is run once.

The dependencies are read from the source, statement by statement. A name counts as changed where it is assigned, where
an attribute or an element of it is, and where a method of it is called, unless it was imported. A method may change
what its object was made of, too: an optimiser's step changes the weights that it was given. So may a function that is
called for what it does, and not for what it returns: `train(model)`.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import nbformat

ONLY_SHOW = ("print", "display", "record", "check", "plots.show", "quiz")  # take values and change none
DATA_NAMES = frozenset({"DATA", "DATA_ROOT"})


@dataclass(frozen=True)
class Step:
    """Names of a statement without statements in it: what it reads, assigns anew, changes in any way, and calls."""

    reads: frozenset[str] = frozenset()
    assigns: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()


def data_lines(notebook: nbformat.NotebookNode, *, sources: frozenset[str] = DATA_NAMES) -> dict[int, str]:
    """The code that depends on the data: whole cells where it does, and elsewhere the statements that those need.

    Args:
        notebook: a notebook whose code cells are plain Python.
        sources: names of the parameters that say which data to take.

    Returns:
        Number of a cell → its code, in rising order. The cell of parameters is among them.
    """
    code = [number for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    parsed = {number: ast.parse(notebook.cells[number].source).body for number in code}
    imported = {name for lines in parsed.values() for line in lines for name in _imported(line)}
    steps = {number: [[*_steps([line], imported)] for line in lines] for number, lines in parsed.items()}
    whole = {number for number in code if "parameters" in notebook.cells[number].metadata.get("tags", [])}
    affected = set(sources)
    for number in code:
        for step in [step for line in steps[number] for step in line]:
            if step.reads & affected:
                whole.add(number)
                affected |= step.changes - imported
            else:
                affected -= step.assigns - sources
    parts = _parts([step for number in code for line in steps[number] for step in line], imported)
    needed: set[str] = set()
    kept: dict[int, str] = {}
    for number in reversed(code):
        text, lines = notebook.cells[number].source.splitlines(), []
        for line, statements in zip(reversed(parsed[number]), reversed(steps[number]), strict=True):
            if number not in whole and not any(_reach(step, parts) & needed for step in statements):
                continue
            first = min([line.lineno, *(mark.lineno for mark in getattr(line, "decorator_list", []))])
            lines[:0] = text[first - 1:line.end_lineno]
            for step in reversed(statements):
                needed = (needed - step.assigns) | step.reads
        if lines:
            kept[number] = "\n".join(text if number in whole else lines)
    return dict(sorted(kept.items()))


def _parts(steps: Sequence[Step], imported: set[str]) -> dict[str, set[str]]:
    """What each name may hold: the names that it was made of, and what those hold."""
    parts: dict[str, set[str]] = {}
    for step in steps:
        inside = step.reads - step.calls - imported
        whole = inside.union(*(parts.get(name, set()) for name in inside))
        for name in step.changes:
            parts[name] = parts.get(name, set()) | whole
    return parts


def _reach(step: Step, parts: Mapping[str, set[str]]) -> frozenset[str]:
    """What a step changes, and what it may change inside of it."""
    return step.changes.union(*(parts.get(name, set()) for name in step.changes - step.assigns))


def only_data_lines(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of the notebook with all its text, and of its code only what depends on the data or is needed there."""
    lines = data_lines(notebook)
    cells = [cell | {"source": lines.get(number, "")} if cell.cell_type == "code" else cell
             for number, cell in enumerate(notebook.cells)]
    return nbformat.from_dict({**notebook, "cells": [cell for cell in cells if cell["source"]]})


def _steps(lines: Sequence[ast.stmt], imported: set[str], known: frozenset[str] = frozenset(),
           certain: bool = True) -> Iterator[Step]:
    """The steps of some lines. What happens under a condition or in a loop reads what the condition reads too."""
    for line in lines:
        parts = [part for name in ("body", "orelse", "finalbody") for part in getattr(line, name, [])]
        parts += [part for handler in getattr(line, "handlers", []) for part in handler.body]
        if not parts or isinstance(line, ast.FunctionDef | ast.ClassDef):
            yield _step(line, imported, known, certain)
            continue
        head = [_head(line)] if not isinstance(line, ast.Try) else []
        heads = [_step(one, imported, known, certain) for one in head]
        yield from heads
        inside = known.union(*(one.reads for one in heads))
        inner = [*_steps(parts, imported, inside, certain and isinstance(line, ast.For | ast.With))]
        yield from inner
        if isinstance(line, ast.For | ast.While):  # the next turn reads what this one left
            yield from inner


def _head(line: ast.stmt) -> ast.stmt:
    """What a compound statement does before its body, as a statement of its own."""
    if isinstance(line, ast.For):
        return ast.Assign([line.target], line.iter)
    if isinstance(line, ast.With):
        opened = ast.Tuple([item.context_expr for item in line.items], ast.Load())
        return ast.Assign([item.optional_vars or ast.Name("_", ast.Store()) for item in line.items], opened)
    return ast.Expr(line.test)  # type: ignore[attr-defined]


def _step(line: ast.stmt, imported: set[str], known: frozenset[str], certain: bool) -> Step:
    table = symtable.symtable(ast.unparse(ast.fix_missing_locations(line)), "cell", "exec")
    symbols = table.get_symbols()
    stored = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    reads = {symbol.get_name() for symbol in symbols if symbol.is_referenced()} | set(_globals_inside(table))
    if isinstance(line, ast.AugAssign):
        reads |= stored
    anew = certain and isinstance(line, ast.Assign | ast.AnnAssign | ast.FunctionDef | ast.ClassDef)
    changes = stored | set(_changed_inside(line, imported))
    calls = {node.func.id for node in ast.walk(line) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return Step(known | reads, frozenset(stored if anew else ()), frozenset(changes), frozenset(calls))


def _globals_inside(table: symtable.SymbolTable) -> Iterator[str]:
    """Names of the notebook that functions, classes and comprehensions read."""
    for child in table.get_children():
        yield from (symbol.get_name() for symbol in child.get_symbols()
                    if symbol.is_global() and symbol.is_referenced())
        yield from _globals_inside(child)


def _changed_inside(line: ast.stmt, imported: set[str]) -> Iterator[str]:
    """Names whose attribute or element is assigned, a method of which is called, or that a bare call is given."""
    if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call):
        called = ast.unparse(line.value.func)
        arguments = [*line.value.args, *(word.value for word in line.value.keywords)] if called not in ONLY_SHOW else []
        yield from (part.id for part in arguments if isinstance(part, ast.Name) and part.id not in imported)
    for node in ast.walk(line):
        part: ast.AST | None = None
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            part = node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            part = node.func
        while isinstance(part, ast.Attribute | ast.Subscript):
            part = part.value
        if isinstance(part, ast.Name) and part.id not in imported:
            yield part.id


def _imported(line: ast.stmt) -> Iterator[str]:
    if isinstance(line, ast.Import | ast.ImportFrom):
        for alias in line.names:
            yield alias.asname or alias.name.partition(".")[0]
