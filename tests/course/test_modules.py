"""Layers are found by their shape, sets have no order, blocks of keys are counted."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from medattn_lite.course.checks import NotYet
from medattn_lite.course.exercises.nb07_blocks import attend_in_blocks, attend_whole
from medattn_lite.course.keys_at_once import keys_at_once
from medattn_lite.course.modules import copy_parameters, first_output
from medattn_lite.course.run_check import check
from medattn_lite.course.sets import in_another_order, writes_sets_in_braces


def test_a_module_gets_the_references_weights_whatever_their_order_and_names() -> None:
    ours = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 3))
    theirs = nn.ModuleDict({"last": nn.Conv3d(2, 3, 1), "first": nn.Conv3d(3, 2, 1)})
    copy_parameters(ours, theirs)
    assert torch.equal(theirs["first"].weight.flatten(1), ours[0].weight)
    assert torch.equal(theirs["last"].bias, ours[1].bias)


def test_a_module_whose_layers_do_not_fit_hears_what_was_expected_in_its_own_axes() -> None:
    ours = nn.Linear(3, 2)
    with pytest.raises(NotYet, match=r"has 1 parameters \(weight\); it should have 2"):
        copy_parameters(ours, nn.Linear(3, 2, bias=False))
    with pytest.raises(NotYet, match=r"`weight` has shape \(2, 4\); \(2, 3\) was expected"):
        copy_parameters(ours, nn.Linear(4, 2))
    with pytest.raises(NotYet, match=r"`weight` has shape \(2, 4, 1, 1, 1\); \(2, 3, 1, 1, 1\) was expected"):
        copy_parameters(ours, nn.Conv3d(4, 2, 1))
    with pytest.raises(NotYet, match=r"`weight` has shape \(3, 2\)"):  # as many numbers, another layer
        copy_parameters(nn.Linear(3, 2, bias=False), nn.Linear(2, 3, bias=False))


def test_layers_in_a_plain_list_are_named_and_a_list_beside_attributes_is_none_of_our_business() -> None:
    class Listed(nn.Module):
        def __init__(self, known: bool) -> None:
            super().__init__()
            self.layers = [nn.Linear(2, 2)]
            self.again = self.layers[0] if known else nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.layers[0](x)

    with pytest.raises(NotYet, match="plain list"):
        first_output(Listed(False), torch.ones(1, 2))
    assert first_output(Listed(True), torch.ones(1, 2)) is not None


def first_three(names: list[str]) -> list[str]:
    return list(set(names))[:3]


def first_three_sorted(names: list[str]) -> list[str]:
    return sorted(set(names))[:3]


def test_a_set_has_another_order_and_everything_is_put_back() -> None:
    names = [f"p{number}" for number in range(12)]

    def both(function: Callable[[list[str]], list[str]]) -> list[list[str]]:
        orders = []
        for salt in ("one", "two"):
            with in_another_order(function, salt):
                orders.append(function(names))
        return orders

    assert both(first_three)[0] != both(first_three)[1]
    assert both(first_three_sorted)[0] == both(first_three_sorted)[1] == ["p0", "p1", "p10"]
    assert "set" not in globals() and "frozenset" not in globals()
    assert writes_sets_in_braces(lambda names: list({*names})) and not writes_sets_in_braces(first_three)


@pytest.mark.parametrize(("attend", "met"), [
    (attend_in_blocks, 8), (attend_whole, 200), (lambda q, k, v, b: attend_in_blocks(q, k, v, math.ceil(200 / b)), 25),
    (lambda q, k, v, b: attend_in_blocks(q, k, v, 16), 16), (lambda q, k, v, b: attend_in_blocks(q.double(), k.double(),
     v.double(), b), 8), (lambda q, k, v, b: torch.cat([attend_whole(x, k, v, b) for x in q.split(b, 1)], 1), 200),
])  # fmt: skip
def test_the_keys_that_meet_the_queries_at_once_are_counted(attend: Callable[..., Tensor], met: int) -> None:
    assert keys_at_once(attend, block=8) == met


def test_numpy_is_judged_by_its_memory() -> None:
    assert keys_at_once(lambda q, k, v, b: torch.from_numpy(q.numpy() @ k.numpy().transpose(0, 2, 1)), block=8) == 200


@pytest.mark.parametrize(("name", "code", "says"), [
    ("04-folds", lambda subjects, folds, seed: (subjects.sort(), [0] * len(subjects))[1], "changes its input"),
    ("12-split", lambda subjects, n: [subjects.pop() == "a" for _ in list(subjects)], "changes its input, `subjects`"),
    ("09-place", lambda index, layers: layers.append((1, 1, 0, 1)) or 0.0, "changes its input, `layers`"),
    ("11-effect", lambda look, tumour, change, a, b: change.clear() or 0.0, "changes its input, `change`"),
])
def test_an_input_that_was_changed_is_noticed_whatever_it_is(name: str, code: object, says: str) -> None:
    assert says in check(name, code).message
