"""How much goes on a slide: text is cut between its blocks, where a screen of 1366 × 768 would be full."""

from __future__ import annotations

import re

LINES = 17  # of 20 px text that a screen of 768 px holds under a heading
_WIDTH = 105  # characters on such a line
_TAG = re.compile(r"<[^>]+>")


def blocks(markdown: str) -> list[str]:
    """Text cut at its empty lines; a fence, a formula of several lines, a table and a list stay whole."""
    pieces: list[list[str]] = [[]]
    fenced = False
    for line in markdown.split("\n"):
        opens = line.lstrip().startswith("```") or line.strip() == "$$"
        if not line.strip() and not fenced:
            pieces.append([])
            continue
        pieces[-1].append(line)
        fenced ^= opens
    texts = ["\n".join(lines) for lines in pieces if lines]
    whole: list[str] = []
    for text in texts:  # a list goes on over an empty line
        if whole and _is_item(text) and _is_item(whole[-1].split("\n")[-1]):
            whole[-1] += "\n\n" + text
        else:
            whole.append(text)
    return whole


def _is_item(text: str) -> bool:
    return re.match(r"\s*(?:[-*+]|\d+\.) ", text) is not None


def height(block: str) -> float:
    """About how many lines of a slide a block of Markdown takes, with the space under it."""
    text = _TAG.sub("", block)
    if text.lstrip().startswith("```"):
        return 0.85 * text.count("\n") + 1.5
    if text.lstrip().startswith("|"):
        return sum(0.5 + _row(row) for row in text.split("\n")) + 1
    if text.lstrip().startswith("$$"):
        return 3.5
    if "<img" in block:
        return 14
    return sum(1 + len(line) // _WIDTH for line in text.split("\n")) + 0.8


def _row(row: str) -> int:
    """Lines of a table's row: of its fullest cell, where each takes its share of the width."""
    cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
    return max(1 + len(cell) * len(cells) // (_WIDTH + 20) // 2 for cell in cells)


def _tables(block: str) -> list[str]:
    """A table that is higher than a slide as several, each with its heading row."""
    rows = block.split("\n")
    if not block.lstrip().startswith("|") or height(block) <= LINES - 3:
        return [block]
    head, parts = rows[:2], [rows[:2]]
    for row in rows[2:]:
        if height("\n".join([*parts[-1], row])) > LINES - 3 and len(parts[-1]) > 2:
            parts.append([*head])
        parts[-1].append(row)
    return ["\n".join(part) for part in parts]


def portions(markdown: str, *, taken: float = 0.0) -> list[str]:
    """Text as portions of a slide each; a heading takes its place on the first.

    Args:
        markdown: text of a cell below one heading, that heading first.
        taken: lines that stand on the first slide already.
    """
    pages: list[list[str]] = [[]]
    for block in [part for whole in blocks(markdown) for part in _tables(whole)]:
        lines = 2.5 if block.startswith("#") else height(block)
        if taken + lines > LINES and any(not each.startswith("#") for each in pages[-1]):
            pages.append([])
            taken = 2.5
        pages[-1].append(block)
        taken += lines
    return ["\n\n".join(each) for each in pages if each]
