"""Counted memory: what attention needs, with its map and without, is what arithmetic says."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from medattn_lite.course.memory import measure_cost, without_numbers

PLACES, CHANNELS = 256, 8
MAP = 4 * PLACES**2  # bytes


def with_the_map(query, key, value):
    return (query @ key.transpose(1, 2) / math.sqrt(CHANNELS)).softmax(-1) @ value


def fused(query, key, value):
    return functional.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])


def tokens(**options):
    return [torch.randn(1, PLACES, CHANNELS, **options) for _ in range(3)]


def test_a_map_and_its_softmax_are_alive_at_once():
    assert measure_cost(with_the_map, *tokens()).peak_bytes == pytest.approx(2 * MAP, rel=0.05)


def test_gradients_keep_the_map_and_the_fused_kernel_never_has_one():
    inputs = tokens(requires_grad=True)
    assert measure_cost(lambda *x: with_the_map(*x).sum().backward(), *inputs).peak_bytes > 2.5 * MAP
    assert measure_cost(lambda *x: fused(*x).sum().backward(), *inputs).peak_bytes < 0.5 * MAP


def test_what_is_given_back_and_what_was_there_before_do_not_count():
    there = torch.zeros(1000)

    def work(x):
        for _ in range(10):
            y = x + 1.0  # one at a time
        return y.view(10, 100).add_(1.0)

    assert measure_cost(work, there).peak_bytes <= 2 * 4000
    assert measure_cost(lambda x: x.view(10, 100), there).peak_bytes == 0


def test_the_fastest_call_is_timed_and_one_more_is_counted():
    calls = []
    cost = measure_cost(lambda: calls.append(torch.ones(2**18)), calls=3)
    assert len(calls) == 4 and cost.seconds > 0 and cost.mebibytes == 1.0


def test_without_numbers_the_same_is_counted_and_nothing_is_computed():
    inputs = [token.requires_grad_() for token in tokens()]
    with without_numbers():
        shapes = [torch.empty(token.shape, requires_grad=True) for token in inputs]
        counted = [measure_cost(lambda *x, f=f: f(*x).sum().backward(), *shapes) for f in (with_the_map, fused)]
    real = [measure_cost(lambda *x, f=f: f(*x).sum().backward(), *inputs) for f in (with_the_map, fused)]
    assert [one.peak_bytes for one in counted] == pytest.approx([one.peak_bytes for one in real], rel=0.05)
    with without_numbers():
        assert torch.empty(10**6, 10**6).sum().shape == ()  # 4 TB
