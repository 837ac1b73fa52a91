"""Every exercise in its three states: the stub, the solution, and each of the usual wrong answers."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from medattn_lite.course.checks import NOT_ATTEMPTED, NOT_YET, PASSED
from medattn_lite.course.generate import read_source, source_paths
from medattn_lite.course.run_check import check, exercises
from tests.course import matrix
from tests.course.answers import Answer
from tests.course.exercise_source import source_exercises
from tests.course.right_answers import all_right_answers
from tests.course.wrong_answers import all_wrong_answers

FROM_SOURCES = source_exercises()
NAMES = sorted(FROM_SOURCES)
WRONG, RIGHT = all_wrong_answers(), all_right_answers()
ENOUGH_WRONG, ENOUGH_RIGHT = 14, 5


def _listed(answers: dict[str, list[Answer]]) -> list[Any]:
    """One case an answer, with a name that can be typed."""
    return [pytest.param(name, answer, id=f"{name}-{number}-{answer.title.encode('ascii', 'ignore').decode()}")
            for name in sorted(answers) for number, answer in enumerate(answers[name], start=1)]  # fmt: skip


def test_every_check_has_its_exercise_and_its_wrong_answers() -> None:
    assert set(exercises()) == set(NAMES) == set(WRONG) == set(RIGHT)
    assert sum(map(len, WRONG.values())) >= 600 and sum(map(len, RIGHT.values())) >= 150


@pytest.mark.parametrize("name", NAMES)
def test_an_exercise_has_enough_wrong_and_right_answers_and_a_solution_to_take_out(name: str) -> None:
    assert len(WRONG[name]) >= ENOUGH_WRONG and len(RIGHT[name]) >= ENOUGH_RIGHT
    assert FROM_SOURCES[name].stub != FROM_SOURCES[name].solution


@pytest.mark.parametrize("path", source_paths(), ids=lambda path: path.stem)
def test_a_notebook_has_three_exercises_with_two_hints_each_and_a_quiz(path: Path) -> None:
    notebook, text = read_source(path), path.read_text(encoding="utf-8")
    count = sum("exercise" in cell.metadata.get("tags", []) for cell in notebook.cells)
    assert count >= (3 if "01" <= path.stem[:2] <= "10" else 2)
    for hint in ("Hint 1", "Hint 2"):
        assert text.count(f"<summary>{hint}") == count, hint
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


@pytest.mark.parametrize(("name", "answer"), _listed(WRONG))
def test_a_wrong_answer_hears_what_is_wrong(name: str, answer: Answer) -> None:
    result = answer.outcome(FROM_SOURCES[name])
    assert result.state == NOT_YET, str(result)
    assert answer.expect and answer.expect.lower() in f"{result.message} {result.hint}".lower(), str(result)


@pytest.mark.parametrize(("name", "answer"), _listed(RIGHT))
def test_a_right_answer_in_another_form_passes(name: str, answer: Answer) -> None:
    result = answer.outcome(FROM_SOURCES[name])
    assert result.state == PASSED, str(result)


@pytest.mark.parametrize("name", NAMES)
def test_a_check_says_the_same_each_time_and_leaves_chance_as_it_was(name: str) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    outcomes = [str(WRONG[name][0].outcome(FROM_SOURCES[name])) for _ in range(2)]
    assert outcomes[0] == outcomes[1]
    assert torch.equal(torch.random.get_rng_state(), before[0]) and random.getstate() == before[2]
    assert (np.random.get_state()[1] == before[1]).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", [3, "text", [], object, lambda *a, **k: a[0].no_such_attribute])
def test_a_check_survives_any_answer_and_never_passes_nonsense(name: str, answer: object) -> None:
    assert check(name, answer).state != PASSED


def test_the_page_of_answers_is_of_this_course() -> None:
    text = matrix.PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^## ([\w-]+):", text, re.MULTILINE)) == set(NAMES)
    assert f"{sum(map(len, WRONG.values()))} wrong answers" in text
    assert f"{sum(map(len, RIGHT.values()))} right answers" in text
