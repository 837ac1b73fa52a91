"""What notebook 07 uses around its subject: answers compared, ways of attention measured, symptoms of wrong ones."""

from __future__ import annotations

import math
import re

import pytest
import torch

from medattn_lite.course import compare_answers, compare_on_cubes, print_symptoms


class _Task:
    regions = ("WT", "ET")

    def compare(self, one: list[float], other: list[float]) -> dict[str, float]:
        return {f"{region} Dice": sum(one) - sum(other) + place for place, region in enumerate(self.regions)}


def test_answers_are_compared_two_by_two_and_named_region_by_region() -> None:
    measured = {"a": [1.0, 2.0], "b": [0.5], "c": [0.0]}
    compared = compare_answers(_Task(), measured, [("a", "b"), ("b", "c")])
    assert list(compared.items()) == [("WT: a − b", 2.5), ("WT: b − c", 0.5), ("ET: a − b", 3.5), ("ET: b − c", 1.5)]


def test_ways_are_measured_on_cubes_and_the_largest_is_printed_beside_the_exact_result(capsys) -> None:
    def exact(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return q * k + v

    def wasteful(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return 2 * torch.cat([exact(q, k, v)] * 9)[:1]

    costs = compare_on_cubes({"exact": exact, "twice": wasteful}, (2, 4), channels=3)
    assert [len(each) for each in costs.values()] == [2, 2]
    assert costs["exact"][1].peak_bytes == 8 * costs["exact"][0].peak_bytes
    assert costs["twice"][1].peak_bytes > 4 * costs["exact"][1].peak_bytes
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.startswith("4×4×4") and first.split()[0] == "exact"
    assert float(first.split()[-1]) == 0 and float(second.split()[-1]) == pytest.approx(1.0), "the gap ÷ size of exact"


def attend(q, k, v, axis=-1, reshaped=False):
    rows = [x.reshape(len(x), -1, x.shape[1]) if reshaped else x.flatten(2).transpose(1, 2) for x in (q, k, v)]
    weights = (rows[0] @ rows[1].transpose(1, 2) / math.sqrt(q.shape[1])).softmax(dim=axis)
    return weights, (weights @ rows[2]).transpose(1, 2).reshape(v.shape) * v


def test_symptoms_tell_wrong_attention_from_right(capsys) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 8, 4, 4, 4) for _ in range(3))
    variants = {"right": {}, "queries": {"axis": 1}, "reshaped": {"reshaped": True}, "large": {"v": 10 * v},
                "no query": {"q": 0 * q}}  # fmt: skip
    print_symptoms(attend, variants, q=q, k=k, v=v)
    lines = capsys.readouterr().out.splitlines()[1:]
    found = {re.split(r"\s{2,}", line)[0]: [float(word) for word in re.split(r"\s{2,}", line)[1:]] for line in lines}
    assert list(found) == list(variants)
    lowest, highest, places, follows, size = found["right"]
    assert (lowest, highest) == (1.0, 1.0) and 1 < places < 64 and follows < 1e-5
    assert found["queries"][0] < 0.9 and found["queries"][1] > 1.1, "weights that do not sum to 1"
    assert found["reshaped"][3] > 0.1, "does not follow"
    assert found["large"][4] == pytest.approx(10 * size, rel=0.05)
    assert found["no query"][2] == 64, "no query looks everywhere alike"
