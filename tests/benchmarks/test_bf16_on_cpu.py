"""The page of bf16 on a CPU: wrong gradients and processes that ended are bold, right ones are numbers."""

from __future__ import annotations

import pytest

from tests.benchmarks import bf16_on_cpu

SIZE = (2, 2, (1, 3, 3), (2, 8, 8))


@pytest.mark.parametrize(("code", "cells"), [
    ("print(0.003, 0.5)", ("3.0e-03", "0.50")), ("print(1.0, 0.5)", ("**1.0e+00**", "0.50")),
    ("print(float('nan'), 0.5)", ("**nan**", "0.50")), ("import os; os.abort()", ("**ended: Aborted**", "–")),
])  # fmt: skip
def test_what_became_of_a_size(code: str, cells: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bf16_on_cpu, "CODE", code)
    assert bf16_on_cpu.measure(SIZE, "") == cells


def test_a_size_is_computed_whole_and_the_limit_reaches_it() -> None:
    error, time = bf16_on_cpu.measure(SIZE, "AVX2")
    assert 1e-5 < float(error.strip("*")) and float(time) > 0
