"""Checks of notebook 04: shares over the splits, split attention for volumes, folds dealt by patient."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.attention import SplitAttention
from medattn_lite.course.checks import NotAttempted, NotYet, Result, exercise, passed
from medattn_lite.course.diagnose import Mistake, compare_function, copy_parameters
from medattn_lite.course.exercises.nb02 import first_output
from medattn_lite.course.stubs import is_stub

WHOLE_HINT = "For one image and one channel, the R shares sum to 1: softmax over axis 1 of (B, R, C)."
LAYOUT_HINT = "The logits come as R blocks of C numbers: `unflatten(1, (radix, -1))`."


@exercise("04-shares", title="Exercise 04.1, shares of one whole")
def check_shares(shares: Callable[[Tensor, int], Tensor]) -> Result:
    """(B, R·C) logits to (B, R, C) shares that sum to 1 over R."""
    generator = torch.Generator().manual_seed(4)
    cases = [(2 * torch.randn(3, 8, generator=generator), 2), (2 * torch.randn(2, 12, generator=generator), 4)]
    return compare_function(
        shares,
        reference=_shares,
        cases=cases,
        mistakes=[
            Mistake(lambda t, r: _table(t, r).softmax(2),
                    "the softmax runs over the channels: now channels compete, not splits", WHOLE_HINT),
            Mistake(lambda t, r: _table(t, r).softmax(0),
                    "the softmax runs over the batch: one patient's shares depend on who else is in it", WHOLE_HINT),
            Mistake(lambda t, r: t.softmax(1).unflatten(1, (r, -1)),
                    "the softmax runs over splits and channels together: all R·C numbers share one whole", WHOLE_HINT),
            Mistake(lambda t, r: _interleaved(t, r).softmax(1),
                    "the logits are dealt one by one, split 1, split 2, split 1, …", LAYOUT_HINT),
            Mistake(lambda t, r: t.unflatten(1, (-1, r)).softmax(2),
                    "the axes are (B, C, R), and the logits are dealt one by one", LAYOUT_HINT),
            Mistake(lambda t, r: _shares(t, r).transpose(1, 2), "the axes are (B, C, R); (B, R, C) was asked for",
                    "Splits come on axis 1."),
            Mistake(lambda t, r: _table(t, r).sigmoid(),
                    "a sigmoid lets each split decide for itself; here they share one whole", WHOLE_HINT),
            Mistake(_table, "the softmax is missing: these are the logits", WHOLE_HINT),
            Mistake(lambda t, r: _table(t, r).log_softmax(1), "that is the logarithm of the shares",
                    "`softmax(dim=1)`."),
            Mistake(lambda t, r: _shares(t, r).flatten(1), "the shares are right, but in one row",
                    "Return the shape (B, R, C)."),
            Mistake(lambda t, r: _table(t, r) / _table(t, r).sum(1, keepdim=True),
                    "you divided by the sum without the exponential: a share may become negative", "Use a softmax."),
        ],
        what="your table of shares",
        praise="In every channel the splits share one whole.",
        hint=f"{LAYOUT_HINT} Then softmax over the splits.",
    )


def _table(logits: Tensor, radix: int) -> Tensor:
    return logits.unflatten(1, (radix, -1))


def _interleaved(logits: Tensor, radix: int) -> Tensor:
    return logits.unflatten(1, (-1, radix)).transpose(1, 2)


def _shares(logits: Tensor, radix: int) -> Tensor:
    return _table(logits, radix).softmax(1)


@exercise("04-split", title="Exercise 04.2, split attention for volumes")
def check_split(block: type[nn.Module]) -> Result:
    """The class with three 3-D convolutions, given a reference's weights, equals the reference."""
    if not inspect.isclass(block):
        raise NotYet("Hand over the class itself, not an object of it.", '`check("04-split", SplitAttention3d)`')
    torch.manual_seed(4)
    reference = SplitAttention(8, 6, radix=2, minimum_hidden=5, norm=False, spatial_dims=3).eval()
    with torch.no_grad():  # shares away from one half, so that mistakes show
        for parameter in (*reference.fc1.parameters(), *reference.fc2.parameters()):
            parameter.mul_(3.0)
    mine = block(8, 6, radix=2, hidden=5).eval()
    x = torch.randn(2, 8, 3, 5, 4) + 0.3
    if first_output(mine, x) is None and not list(mine.parameters()):
        raise NotAttempted
    _inspect_layers(mine, reference)
    copy_parameters(reference, mine, hint="Three convolutions: 3×3×3 without bias, then two of size 1 with biases.")
    with torch.no_grad():
        return compare_function(
            mine,
            reference=reference,
            cases=[(x,), (1.5 * x[:1, :, :2] - 0.2,)],
            mistakes=_split_mistakes(reference),
            what="what your block returns",
            praise="Two versions, shares from both, one mixture; for volumes too.",
            hint="Convolution, ReLU, unflatten; sum over the splits, mean over space; two layers; softmax; mix.",
        )


def _inspect_layers(mine: nn.Module, reference: nn.Module) -> None:
    """Mistakes that the list of parameters gives away."""
    if not list(mine.parameters()):
        raise NotYet("Your module has no layers to learn.", "Make three `nn.Conv3d` in `__init__`, as `self.…`.")
    sizes = [tuple(parameter.shape) for parameter in mine.parameters()]
    wanted = reference.conv.weight.shape
    if (wanted[0], 2 * wanted[1], *wanted[2:]) in sizes:
        raise NotYet("Every split reads all channels, and the convolution is R times as large as it should be.",
                     "Pass `groups=radix`: split r then reads the r-th part of the channels.")
    if sizes and sizes[0] == (wanted[0] // 2, *wanted[1:]):
        raise NotYet("Your convolution gives C channels; R versions of C channels are needed.",
                     "`nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, bias=False)`")
    if len(sizes) > 1 and sizes[1] == (wanted[0],):
        raise NotYet("Your 3×3×3 convolution has a bias; in the published block a batch norm stands there instead.",
                     "Pass `bias=False` to it. The two layers of size 1 keep theirs.")


def _split_mistakes(reference: SplitAttention) -> list[Mistake]:
    """The usual ways to get it wrong, computed with the same weights."""
    w1, b1, w2, b2 = (parameter.detach().flatten(1) if parameter.ndim > 1 else parameter.detach()
                      for layer in (reference.fc1, reference.fc2) for parameter in layer.parameters())  # fmt: skip

    def parts(x: Tensor, *, relu: bool = True, layout: str = "blocks") -> Tensor:
        u = reference.conv(x)
        u = u.relu() if relu else u
        return u.unflatten(1, (2, -1)) if layout == "blocks" else u.unflatten(1, (-1, 2)).transpose(1, 2)

    def logits(u: Tensor, *, pool: str = "sum", over: str = "mean", relu: bool = True) -> Tensor:
        described = {"sum": u.sum(1), "mean": u.mean(1), "first": u[:, 0], "max": u.amax(1)}[pool].flatten(2)
        z = {"mean": described.mean(2), "max": described.amax(2), "sum": described.sum(2)}[over]
        hidden = z @ w1.T + b1
        return (hidden.relu() if relu else hidden) @ w2.T + b2

    def mix(shares: Tensor, u: Tensor) -> Tensor:
        return (shares[:, :, :, None, None, None] * u).sum(1)

    def right(u: Tensor, t: Tensor) -> Tensor:
        return mix(_shares(t, 2), u)

    def table(x: Tensor) -> Tensor:
        return _shares(logits(parts(x)), 2)

    return [
        Mistake(lambda x: mix(_table(logits(parts(x)), 2).softmax(2), parts(x)),
                "the softmax runs over the channels: the splits no longer share one whole", WHOLE_HINT),
        Mistake(lambda x: mix(_table(logits(parts(x)), 2).softmax(0), parts(x)),
                "the softmax runs over the batch: one patient's shares depend on who else is in it", WHOLE_HINT),
        Mistake(lambda x: mix(_table(logits(parts(x)), 2).sigmoid(), parts(x)),
                "a sigmoid makes R gates; split attention has shares of one whole", "A softmax over the splits."),
        Mistake(lambda x: mix(_table(logits(parts(x)), 2), parts(x)),
                "the softmax is missing: you mix with the logits", WHOLE_HINT),
        Mistake(lambda x: mix(_interleaved(logits(parts(x)), 2).softmax(1), parts(x)),
                "the logits are dealt one by one; they come as R blocks of C", LAYOUT_HINT),
        Mistake(lambda x: right(parts(x, layout="dealt"), logits(parts(x, layout="dealt"))),
                "the convolution's channels are dealt one by one; they come as R blocks of C", LAYOUT_HINT),
        Mistake(lambda x: right(parts(x), logits(parts(x), pool="mean")),
                "you described the mean of the splits; (04.2) has their sum", "`u.sum(dim=1)`"),
        Mistake(lambda x: right(parts(x), logits(parts(x), pool="max")),
                "you described the larger of the splits; (04.2) has their sum", "`u.sum(dim=1)`"),
        Mistake(lambda x: right(parts(x), logits(parts(x), pool="first")),
                "you described the first split alone: the others have no say in the shares", "`u.sum(dim=1)`"),
        Mistake(lambda x: right(parts(x), logits(parts(x), over="max")),
                "the squeeze takes the largest value; (04.2) has the mean over space", "`mean(dim=(2, 3, 4))`"),
        Mistake(lambda x: right(parts(x), logits(parts(x), over="sum")),
                "the squeeze is a sum over space; (04.2) has the mean", "A larger volume must not mean larger logits."),
        Mistake(lambda x: right(parts(x, relu=False), logits(parts(x, relu=False))),
                "the ReLU after the 3×3×3 convolution is missing", "(04.1): u = δ(…)."),
        Mistake(lambda x: right(parts(x), logits(parts(x), relu=False)),
                "the ReLU between the two layers of size 1 is missing", "Without it the two layers are one."),
        Mistake(lambda x: parts(x).mean(1), "that is the plain mean of the splits; the shares are not used",
                "Multiply by the shares, then add up the splits."),
        Mistake(lambda x: parts(x).sum(1), "that is the plain sum of the splits; the shares are not used",
                "Multiply by the shares, then add up the splits."),
        Mistake(lambda x: right(parts(x), logits(parts(x))) / 2,
                "you took the mean of the weighted splits; their shares sum to 1 already", "`.sum(dim=1)`"),
        Mistake(lambda x: (table(x)[:, :, :, None, None, None] * parts(x)).flatten(1, 2),
                "you laid the weighted splits side by side; (04.4) adds them up", "`.sum(dim=1)`"),
        Mistake(lambda x: table(x)[:, :, :, None, None, None] * parts(x),
                "the weighted splits are right, but not added up", "`.sum(dim=1)`"),
        Mistake(table, "you returned the shares; mix the splits with them", "Multiply, then add up the splits."),
    ]


@exercise("04-deal", title="Exercise 04.3, deal patients, not slices")
def check_deal(deal: Callable[[Sequence[str], int, int], Any]) -> Result:
    """The slices' patients (N,) to fold numbers (N,): a patient in one fold, folds alike, other folds by seed."""
    if not callable(deal):
        raise NotYet(f"You handed over {type(deal).__name__}, not the function itself.", "Leave out the brackets.")
    if is_stub(deal):
        raise NotAttempted
    slices = np.random.default_rng(4).permutation(np.repeat(np.arange(23), np.arange(23) % 5 + 2))
    subjects = [f"patient-{number:02d}" for number in slices]
    answers = []
    for folds, seed in ((5, 0), (5, 0), (5, 1), (4, 2)):
        given = list(subjects)
        answer = deal(given, folds, seed)
        if given != subjects:
            raise NotYet("Your function changes its input.", "Shuffle a list of your own: `sorted(set(subjects))`.")
        answers.append(_one_deal(answer, subjects, folds))
    if answers[0] != answers[1]:
        raise NotYet("The same seed gave two different deals.", "Take all chance from `np.random.default_rng(seed)`.")
    if answers[0] == answers[2]:
        raise NotYet("The seed changes nothing: patients are dealt in the same order every time.",
                     "Shuffle the patients with `np.random.default_rng(seed).permutation(…)` before you deal them.")
    return passed("No patient is on both sides, and every fold has its share of patients.")


def _one_deal(answer: Any, subjects: list[str], folds: int) -> list[int]:
    """The fold of every slice, as plain numbers.

    Raises:
        NotYet: the answer is no such list, or breaks a rule that has a name.
    """
    if is_stub(answer):
        raise NotYet("Your function returns None.", "Does it end with `return …`?")
    people = sorted(set(subjects))
    if isinstance(answer, dict):
        raise NotYet("That is a dictionary, patient to fold; a fold for each slice was asked for.",
                     "`[fold_of[subject] for subject in subjects]`")
    try:
        numbers = [int(number) for number in answer]
    except (TypeError, ValueError):
        raise NotYet("Your answer is no list of fold numbers.", "One whole number a slice.") from None
    if len(numbers) == len(people):
        raise NotYet("There is one number for each patient; one for each slice was asked for.",
                     "`[fold_of[subject] for subject in subjects]`")
    if len(numbers) != len(subjects):
        raise NotYet(f"There are {len(numbers)} numbers for {len(subjects)} slices.", "One fold number a slice.")
    if min(numbers) == 1 and max(numbers) == folds:
        raise NotYet("Your folds are counted from 1.", "Count them from 0 to folds − 1.")
    if min(numbers) < 0 or max(numbers) >= folds:
        raise NotYet(f"There is a fold {max(numbers)} where folds are 0 to {folds - 1}.", "`number % folds`")
    own: dict[str, set[int]] = {}
    for subject, number in zip(subjects, numbers, strict=True):
        own.setdefault(subject, set()).add(number)
    torn = next((subject for subject in people if len(own[subject]) > 1), None)
    if torn is not None:
        raise NotYet(f"The slices of {torn} lie in folds {' and '.join(map(str, sorted(own[torn])[:2]))}: that patient "
                     "is trained on and tested.", "Deal the patients first; a slice goes where its patient goes.")
    sizes = Counter(next(iter(folds_of)) for folds_of in own.values())
    counts = [sizes.get(fold, 0) for fold in range(folds)]
    if min(counts) == 0:
        raise NotYet(f"Fold {counts.index(0)} is empty.",
                     "Patient number i of the shuffled list goes to fold i % folds.")
    if max(counts) - min(counts) > 1:
        raise NotYet(f"The folds have {min(counts)} to {max(counts)} patients; they should differ by one at most.",
                     "Patient number i of the shuffled list goes to fold i % folds.")
    return numbers


def dealt(subjects: Sequence[str], folds: int, seed: int) -> list[int]:
    """A fold number for each slice; all slices of a patient in one fold."""
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    fold_of = {patient: number % folds for number, patient in enumerate(people)}
    return [fold_of[subject] for subject in subjects]
