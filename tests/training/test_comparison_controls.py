"""The positive controls in the page of a comparison."""

from __future__ import annotations

import pytest

from medattn_lite.training.comparison.page_controls import control_lines, control_table

NONE, SE = (0.50, 0.52, 0.48, 0.51, 0.49), (0.97, 0.99, 0.98, 0.96, 0.99)


def record():
    runs = {f"sequence/none/{seed}": {"accuracy": value} for seed, value in enumerate(NONE)}
    runs |= {f"sequence/se/{seed}": {"accuracy": value} for seed, value in enumerate(SE)}
    runs |= {f"sequence/cbam/{seed}": {"accuracy": value + (-1) ** seed * 0.01} for seed, value in enumerate(NONE)}
    return {"runs": {**runs, "mirror/rsa/0": {"accuracy": 0.9}, "sequence/global-mean/0": {"accuracy": 0.9}}}


def test_a_mechanism_that_wins_and_one_that_does_not_are_told_apart():
    own = control_table(record())["sequence"]
    se, cbam = own["se"]["difference"], own["cbam"]["difference"]
    assert se.value == pytest.approx(0.478) and se.low > 0.4 and se.units == 5
    assert cbam.low < 0 < cbam.high


def test_what_was_not_run_says_so_in_the_table():
    lines = control_lines(record())
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("| `")}
    assert "**+0.478" in rows["`se`"] and rows["`se`"].rstrip().endswith("not run |")
    assert "no other to compare with" in rows["`rsa`"] and rows["`rsa`"].startswith("| `rsa` | not run")
    assert "1 seed, 3 are needed" in rows["`global-mean`"]
    assert "empty" in control_lines({"runs": {}})[0]
