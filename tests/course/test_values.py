"""Values are the same whatever holds them, and a difference is told so that it can be seen."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

from medattn_lite.course.check_inputs import in_words, unchanged, unused
from medattn_lite.course.compare_values import apart, difference, same
from medattn_lite.course.error_words import advice
from medattn_lite.course.relations import relation

NUMBERS = [0.5, -1.0, 2.0]


@pytest.mark.parametrize("answer", [
    NUMBERS, tuple(NUMBERS), torch.tensor(NUMBERS), torch.tensor(NUMBERS, dtype=torch.bfloat16), np.array(NUMBERS),
    torch.tensor(NUMBERS, requires_grad=True), pd.Series(NUMBERS, index=[7, 8, 9]), [torch.tensor(x) for x in NUMBERS],
    [np.float32(x) for x in NUMBERS], [Fraction(x) for x in NUMBERS], torch.tensor(NUMBERS).to_sparse(),
])
def test_numbers_are_the_same_in_any_container(answer: object) -> None:
    assert same(answer, torch.tensor(NUMBERS)) and same(answer, NUMBERS) and same(answer, np.array(NUMBERS))


@pytest.mark.parametrize("answer", [
    [str(x) for x in NUMBERS], np.array([str(x) for x in NUMBERS]), pd.Series(["0.5", "-1", "2"]), [NUMBERS], 0.5,
    [complex(x) for x in NUMBERS], torch.tensor(NUMBERS, dtype=torch.complex64), set(NUMBERS), {0: 0.5}, None, "text",
    (x for x in NUMBERS), [0.5, -1.0, None], [[0.5], [-1.0, 2.0]],
])
def test_texts_complex_numbers_and_other_shapes_are_not_numbers(answer: object) -> None:
    assert not same(answer, torch.tensor(NUMBERS)) and not same(answer, NUMBERS)
    assert difference(answer, torch.tensor(NUMBERS)) and difference(answer, NUMBERS)


@pytest.mark.parametrize("answer", [
    [True, False], (True, False), np.array([True, False]), torch.tensor([True, False]), pd.Series([True, False]),
    [np.bool_(True), torch.tensor(False)], pd.array([True, False], dtype="boolean"),
])
def test_marks_are_the_same_in_any_container_and_numbers_are_no_marks(answer: object) -> None:
    assert same(answer, [True, False]) and not same(answer, [True, True]) and not same(answer, [True])
    assert not same([1, 0], [True, False])
    assert "numbers 1 and 0, where True and False were expected" in difference([1, 0], [True, False])
    assert "number 2 is False, and True was expected" in difference(answer, [True, True])


def test_a_pair_of_tables_may_come_stacked_and_counts_are_compared_exactly() -> None:
    pair = (torch.ones(2, 3), torch.zeros(2, 3))
    assert same(torch.stack(pair), pair) and same(np.stack(pair), pair) and same(list(pair), pair)
    assert not same(torch.stack(pair)[:1], pair)
    assert same(np.array([221184, 3]), (221184, 3)) and not same((221185, 3), (221184, 3))
    assert same(221185.0, 221184.0)  # measured numbers have a tolerance, counts have none


@pytest.mark.parametrize(("first", "second", "texts"), [
    (-1.41418, -1.41421, ("-1.41418", "-1.41421")), (3456, 221184.0, ("3456", "221184")), (0.5, 0.25, ("0.5", "0.25")),
    (1.0, 1 + 1e-12, ("1", "1.000000000001")), (float("nan"), 1.0, ("NaN", "1")), (float("inf"), 0.5, ("inf", "0.5")),
])
def test_two_numbers_that_differ_never_look_the_same(first: float, second: float, texts: tuple[str, str]) -> None:
    assert apart(first, second) == texts


def test_nan_is_told_with_its_place_on_either_side() -> None:
    gap = difference(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0]))
    assert "contains NaN or infinity, in 1 of 2 places: at [1] it is NaN, and 2 was expected" in gap
    assert difference(0.0, float("nan")) == "your answer is 0, and NaN was expected"
    assert "at [0] it is 0, and NaN was expected" in difference([0.0, 1.0], np.array([np.nan, 1.0]))


RIGHT = [torch.tensor([[0.1, 0.9, 0.4], [0.3, 0.2, 0.6]]), torch.tensor([[0.7, 0.15, 0.25], [0.55, 0.05, 0.35]])]


@pytest.mark.parametrize(("wrong", "says"), [
    (lambda b: -b, "sign is turned"), (lambda b: 1 - b, "1 minus"), (lambda b: b**2, "squares"),
    (lambda b: 2 * b, "2 times the right one"), (lambda b: b + 1, "1 too large"), (lambda b: b.exp(), "exponentials"),
    (lambda b: b.sigmoid(), "sigmoid too many"), (lambda b: (b / (1 - b)).log(), "a sigmoid is missing"),
    (lambda b: b.T, "axes are in another order"), (lambda b: b[None], "numbers are right, but the shape"),
    (lambda b: b.flip(1), "turned round along axis 1"), (lambda b: b.roll(1, 1), "one place too far"),
    (lambda b: torch.full_like(b, 0.5), "0.5 everywhere, whatever the input"), (lambda b: b.round(), "rounded"),
    (lambda b: b.flatten()[torch.tensor([3, 0, 5, 1, 4, 2])].reshape(2, 3), "at other places"),
])
def test_a_relation_to_the_right_numbers_is_seen(wrong: object, says: str) -> None:
    assert says in relation([wrong(b) for b in RIGHT], RIGHT, rtol=1e-4, atol=1e-5)


def test_no_relation_is_claimed_that_does_not_hold_for_every_input() -> None:
    def told(*answers: torch.Tensor) -> str:
        return relation(answers, RIGHT, rtol=1e-4, atol=1e-5)

    assert told(-RIGHT[0], RIGHT[1] + 0.1) == "" and told(2 * RIGHT[0], RIGHT[1] ** 2) == ""
    assert told(torch.full_like(RIGHT[0], torch.nan), RIGHT[1]) == ""
    assert "factor that differs" in told(2 * RIGHT[0], 3 * RIGHT[1])
    rows = [b / b.sum(1, keepdim=True) for b in RIGHT]
    assert "should sum to 1 along axis 1" in relation([r + 0.1 * b for r, b in zip(rows, RIGHT, strict=True)], rows,
                                                      rtol=1e-4, atol=1e-5)  # fmt: skip


def test_an_argument_that_makes_no_difference_is_found() -> None:
    cases = [(torch.rand(3), 0.5), (torch.rand(4), 2.0)]
    assert unused(lambda x, t: x * 2, lambda x, t: x / t, cases) == 1
    assert unused(lambda x, t: x / t + 1, lambda x, t: x / t, cases) is None
    assert unused(lambda x, t: x / t, lambda x, t: x, cases) is None  # nothing to be used


def test_inputs_are_told_and_changes_of_them_are_seen() -> None:
    words = in_words(["x", "mask", "t"], (torch.tensor([0.12345678, 1]), torch.ones(30, dtype=torch.bool), 0.5))
    assert words == "`x` = [0.1235, 1.0], `mask` of shape (30,), `t` = 0.5"
    assert same(np.str_("open"), "open") and not same(np.str_("Open"), "open") and not same(b"open", "open")
    nan = float("nan")
    assert unchanged((nan, 1.0), (nan, 1.0)) and not unchanged((1.0, 1.0), (nan, 1.0)) and not unchanged(nan, 1.0)
    assert unchanged({"a": ["b", torch.ones(2)]}, {"a": ["b", torch.ones(2)]})
    for after in ({"a": ["b", torch.zeros(2)]}, {"a": ["c", torch.ones(2)]}, {}, {"a": ["b", np.ones(2)]}):
        assert not unchanged(after, {"a": ["b", torch.ones(2)]})
    assert "n − 1" in advice(IndexError("list index out of range"))
