"""Checks of notebook 11: where a curve tips, and an effect beside its control."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.explain import Tumour

LINE_HINT = "Between two neighbours a and b on different sides: x₀ + (0.5 − a) / (b − a) · (x₁ − x₀)."
EFFECT_HINT = "`(after[network] - before[network]) - (after[control] - before[control])`"


@exercise("11-tips", title="Exercise 11.1, where it tips")
def check_tips(tips: Callable[[Sequence[float], Sequence[float]], float]) -> Result:
    """Positions and probabilities to the first crossing of one half."""
    cases = [
        ([10.0, 20.0, 40.0, 60.0], [0.1, 0.3, 0.7, 0.9]), ([0.0, 2.0, 3.0, 7.0], [0.95, 0.8, 0.4, 0.6]),
        ([1.0, 2.0, 4.0], [0.1, 0.2, 0.4]), ([5.0, 9.0, 10.0], [0.6, 0.2, 0.1]),
        ([1.0, 3.0, 4.0], [0.2, 0.5, 0.5]), ([1.0, 3.0, 4.0], [0.5, 0.9, 0.3]),  # on one half, exactly
        ([-3.0, -1.0, 2.0, 5.0], [0.3, 0.3, 0.3, 0.8]), ([0.0, 1.0], [0.8, 0.8]),
    ]  # fmt: skip
    return compare_function(
        tips,
        reference=tipping_point,
        cases=cases,
        errors={"ZeroDivisionError|StopIteration": (
            "Two equal neighbours divide by 0, or no crossing is found.",
            'Skip equal ones; `return float("nan")` after the loop.')},
        mistakes=[
            Mistake(lambda x, p: next((_on_line(*each) for each in _pairs(x, p)
                                       if (each[2] - 0.5) * (each[3] - 0.5) < 0), math.nan),
                    "a curve that has a point exactly at 0.5 crosses there, and you miss it", "`<= 0`, not `< 0`."),
            Mistake(lambda x, p: next((_on_line(*each) for each in _pairs(x, p) if each[2] < 0.5 <= each[3]), math.nan),
                    "a curve may also cross on its way down", LINE_HINT),
            Mistake(lambda x, p: next((_on_line(*each) for each in _pairs(x, p) if each[2] < 0.5 < each[3]), math.nan),
                    "a curve may also cross on its way down", LINE_HINT),
            Mistake(lambda x, p: next((_on_line(*each) for each in _pairs(x, p) if each[2] > 0.5 >= each[3]), math.nan),
                    "a curve may also cross on its way up", LINE_HINT),
            Mistake(lambda x, p: next((a + (0.5 - v) / (u - v) * (b - a) for a, b, u, v in _crossing(x, p)), math.nan),
                    "the way is measured from the wrong end: from x₀ it is (0.5 − a) / (b − a)", LINE_HINT),
            Mistake(lambda x, p: next((a + (0.5 - u) / (v - u) for a, b, u, v in _crossing(x, p)), math.nan),
                    "the share of the way is not multiplied by the way, x₁ − x₀", LINE_HINT),
            Mistake(lambda x, p: next(((0.5 - u) / (v - u) * (b - a) for a, b, u, v in _crossing(x, p)), math.nan),
                    "that is the way from x₀; add x₀", LINE_HINT),
            Mistake(lambda x, p: next((a + (0.5 - u) / (v - u) * b for a, b, u, v in _crossing(x, p)), math.nan),
                    "the share of the way is multiplied by x₁, not by x₁ − x₀", LINE_HINT),
            Mistake(lambda x, p: float(x[min(range(len(p)), key=lambda i: abs(p[i] - 0.5))]),
                    "that is the point nearest to 0.5; it lies between two points, or nowhere", LINE_HINT),
            Mistake(lambda x, p: x[-1] if math.isnan(tipping_point(x, p)) else tipping_point(x, p),
                    "a curve that never crosses tips nowhere; the last point is a place",
                    '`return float("nan")` after the loop.'),
            Mistake(lambda x, p: next((b for _, b, u, v in _pairs(x, p) if (u - 0.5) * (v - 0.5) <= 0), math.nan),
                    "that is the first point beyond the crossing; it lies between two points", LINE_HINT),
            Mistake(lambda x, p: next((a for a, b, u, v in _pairs(x, p) if (u - 0.5) * (v - 0.5) <= 0), math.nan),
                    "that is the last point before the crossing; it lies between two points", LINE_HINT),
            Mistake(lambda x, p: next(((a + b) / 2 for a, b, u, v in _pairs(x, p) if (u - 0.5) * (v - 0.5) <= 0),
                                      math.nan),
                    "that is the middle between the two points; the line is steeper on one side", LINE_HINT),
            Mistake(lambda x, p: next((a + (0.5 - u) / (v - u) * (b - a) for a, b, u, v in _pairs(x, p)
                                       if u < 0.5 <= v), math.nan),
                    "a curve may also cross on its way down", LINE_HINT),
            Mistake(lambda x, p: float(np.interp(0.5, p, x)),
                    "`np.interp` needs rising probabilities, and never says that there is no crossing", LINE_HINT),
            Mistake(lambda x, p: 0.0 if math.isnan(tipping_point(x, p)) else tipping_point(x, p),
                    "a curve that never crosses tips nowhere; 0 is a place", '`return float("nan")` after the loop.'),
            Mistake(lambda x, p: tipping_point(list(range(len(x))), p),
                    "that counts points; the answer is a place on the x axis", LINE_HINT),
            Mistake(lambda x, p: _last(x, p), "that is the last crossing, not the first", "Return in the loop."),
        ],
        what="your place",
        praise="Where the answer tips says more than the answer at one point.",
        hint=LINE_HINT,
    )  # fmt: skip


def _pairs(x: Sequence[float], p: Sequence[float]) -> list[tuple[float, float, float, float]]:
    return list(zip(x[:-1], x[1:], p[:-1], p[1:], strict=True))


def _crossing(x: Sequence[float], p: Sequence[float]) -> list[tuple[float, float, float, float]]:
    return [each for each in _pairs(x, p) if each[2] != each[3] and (each[2] - 0.5) * (each[3] - 0.5) <= 0]


def _on_line(a: float, b: float, u: float, v: float) -> float:
    return a + (0.5 - u) / (v - u) * (b - a)


def _last(x: Sequence[float], p: Sequence[float]) -> float:
    crossings = [
        a + (0.5 - u) / (v - u) * (b - a) for a, b, u, v in _pairs(x, p) if u != v and (u - 0.5) * (v - 0.5) <= 0
    ]
    return crossings[-1] if crossings else math.nan


def tipping_point(x: Sequence[float], probability: Sequence[float]) -> float:
    """Finds the first x at which the curve crosses one half, linear between the points; NaN if it does not."""
    for a, b, u, v in _pairs(x, probability):
        if u != v and (u - 0.5) * (v - 0.5) <= 0:
            return float(a + (0.5 - u) / (v - u) * (b - a))
    return math.nan


Look = Callable[[Tumour], Mapping[str, float]]


@exercise("11-effect", title="Exercise 11.2, an effect beside its control")
def check_effect(effect: Callable[[Look, Tumour, dict[str, Any], str, str], float]) -> Result:
    """What a change moves one network beyond what it moves another."""
    cases = [
        (_look, Tumour(enhancement=0.0), {"mark": True}, "cheat", "honest"),
        (_look, Tumour(diameter_mm=20.0, mark=True), {"enhancement": 0.1, "mark": False}, "cheat", "honest"),
        (_look, Tumour(diameter_mm=30.0), {"diameter_mm": 60.0}, "honest", "cheat"),
        (_look, Tumour(diameter_mm=25.0, mark=True), {"mark": False, "diameter_mm": 50.0}, "third", "cheat"),
        (_look, Tumour(enhancement=0.7), {}, "cheat", "third"),  # no change, no effect
    ]
    return compare_function(
        effect,
        reference=effect_of,
        cases=cases,
        mistakes=[
            Mistake(lambda look, t, c, n, k: _changed(look, t, c)[n] - look(t)[n],
                    "that is the change of the network alone; its control's is to be taken away", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: _changed(look, t, c)[n] - _changed(look, t, c)[k],
                    "those are two networks after the change; they may have differed before", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: -effect_of(look, t, c, n, k),
                    "the sign is the other way round: after − before", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: abs(effect_of(look, t, c, n, k)), "the sign is lost", "Leave out `abs`."),
            Mistake(lambda look, t, c, n, k: look(t)[n] - look(t)[k],
                    "those are two networks before the change; the change is not used", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: _change(look, t, c, k), "that is the control's change alone", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: abs(_change(look, t, c, n)) - abs(_change(look, t, c, k)),
                    "the signs of the changes are lost", "Leave out `abs`."),
            Mistake(lambda look, t, c, n, k: _changed(look, t, c)[n] - look(t)[k],
                    "after of the one minus before of the other: each network has its own before", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: effect_of(look, t, c, n, k) / max(look(t)[n], 1e-9),
                    "you divided by the probability before; the difference itself was asked for", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: effect_of(look, t, c, n, k) / 2, "that is half of it: a mean of the two "
                    "changes where their difference belongs", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: effect_of(look, t, c, "cheat", "honest"),
                    "`network` and `control` are not used: two names are written there", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: effect_of(look, t, dict([*c.items()][:1]), n, k),
                    "only the first trait of the change is changed", "`replace(tumour, **change)`"),
            Mistake(lambda look, t, c, n, k: _change(look, t, c, n) + _change(look, t, c, k),
                    "the control's change is added", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: _change(look, t, c, n) / _change(look, t, c, k),
                    "that is a ratio; where the control hardly moves it explodes", EFFECT_HINT),
            Mistake(lambda look, t, c, n, k: effect_of(look, Tumour(), c, n, k),
                    "you started from a fresh tumour, not from the one that was given", "`replace(tumour, **change)`"),
        ],
        what="your effect",
        praise="A difference of differences: what the change does to this network and not to any network.",
        hint=EFFECT_HINT,
    )  # fmt: skip


def _look(tumour: Tumour) -> dict[str, float]:
    """Three made-up networks, so that the check needs no trained ones."""
    seen = 0.2 + 0.005 * tumour.diameter_mm * (0.3 + tumour.enhancement)
    third = 0.9 - 0.3 * seen + 0.2 * tumour.mark
    return {"honest": seen, "cheat": 0.1 + 0.7 * tumour.mark + 0.2 * seen, "third": third}


def _changed(look: Look, tumour: Tumour, change: dict[str, Any]) -> Mapping[str, float]:
    return look(replace(tumour, **change))


def effect_of(look: Look, tumour: Tumour, change: dict[str, Any], network: str, control: str) -> float:
    """Computes what a change moves `network`, minus what it moves `control`."""
    before, after = look(tumour), _changed(look, tumour, change)
    return (after[network] - before[network]) - (after[control] - before[control])


def _change(look: Look, tumour: Tumour, change: dict[str, Any], name: str) -> float:
    return _changed(look, tumour, change)[name] - look(tumour)[name]
