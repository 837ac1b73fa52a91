"""Plain English with the field's terms, in code, docs, help and errors: words that made readers stumble stay away."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from medattn_lite.course.book_api import rooms

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted((ROOT / "medattn_lite").rglob("*.py"))
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "notebooks" / "source").glob("*.py"))]
COUNTED = (
    "one|values?|numbers?|channels|images|dots?|rows?|pictures|files?|weights?|samples?|gates?|tokens?|voxels?|"
    "logits|draws|steps|seeds|bytes|patients|blocks|labels?|panels|pixels|slices|masks?|seconds|inches|mm|generator"
)
UNITS = (
    "row|voxel|file|step|patient|channel|epoch|slice|image|batch|region|axis|class|line|fold|process|picture|subject|"
    "stage|group|network|case|side|query|second|minute|pass|curve|millimetre"
)
# What stands there → what to write instead. Matches are reported with file and line.
PHRASES: dict[str, str] = {
    rf"\b({COUNTED}) an? ({UNITS})\b(?! norm| that| is| sees|'s| of| by its| looks)": '"per": one value per channel',
    r"\bdealt (labels|at random)\b|\blabels (were |are )?dealt\b": '"shuffled labels"',
    r"\btold right\b": '"classified right"',
    r"\b[Aa] figure with its interval\b|\bthe figure alone\b": '"value"; a figure is a picture',
    r"\bforgetful twin\b|\bthe twin\b": '"re-initialised network"',
    r"\ba coin\b": '"chance"',
    r"\b(dealt|deals?) (slices|patients|by slice|by patient)\b": '"split", "assigned"',
    r"\bknows? no network\b|\bnever met it\b|\bfall silent\b|\bno feature speaks\b": "what is measured",
    r"\b(promises? (are )?kept|second opinion|made up its mind|through the eyes of)\b": "what is measured",
    r"\bseed by seed\b": '"one seed after another", "per seed"',
    r"(?<!there )\bis no (number|file|folder|record|mask|name|point|page|text|JSON|whole|channel|proportion|"
    r"bundle|map|label map|copy|report|follow-up|volume|image|error|data set)\b":
        '"is not a"',
    r"(?<!there )\bare no (numbers|probabilities|tumour regions|options|files|volumes|tensors|days|lesions)\b":
        '"are not"',
    r"\bcompared with a coin\b|\bbetter than a coin\b": '"better than chance"',
}  # fmt: skip
# Names that say nothing of what they hold, or another thing than elsewhere, and what they became.
NAMES: dict[str, str] = {
    "settle": "fit_without_gradients", "without_better": "validations_without_improvement",
    "sharpest_nearby": "sam_ascent", "undisturbed": "evaluating", "silent_images": "empty_map_warnings",
    "evened": "move_towards_uniform", "twin": "reinitialised_copy", "share_in_order": "harrell_c",
    "taught": "training_labels", "times_even": "peak_over_uniform", "half_in": "half_mass_share",
}  # fmt: skip
# Variables and parameters say what they hold. `given` is a term of the audit: what findings are adjusted for.
HOLDS_ANYTHING = frozenset(("own", "found", "said", "told", "asked"))
VERBS = frozenset(
    "Adds Adjusts Aligns Appends Asks Assigns Attaches Audits Averages Begins Brings Builds Calls Captures Checks "
    "Chooses Collates Collects Combines Compares Computes Converts Copies Counts Creates Cuts Describes Displays "
    "Divides Downloads Draws Estimates Explains Explores Fetches Fills Finds Fits Fuses Generates Gives Inverts Keeps "
    "Lays Lists Loads Looks Makes Marks Matches Measures Moves Names Normalises Opens Pads Picks Plants Predicts Puts "
    "Ranks Reads Rebuilds Registers Renders Resamples Restores Returns Runs Saves Says Scales Scores Sets Shortens "
    "Shows Shuffles Splits Standardises Stops Sums Takes Tells Tests Trains Turns Wraps Writes Yields Restricts "
    "Applies Averages, Prints Raises Replaces Reproduces Renames Crops".split()
)


def matches(text: str, phrases: dict[str, str]) -> Iterator[tuple[int, str, str]]:
    """Line, what stands there, and what to write instead."""
    for pattern, instead in phrases.items():
        for match in re.finditer(pattern, text):
            yield text.count("\n", 0, match.start()) + 1, match[0], instead


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_docs_are_in_plain_english(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [f"{path.name}:{line}: {words!r}: write {instead}" for line, words, instead in matches(text, PHRASES)] == []


def test_docstrings_comments_help_and_errors_are_in_plain_english() -> None:
    wrong = []
    for path in CODE:
        text = path.read_text(encoding="utf-8")
        wrong += [f"{path.relative_to(ROOT)}:{line}: {words!r}: write {instead}"
                  for line, words, instead in matches(text, PHRASES)]  # fmt: skip
    assert wrong == []


def test_riddles_are_no_names() -> None:
    wrong = []
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "arg", None)]
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.append(node.name)
            wrong += [f"{path.relative_to(ROOT)}:{node.lineno}: {name}: call it {NAMES[name]}"
                      for name in names if isinstance(name, str) and name in NAMES]  # fmt: skip
    assert wrong == []


def bound_names(code: str) -> Iterator[tuple[int, str]]:
    """Line and name of every variable, parameter, field, function and class, and of what `except` and `match` bind."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            yield node.lineno, node.name or ""
        elif isinstance(node, ast.MatchMapping):
            yield node.lineno, node.rest or ""
        elif isinstance(node, ast.alias):
            yield node.lineno, node.asname or node.name


def test_a_name_says_what_it_holds() -> None:
    wrong = []
    for path in CODE:
        wrong += [f"{path.relative_to(ROOT)}:{line}: {name}: name what it holds"
                  for line, name in bound_names(path.read_text(encoding="utf-8"))
                  if name.strip("_") in HOLDS_ANYTHING]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        "own = 1", "a, (own, *_) = b", "def f(own): ...", "def f(*, own=1): ...", "def f(*own): ...", "lambda own: 1",
        "[own for own in a]", "{k: own for k, own in a}", "for own in a: ...", "with a as own: ...", "own: int",
        "(own := 1)", "own += 1", "a.own = 1", "def _own(): ...", "import a as own", "class C:\n    own: int",
        "try: ...\nexcept E as own: ...", "match a:\n    case [own, *_]: ...", "match a:\n    case {**own}: ...",
    ],
)  # fmt: skip
def test_every_way_to_bind_a_name_is_looked_at(code: str) -> None:
    assert [name.strip("_") for _, name in bound_names(code)].count("own") == 1
    assert "own" not in [name for _, name in bound_names(code.replace("own", "owned"))]


def test_the_docstring_of_a_public_function_begins_with_a_verb() -> None:
    wrong = []
    for room in rooms():
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isroutine(value) and value.__module__.startswith("medattn_lite"):
                first = (inspect.getdoc(value) or " ").split()[0]
                wrong += [] if first in VERBS else [f"{room}.{name} begins with {first}: say what it does"]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("one value a channel", 1), ("one value per channel", 0), ("mm a row and mm a column", 1),
        ("a batch norm, and a file", 0), ("each row a slice that looks", 0), ("labels dealt at random", 1),
        ("values that are no numbers", 1), ("there are no files", 0),
        ("it is no number", 1), ("there is no file", 0), ("the forgetful twin", 1), ("better than chance", 0),
    ],
)  # fmt: skip
def test_what_is_looked_for_is_found_and_nothing_else(text: str, count: int) -> None:
    assert len({line for line, *_ in matches(text, PHRASES)}) == count
