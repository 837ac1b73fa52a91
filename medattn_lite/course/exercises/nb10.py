"""Checks of notebook 10: relevance mass, a deletion curve, how alike two maps are."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medattn_lite.course.checks import Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function

MASS_HINT = "`positive = values.clamp(min=0) * head`, then the sum on the signal over the whole sum."
ORDER_HINT = "`order = values.flatten().argsort(descending=True)`; at share s the first round(s · N) places are gone."
RANK_HINT = "`values.abs()[head].argsort().argsort()` are the ranks."


@exercise("10-mass", title="Exercise 10.1, relevance mass")
def check_mass(mass: Callable[[Tensor, Tensor, Tensor], float]) -> Result:
    """A map, the signal and the head to the share of its positive values on the signal."""
    generator = torch.Generator().manual_seed(10)
    cases = []
    for _ in range(2):
        values = torch.randn(4, 5, 6, generator=generator)
        head = torch.rand(4, 5, 6, generator=generator) > 0.3
        cases.append((values, torch.rand(4, 5, 6, generator=generator) > 0.8, head))
    silent = cases[0][0].abs() * ~cases[0][2] - cases[0][0].abs() * cases[0][2]  # positive outside the head only
    cases.append((silent, cases[0][1], cases[0][2]))
    return compare_function(
        mass,
        reference=_mass,
        cases=cases,
        mistakes=[
            Mistake(lambda v, s, h: _ratio(v.clamp(min=0), s, torch.ones_like(h)),
                    "voxels outside the head are counted too", MASS_HINT),
            Mistake(lambda v, s, h: _ratio(v.clamp(min=0), s, h, below=torch.ones_like(h)),
                    "the sum below the line runs over the whole box, not over the head", MASS_HINT),
            Mistake(lambda v, s, h: _ratio(v.clamp(min=0), s, h, above=torch.ones_like(h)),
                    "the signal reaches out of the head, and you counted it there", "`signal & head`"),
            Mistake(lambda v, s, h: _ratio(v, s, h), "values below 0 are added up as well", "`.clamp(min=0)`"),
            Mistake(lambda v, s, h: _ratio(v.abs(), s, h),
                    "absolute values: what speaks against counts as if it spoke for", "`.clamp(min=0)`"),
            Mistake(lambda v, s, h: float(v[s & h].clamp(min=0).mean() / v[h].clamp(min=0).mean()),
                    "that is the mean on the signal over the mean of the head, not the share of the mass", MASS_HINT),
            Mistake(lambda v, s, h: float((v[s & h] > 0).float().sum() / (v[h] > 0).float().sum()),
                    "you counted voxels; their values are to be added up", MASS_HINT),
            Mistake(lambda v, s, h: float(((v > 0) & s & h).sum() / (s & h).sum()),
                    "that is the share of the signal that is positive", MASS_HINT),
            Mistake(lambda v, s, h: 1 - _mass(v, s, h), "that is the share beside the signal", MASS_HINT),
            Mistake(lambda v, s, h: _mass(v, s, h) if (v[h] > 0).any() else 0.0,
                    "a map without a positive value in the head has no share: 0 would say that it missed",
                    'Return `float("nan")` there.'),
        ],
        what="your share",
        praise="One number for how much lies where it should. Chance is the signal's share of the head.",
        hint=MASS_HINT,
    )  # fmt: skip


def _ratio(values: Tensor, signal: Tensor, head: Tensor, *, above: Tensor | None = None, below: Tensor | None = None
           ) -> float:  # fmt: skip
    total = float(values[head if below is None else below].sum())
    part = float(values[signal & (head if above is None else above)].sum())
    return part / total if total != 0 else float("nan")


def _mass(values: Tensor, signal: Tensor, head: Tensor) -> float:
    return _ratio(values.clamp(min=0), signal, head)


Score = Callable[[Tensor], float]


@exercise("10-deletion", title="Exercise 10.2, a deletion curve")
def check_deletion(curve: Callable[[Score, Tensor, Tensor, Tensor, int], list[float]]) -> Result:
    """Scores while the most relevant places are replaced by those of an empty image."""
    generator = torch.Generator().manual_seed(10)
    weights = torch.rand(2, 3, 4, generator=generator)

    def score(image: Tensor) -> float:
        return float((weights * image).sum() + (weights * image).amax())

    cases = []
    for steps in (4, 5):
        image, empty = torch.rand(2, 3, 4, generator=generator) + 1, 0.1 * torch.rand(2, 3, 4, generator=generator)
        cases.append((score, image, empty, torch.randn(3, 4, generator=generator), steps))
    return compare_function(
        curve,
        reference=_deleted,
        cases=cases,
        mistakes=[
            Mistake(lambda *case: _deleted(*case, descending=False), "the least relevant places go first",
                    "`argsort(descending=True)`"),
            Mistake(lambda *case: _deleted(*case, insert=True),
                    "that is insertion: it starts from the empty image", "Start from the whole image."),
            Mistake(lambda f, image, empty, v, n: _deleted(f, image, torch.zeros_like(empty), v, n),
                    "the places are set to 0, not to the empty image's values", "`empty.flatten(1)[:, gone]`"),
            Mistake(lambda *case: _deleted(*case, channels=1), "only the first channel is taken away",
                    "`changed[:, gone]`: all channels at once."),
            Mistake(lambda *case: _deleted(*case, absolute=True),
                    "the order is that of absolute values: what speaks against goes early", ORDER_HINT),
            Mistake(lambda *case: _deleted(*case)[1:], "the whole image's score, share 0, is missing",
                    "steps + 1 scores: `range(steps + 1)`"),
            Mistake(lambda *case: _deleted(*case)[:-1], "the empty image's score, share 1, is missing",
                    "steps + 1 scores: `range(steps + 1)`"),
            Mistake(lambda *case: _deleted(*case, one_by_one=True),
                    "one place more goes at each step; a share of all places should", ORDER_HINT),
            Mistake(lambda *case: _deleted(*case, floor=True), "the number of places is cut, not rounded",
                    "`round(step / steps * len(order))`"),
            Mistake(lambda *case: [s / _deleted(*case)[0] for s in _deleted(*case)],
                    "you divided by the first score; the scores themselves were asked for", "Scaling comes later."),
            Mistake(_by_threshold, "the map's values are compared with the share; the *order* decides, not the value",
                    ORDER_HINT),
        ],
        what="your curve",
        praise="The lower it falls, the more those places were needed. A random order is the yardstick.",
        hint=ORDER_HINT,
    )  # fmt: skip


def _deleted(
    score: Score, image: Tensor, empty: Tensor, values: Tensor, steps: int, *, descending: bool = True,
    insert: bool = False, channels: int | None = None, absolute: bool = False, one_by_one: bool = False,
    floor: bool = False,
) -> list[float]:  # fmt: skip
    order = (values.abs() if absolute else values).flatten().argsort(descending=descending)
    start, other = (empty, image) if insert else (image, empty)
    scores = []
    for step in range(steps + 1):
        part = step / steps * len(order)
        count = step if one_by_one else int(part) if floor else round(part)
        changed = start.flatten(1).clone()
        changed[:channels, order[:count]] = other.flatten(1)[:channels, order[:count]]
        scores.append(float(score(changed.reshape(image.shape))))
    return scores


def _by_threshold(score: Score, image: Tensor, empty: Tensor, values: Tensor, steps: int) -> list[float]:
    found = []
    for step in range(steps + 1):
        cut = values.max() - step / steps * (values.max() - values.min())
        gone = (values > cut) if step < steps else torch.ones_like(values, dtype=torch.bool)
        found.append(float(score(torch.where(gone, empty, image))))
    return found


@exercise("10-alike", title="Exercise 10.3, how alike two maps are")
def check_alike(alike: Callable[[Tensor, Tensor, Tensor], float]) -> Result:
    """Two maps and the head to Spearman's correlation of their absolute values in the head."""
    generator = torch.Generator().manual_seed(10)
    cases = []
    for mixed in (0.7, -0.4):
        first = torch.randn(4, 5, 6, generator=generator)
        second = (mixed * first + torch.randn(4, 5, 6, generator=generator)) ** 3
        cases.append((first, second, torch.rand(4, 5, 6, generator=generator) > 0.4))
    return compare_function(
        alike,
        reference=_alike,
        cases=cases,
        mistakes=[
            Mistake(lambda a, b, h: _correlated(a.abs()[h], b.abs()[h]),
                    "that is Pearson's correlation of the values; one huge voxel decides it", RANK_HINT),
            Mistake(lambda a, b, h: _correlated(a.abs()[h].argsort(), b.abs()[h].argsort()),
                    "one `argsort` gives an order, not ranks", RANK_HINT),
            Mistake(lambda a, b, h: _correlated(_ranks(a[h]), _ranks(b[h])),
                    "the sign is kept; a map and its negative should count as the same here", "`.abs()` first."),
            Mistake(lambda a, b, h: _correlated(_ranks(a.abs().flatten()), _ranks(b.abs().flatten())),
                    "voxels outside the head are compared too, where all maps are alike", "`values[head]`"),
            Mistake(lambda a, b, h: _correlated(_ranks((a.abs() * h).flatten()), _ranks((b.abs() * h).flatten())),
                    "the background is set to 0 and still compared: maps look more alike than they are",
                    "`values[head]`"),
            Mistake(lambda a, b, h: _correlated(_ranks(a.abs().flatten())[h.flatten()],
                                                _ranks(b.abs().flatten())[h.flatten()]),
                    "the ranks are those of the whole box", "First `[head]`, then the ranks."),
            Mistake(lambda a, b, h: abs(_correlated(_ranks(a[h]), _ranks(b[h]))),
                    "the absolute value is that of the correlation; it belongs to the maps", RANK_HINT),
            Mistake(lambda a, b, h: _alike(a, b, h) ** 2, "that is the square of it", "Leave out the square."),
            Mistake(lambda a, b, h: 1 - _alike(a, b, h), "that is a distance: 0 for equal maps", "1 for equal maps."),
        ],
        what="your correlation",
        praise="1 for the same order of voxels, about 0 for maps that have nothing in common.",
        hint=RANK_HINT,
    )  # fmt: skip


def _ranks(values: Tensor) -> Tensor:
    return values.argsort().argsort()


def _correlated(first: Tensor, second: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([first.double(), second.double()]))[0, 1])


def _alike(first: Tensor, second: Tensor, head: Tensor) -> float:
    return _correlated(_ranks(first.abs()[head]), _ranks(second.abs()[head]))
