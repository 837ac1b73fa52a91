"""Every exercise in its three states: the stub, the solution, and each of the usual wrong answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from medattn_lite.course.checks import NOT_ATTEMPTED, NOT_YET, PASSED, check, exercises
from medattn_lite.course.generate import read_source, source_paths
from tests.course.exercise_source import source_exercises
from tests.course.wrong_answers import all_wrong_answers

FROM_SOURCES = source_exercises()
NAMES = sorted(FROM_SOURCES)
WRONG = all_wrong_answers()
ENOUGH = 3
MATRIX = [pytest.param(name, answer, phrase, id=f"{name}-{getattr(answer, '__name__', number)}")
          for name in sorted(WRONG) for number, (answer, phrase) in enumerate(WRONG[name], start=1)]


def test_every_check_has_its_exercise_and_its_wrong_answers() -> None:
    assert set(exercises()) == set(NAMES) == set(WRONG)


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_has_at_least_three_wrong_answers_and_a_solution_to_take_out(name: str) -> None:
    assert len(WRONG.get(name, [])) >= ENOUGH
    assert FROM_SOURCES[name].stub != FROM_SOURCES[name].solution


@pytest.mark.parametrize("path", source_paths(), ids=lambda path: path.stem)
def test_a_notebook_has_three_exercises_with_two_hints_each_and_a_quiz(path: Path) -> None:
    notebook, text = read_source(path), path.read_text(encoding="utf-8")
    asked = sum("exercise" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert asked >= (3 if "01" <= path.stem[:2] <= "10" else 2)
    for hint in ("Hint 1", "Hint 2"):
        assert text.count(f"<summary>{hint}") == asked, hint
    assert "quiz([" in text


@pytest.mark.parametrize("name", NAMES)
def test_the_stub_is_not_attempted_yet(name: str) -> None:
    exercise = FROM_SOURCES[name]
    result = exercise.outcome(exercise.stub)
    assert result.state == NOT_ATTEMPTED, str(result)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes(name: str) -> None:
    exercise = FROM_SOURCES[name]
    result = exercise.outcome(exercise.solution)
    assert result.state == PASSED, str(result)
    assert result.title and result.message


@pytest.mark.parametrize(("name", "answer", "phrase"), MATRIX)
def test_a_usual_wrong_answer_hears_which_mistake_it_is(name: str, answer: object, phrase: str) -> None:
    result = FROM_SOURCES[name].outcome(answer) if isinstance(answer, str) else check(name, answer)
    assert result.state == NOT_YET, str(result)
    assert phrase.lower() in f"{result.message} {result.hint}".lower(), str(result)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [3, "text", [], object, lambda *a, **k: a[0].no_such_attribute])
def test_a_check_survives_any_answer_and_never_passes_nonsense(name: str, answer: object) -> None:
    assert check(name, answer).state != PASSED
