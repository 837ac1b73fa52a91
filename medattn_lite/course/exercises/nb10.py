"""Checks of notebook 10: relevance mass, a deletion curve, how alike two maps are."""

from __future__ import annotations

import math
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
    small = torch.tensor([[[3.0, -1.0, 1.0, 2.0]]])
    first, inside = torch.tensor([[[True, True, False, False]]]), torch.tensor([[[True, True, True, False]]])
    cases = [(small, first, inside), (-small.abs(), first, inside), (small, ~inside, inside)]
    for _ in range(2):
        values = torch.randn(4, 5, 6, generator=generator)
        head = torch.rand(4, 5, 6, generator=generator) > 0.3
        cases.append((values, torch.rand(4, 5, 6, generator=generator) > 0.8, head))
    values, signal, head = cases[-1]
    cases.append((values.abs() * ~head - values.abs() * head, signal, head))  # positive outside the head only
    cases.append((values.relu(), torch.ones_like(signal), head))  # signal everywhere: 1
    cases.append((values * 1e-3, signal, head))  # small values are values
    return compare_function(
        mass,
        reference=_mass,
        cases=cases,
        errors={"ZeroDivisionError": ("A map without a positive value in the head divides by 0.",
                                      'Return `float("nan")` there.')},
        mistakes=[
            Mistake(lambda v, s, h: 0.0 if not (v[h] > 0).any() else _ratio(v.clamp(min=0), s, h,
                                                                            above=torch.ones_like(h)),
                    "the signal reaches out of the head, and you counted it there", "`signal & head`"),
            Mistake(lambda v, s, h: _ratio(v.clamp(min=0) ** 2, s, h), "you added up squares", MASS_HINT),
            Mistake(lambda v, s, h: _ratio(v.clamp(min=0), ~s, h), "that is the share beside the signal", MASS_HINT),
            Mistake(lambda v, s, h: _mass(v, s, h) / (float((s & h).sum()) / float(h.sum())), "that is the mass over "
                    "chance, as in notebook 09; the share itself was asked for", MASS_HINT),
            Mistake(lambda v, s, h: _mass(-v, s, h), "those are the negative values", "`.clamp(min=0)`"),
            Mistake(lambda v, s, h: float((v.clamp(min=0) * h)[s & h].sum()), "that is the sum on the signal; divide "
                    "by the sum in the head", MASS_HINT),
            Mistake(lambda v, s, h: 100 * _mass(v, s, h), "that is a percentage; a share from 0 to 1 was asked for"),
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

    def case(channels: int, height: int, width: int, steps: int) -> tuple[Score, Tensor, Tensor, Tensor, int]:
        shape = (channels, height, width)
        weights, image, empty = (torch.rand(shape, generator=generator) for _ in range(3))

        def score(image: Tensor) -> float:
            return float((weights * image).sum() + (weights * image).amax())

        weights[:, 0] = -weights[:, 0]  # so that a curve may rise on its way
        return score, image + 1, 0.1 * empty, torch.randn(height, width, generator=generator), steps

    cases = [case(1, 1, 3, 3), case(2, 3, 4, 4), case(2, 3, 4, 5), case(3, 2, 5, 7), case(1, 2, 2, 1)]
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
            Mistake(lambda f, image, empty, v, n: _deleted(f, image, torch.full_like(image, image.mean()), v, n),
                    "the places are set to the image's mean, not to the empty image's values",
                    "`empty.flatten(1)[:, gone]`"),
            Mistake(lambda *case: _deleted(*case)[::-1], "the scores come in the order from share 1 to share 0",
                    "`range(steps + 1)`: 0 first."),
            Mistake(lambda *case: sorted(_deleted(*case), reverse=True), "the scores are sorted; keep the order of the "
                    "shares", "A curve may also rise."),
            Mistake(lambda *case: sum(_deleted(*case)) / (case[-1] + 1), "that is the mean of the curve; the scores "
                    "were asked for", "A list of steps + 1 numbers."),
            Mistake(lambda *case: [_deleted(*case)[0] - s for s in _deleted(*case)], "those are the falls; the scores "
                    "themselves were asked for"),
            Mistake(lambda *case: _deleted(*case, ceil=True), "the number of places is rounded up",
                    "`round(step / steps * len(order))`"),
            Mistake(lambda *case: _deleted(*case, ranks=True), "the order of the order: one `argsort` gives the "
                    "places, the most relevant first; a second gives ranks", ORDER_HINT),
            Mistake(lambda *case: _deleted(*case, piece=True), "only the places of each step are gone; those of the "
                    "steps before came back", "`order[: n]`, from the first on."),
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
    floor: bool = False, ceil: bool = False, ranks: bool = False, piece: bool = False,
) -> list[float]:  # fmt: skip
    order = (values.abs() if absolute else values).flatten().argsort(descending=descending)
    order = order.argsort() if ranks else order
    start, other = (empty, image) if insert else (image, empty)
    scores = []
    for step in range(steps + 1):
        part = step / steps * len(order)
        count = step if one_by_one else int(part) if floor else math.ceil(part) if ceil else round(part)
        begin = round((step - 1) / steps * len(order)) if piece and step else 0
        changed = start.flatten(1).clone()
        changed[:channels, order[begin:count]] = other.flatten(1)[:channels, order[begin:count]]
        scores.append(float(score(changed.reshape(image.shape))))
    return scores


def _by_threshold(score: Score, image: Tensor, empty: Tensor, values: Tensor, steps: int) -> list[float]:
    scores = []
    for step in range(steps + 1):
        cut = values.max() - step / steps * (values.max() - values.min())
        gone = (values > cut) if step < steps else torch.ones_like(values, dtype=torch.bool)
        scores.append(float(score(torch.where(gone, empty, image))))
    return scores


@exercise("10-alike", title="Exercise 10.3, how alike two maps are")
def check_alike(similarity: Callable[[Tensor, Tensor, Tensor], float]) -> Result:
    """Two maps and the head to Spearman's correlation of their absolute values in the head."""
    generator = torch.Generator().manual_seed(10)
    cases = []
    for mixed in (0.7, -0.4, 0.0):
        first = torch.randn(4, 5, 6, generator=generator)
        second = (mixed * first + torch.randn(4, 5, 6, generator=generator)) ** 3
        cases.append((first, second, torch.rand(4, 5, 6, generator=generator) > 0.4))
    row = torch.tensor([[[1.0, -5.0, 3.0, 2.0]]])
    inside = torch.tensor([[[True, True, True, True]]])
    cases = [(row, torch.tensor([[[-2.0, 8.0, 40.0, -3.0]]]), inside), (row, -(row**3), inside), *cases]
    return compare_function(
        similarity,
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
            Mistake(lambda a, b, h: abs(_alike(a, b, h)), "the correlation's sign is lost: maps may also be opposite",
                    "`.abs()` of the maps, not of the result."),
            Mistake(lambda a, b, h: -_alike(a, b, h), "the sign is turned: one of the two is ranked backwards",
                    RANK_HINT),
            Mistake(lambda a, b, h: _correlated(a[h], b[h]), "that is Pearson's correlation of the signed values",
                    RANK_HINT),
            Mistake(lambda a, b, h: _cosine(a.abs()[h], b.abs()[h]), "that is the cosine of the values, not the "
                    "correlation of their ranks", RANK_HINT),
            Mistake(lambda a, b, h: _cosine(_ranks(a.abs()[h]).double(), _ranks(b.abs()[h]).double()),
                    "that is the cosine of the ranks: their mean is not taken away", "`torch.corrcoef`"),
            Mistake(lambda a, b, h: _alike(a, b, ~h) if (~h).sum() > 1 else math.nan, "those are the voxels outside "
                    "the head", "`values[head]`"),
            Mistake(lambda a, b, h: float((_ranks(a.abs()[h]) == _ranks(b.abs()[h])).double().mean()),
                    "that is the share of voxels with the same rank", RANK_HINT),
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


def _cosine(first: Tensor, second: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(first, second, dim=0))


def _alike(first: Tensor, second: Tensor, head: Tensor) -> float:
    return _correlated(_ranks(first.abs()[head]), _ranks(second.abs()[head]))
