"""The exercise matrix as a page: each exercise × stub, solution and wrong answers, with state and message.

    python -m tests.course.matrix                 writes figures/exercises.md

The tests in `test_exercises.py` run the same pairs; this is for those who want to read what a learner hears.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medattn_lite.course.checks import Result, check
from tests.course.exercise_source import source_exercises
from tests.course.wrong_answers import all_wrong_answers

PAGE = Path(__file__).resolve().parents[2] / "figures" / "exercises.md"
HEAD = """# What each answer hears

Made by `python -m tests.course.matrix`; do not edit by hand. Every exercise with its stub, its solution and the usual
wrong answers, run through the check that the learner runs. A test holds every line.
"""


def rows() -> Iterator[tuple[str, str, Result]]:
    """(exercise, answer, what it hears), in the course's order."""
    wrong = all_wrong_answers()
    for name, exercise in sorted(source_exercises().items(), key=lambda item: item[0][:2]):
        yield name, "stub", exercise.outcome(exercise.stub)
        yield name, "solution", exercise.outcome(exercise.solution)
        for number, (answer, _) in enumerate(wrong[name], start=1):
            called = getattr(answer, "__name__", "<lambda>").replace("_", " ").replace("<lambda>", f"wrong {number}")
            yield name, called, exercise.outcome(answer) if isinstance(answer, str) else check(name, answer)


def page() -> str:
    """The page as Markdown."""
    found = list(rows())
    exercises = {name for name, _, _ in found}
    lines = [HEAD, f"{len(exercises)} exercises, {len(found) - 2 * len(exercises)} wrong answers."]
    before = None
    for name, answer, result in found:
        if name != before:
            lines += ["", f"## {name}: {result.title}", "", "| answer | state | message |", "| --- | --- | --- |"]
            before = name
        message = " ".join(f"{result.message} {result.hint}".split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {answer} | {result.state} | {message} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
