"""Checks never raise, and say what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from medattn_lite.course import checks
from medattn_lite.course.checks import CHECK_MIME, NOT_ATTEMPTED, NOT_YET, PASSED, NotYet, exercise, passed
from medattn_lite.course.compare_values import difference, same
from medattn_lite.course.diagnose import Mistake, compare_function, compare_value
from medattn_lite.course.run_check import check
from tests.course.exercise_source import _run

X = torch.arange(24.0).reshape(1, 2, 3, 4)


@pytest.fixture
def squeeze_exercise() -> Iterator[str]:
    @exercise("98-squeeze", title="Squeeze <it>")
    def judge(squeeze):
        return compare_function(
            squeeze, reference=lambda x: x.mean(dim=(2, 3)), cases=[(X,), (-2 * X,)], hint="One number per channel.",
            mistakes=[
                Mistake(lambda x: x.mean(dim=1), "you averaged over the channels", "Which axes are H and W?"),
                Mistake(lambda x: x.amax(dim=(2, 3)), "that is the maximum"),
            ],
        )

    yield "98-squeeze"
    checks.REGISTRY.pop("98-squeeze")


def learner(code: str) -> object:
    namespace: dict = {"__name__": "__main__", "torch": torch, "nn": nn}
    _run(code, namespace)
    return namespace["answer"]


def test_a_right_answer_passes_and_is_shown_in_words_and_colour(squeeze_exercise: str) -> None:
    result = check(squeeze_exercise, lambda x: x.flatten(2).mean(-1))
    assert result.passed and result.state == PASSED
    assert str(result) == "✓ Squeeze <it>: passed. Well done."
    shown = result._repr_mimebundle_()
    assert "Squeeze &lt;it&gt;: passed." in shown["text/html"] and 'role="status"' in shown["text/html"]
    assert shown[CHECK_MIME]["state"] == PASSED


@pytest.mark.parametrize("code", [
    "def answer(x):\n    ...  # your code here",
    "def answer(x):\n    '''Mean.'''\n    ...  # your code here",
    "def answer(x):\n    batch, channels = x.shape[:2]\n    ...  # your code here",
    "def answer(x):\n    raise NotImplementedError",
    "answer = None", "answer = ...", "def answer(x): pass",
    "class Squeeze(nn.Module):\n    def forward(self, x):\n        ...  # your code here\nanswer = Squeeze()",
])
def test_a_stub_is_not_attempted_yet(squeeze_exercise: str, code: str) -> None:
    assert check(squeeze_exercise, learner(code)).state == NOT_ATTEMPTED


@pytest.mark.parametrize(("code", "says"), [
    ("def answer(x):\n    return x.mean(dim=1)", "You averaged over the channels. Which axes are H and W?"),
    ("def answer(x):\n    return x.amax(dim=(2, 3))", "That is the maximum. One number per channel."),
    ("def answer(x):\n    return x.mean(dim=(2, 3), keepdim=True)", "right, but the shape is (1, 2, 1, 1); (1, 2) was"),
    ("def answer(x):\n    return x.mean(dim=(2, 3)) + 1", "at [0, 0] it is 6.5, and 5.5 was expected"),
    ("def answer(x):\n    return x.mean(dim=(2, 3)) / 0", "contains NaN or infinity"),
    ("def answer(x):\n    y = x.mean(dim=(2, 3))", "returns None, for `x` of shape"),
    ("def answer(x):\n    return 'five'", "is a text; a tensor of shape (1, 2) was expected"),
    ("def answer(x):\n    x *= 2\n    return x.mean(dim=(2, 3)) / 2", "Your function changes its input."),
    ("def answer(x):\n    y = 1\n    return x.mean(dim=(7, 8))", "in line 3 of your cell (`return x.mean("),
    ("def answer(x):\n    return mean(x)", "NameError: name 'mean' is not defined"),
    ("def answer():\n    return 1", "Your code raised TypeError"),
    ("answer = torch.zeros(1, 2)", "You handed over a tensor of shape (1, 2), not the function itself."),
    ("def answer(x):\n    exit()", "ends Python"),
])
def test_a_wrong_answer_hears_what_is_wrong(squeeze_exercise: str, code: str, says: str) -> None:
    result = check(squeeze_exercise, learner(code))
    assert result.state == NOT_YET
    assert says in f"{result.message} {result.hint}"


def test_the_stub_line_left_above_a_right_answer_does_no_harm_and_above_a_wrong_one_is_named(
    squeeze_exercise: str,
) -> None:
    above = "def answer(x):\n    ...  # your code here\n    return "
    assert check(squeeze_exercise, learner(above + "x.mean(dim=(2, 3))")).passed
    result = check(squeeze_exercise, learner(above + "x.mean()"))
    assert result.state == NOT_ATTEMPTED and "is still there" in result.message


def test_an_unknown_exercise_and_a_check_without_a_result_are_said_to_be_our_mistake() -> None:
    assert "There is no exercise called '97-none'" in check("97-none", 1).message

    @exercise("98-broken", title="Broken")
    def judge(answer):
        return None

    try:
        assert "our mistake" in check("98-broken", 1).message
    finally:
        checks.REGISTRY.pop("98-broken")


def test_two_notebooks_cannot_register_the_same_name(squeeze_exercise: str) -> None:
    def judge(answer):
        return passed()

    judge.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="two checks are called"):
        exercise(squeeze_exercise, title="Again")(judge)


@pytest.mark.parametrize(("answer", "expected", "equal"), [
    (1, 1.0, True), (0.30000001, 0.3, True), (True, True, True), (1, True, False), ("a", "a", True), ("a", "b", False),
    (torch.ones(2), np.ones(2), True), ([1, 1], torch.ones(2), True), (torch.ones(2), torch.ones(3), False),
    ((1, torch.ones(2)), (1, torch.ones(2)), True), ((1,), (1, torch.ones(2)), False), (None, 0, False),
    (torch.ones(1, 2), torch.ones(2), False), ({"a": 1}, 1, False), (float("nan"), float("nan"), True),
])
def test_same_compares_kind_shape_and_numbers(answer: object, expected: object, equal: bool) -> None:
    assert same(answer, expected) is equal


def test_values_are_recognised_by_wrong_value_or_by_predicate() -> None:
    mistakes = [Mistake(lambda v: v.ndim == 3, "three axes"), Mistake(torch.tensor([2.0]), "twice as much")]
    with pytest.raises(NotYet, match="Twice as much"):
        compare_value(torch.tensor([2.0]), torch.tensor([1.0]), mistakes=mistakes)
    with pytest.raises(NotYet, match="Three axes"):
        compare_value(torch.ones(1, 1, 1), torch.tensor([1.0]), mistakes=mistakes)
    assert compare_value(1.0, 1.0, praise="Yes.").message == "Yes."
    assert difference((1, 2.0), (1, "x")) == "value 2 of your answer is 2.0, and 'x' was expected"
