"""The exercise matrix as a page: each exercise × stub, solution and wrong answers, with state and message.

    medattn study exercises                 writes figures/exercises.md

The tests in `test_exercises.py` run the same pairs; this is for those who want to read what a learner hears.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medattn_lite.course.checks import NOT_YET, Result
from tests.course.exercise_source import source_exercises
from tests.course.right_answers import all_right_answers
from tests.course.wrong_answers import all_wrong_answers

PAGE = Path(__file__).resolve().parents[2] / "figures" / "exercises.md"
HEAD = """# What each answer hears

Made by `medattn study exercises`; do not edit by hand. Every exercise with its stub, its solution, right answers
in other forms and wrong ones, run through the check that the learner runs. The tests run the same pairs.

The answers are written by the course's authors and by its reviewers, and most of the wrong ones were written after the
checks: how often a real learner's mistake is named, they do not tell.
"""
SHOWN = ("expected", "makes no difference", "whatever the input", "raised")  # no name, but what is seen


def rows() -> Iterator[tuple[str, str, Result]]:
    """(exercise, answer, what it hears), in the course's order."""
    wrong, right = all_wrong_answers(), all_right_answers()
    for name, exercise in sorted(source_exercises().items(), key=lambda item: item[0][:2]):
        yield name, "stub", exercise.outcome(exercise.stub)
        yield name, "solution", exercise.outcome(exercise.solution)
        for kind, answers in (("right", right[name]), ("wrong", wrong[name])):
            for answer in answers:
                yield name, f"{kind}: {answer.title}", answer.outcome(exercise)


def _together(results: list[tuple[str, str, Result]]) -> list[tuple[str, str, Result]]:
    """The rows with an exercise's right answers in one, where they hear the same."""
    rows: list[tuple[str, str, Result]] = []
    for name, answer, result in results:
        if rows and answer.startswith("right: ") and rows[-1][1].startswith("right: ") and rows[-1][2] == result:
            rows[-1] = (name, f"{rows[-1][1]}; {answer.removeprefix('right: ')}", result)
        else:
            rows.append((name, answer, result))
    return rows


def page() -> str:
    """The page as Markdown."""
    results = list(rows())
    exercises = {name for name, _, _ in results}
    right, wrong = ([row[2] for row in results if row[1].startswith(kind)] for kind in ("right: ", "wrong: "))
    refused = [result for result in wrong if result.state == NOT_YET]
    seen = sum(any(part in result.message for part in SHOWN) for result in refused)
    counts = (f"{len(exercises)} exercises. {len(wrong)} wrong answers, {len(refused)} refused: {len(refused) - seen} "
              f"hear the mistake by name, {seen} see the input that fails with what came out and what was expected, "
              f"or the line that raised. {len(right)} right answers in other forms, {sum(r.passed for r in right)} "
              "accepted.")  # fmt: skip
    lines = [HEAD, counts]
    before = None
    for name, answer, result in _together(results):
        if name != before:
            lines += ["", f"## {name}: {result.title}", "", "| answer | state | message |", "| --- | --- | --- |"]
            before = name
        message = " ".join(f"{result.message} {result.hint}".split()).replace("|", "\\|").replace("<", "&lt;")
        lines.append(f"| {answer} | {result.state} | {message} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
