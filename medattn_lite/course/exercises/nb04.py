"""Checks of notebook 04: shares over the splits, split attention for volumes, folds split by patient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from medattn_lite.attention import SplitAttention
from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.exercises.nb04_folds import check_folds, folds_by_patient
from medattn_lite.course.modules import Setting, judge_module, no_linear_layers

WHOLE_HINT = "For one image and one channel, the R shares sum to 1: softmax over axis 1 of (B, R, C)."
LAYOUT_HINT = "The logits come as R blocks of C numbers: `unflatten(1, (radix, -1))`."


@exercise("04-shares", title="Exercise 04.1, shares of one whole")
def check_shares(shares: Callable[[Tensor, int], Tensor]) -> Result:
    """(B, R·C) logits to (B, R, C) shares that sum to 1 over R."""
    generator = torch.Generator().manual_seed(4)
    sizes = ((3, 2, 4), (2, 4, 3), (1, 3, 3), (4, 3, 2), (2, 5, 1))  # images, splits, channels
    cases = [(2 * torch.randn(b, r * c, generator=generator), r) for b, r, c in sizes]
    cases.append((cases[0][0].relu(), 4))
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
                    "the logits come in turn, split 1, split 2, split 1, …", LAYOUT_HINT),
            Mistake(lambda t, r: t.unflatten(1, (-1, r)).softmax(2),
                    "the axes are (B, C, R), and the logits come in turn", LAYOUT_HINT),
            Mistake(lambda t, r: _shares(t, r).transpose(1, 2), "the axes are (B, C, R); (B, R, C) was asked for",
                    "Splits come on axis 1."),
            Mistake(lambda t, r: _table(t, r).sigmoid(),
                    "a sigmoid lets each split decide for itself; here they share one whole", WHOLE_HINT),
            Mistake(_table, "the softmax is missing: these are the logits", WHOLE_HINT),
            Mistake(lambda t, r: _table(t, r).log_softmax(1), "that is the logarithm of the shares",
                    "`softmax(dim=1)`."),
            Mistake(lambda t, r: _shares(t, r).flatten(1), "the shares are right, but in one row",
                    "Return the shape (B, R, C)."),
            Mistake(lambda t, r: _shares(t, 2), "you made two splits, whatever `radix` says", "`radix` blocks."),
            Mistake(lambda t, r: _table(t, r).exp(), "the exponentials are not divided by their sum", WHOLE_HINT),
            Mistake(lambda t, r: (-_table(t, r)).softmax(1), "the sign is turned: the lowest logit gets most",
                    "`softmax(dim=1)` of the logits."),
            Mistake(lambda t, r: _shares(t, r).transpose(0, 1), "the axes are (R, B, C); (B, R, C) was asked for",
                    "Images stay on axis 0."),
            Mistake(lambda t, r: _table(t, r).softmax(1).softmax(1), "there are two softmaxes", WHOLE_HINT),
            Mistake(lambda t, r: torch.full_like(_table(t, r), 1 / r), "equal shares do not depend on the logits",
                    "A softmax over the splits."),
            Mistake(lambda t, r: (_table(t, r) == _table(t, r).amax(1, keepdim=True)).float(),
                    "the largest takes all; shares are soft", "`softmax(dim=1)`."),
            Mistake(lambda t, r: _table(t, r).sigmoid() / _table(t, r).sigmoid().sum(1, keepdim=True),
                    "these are sigmoids, divided by their sum; the shares come from exponentials", "A softmax."),
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
    def setting(in_channels: int, channels: int, radix: int, hidden: int) -> Setting:
        reference = SplitAttention(in_channels, channels, radix=radix, reduction=100, minimum_hidden=hidden, norm=False,
                                   spatial_dims=3).eval()  # fmt: skip
        with torch.no_grad():  # shares away from equal ones, so that mistakes show
            for parameter in (*reference.fc1.parameters(), *reference.fc2.parameters()):
                parameter.mul_(3.0)
        x = torch.randn(2, in_channels, 3, 5, 4) + 0.3
        arguments = {"in_channels": in_channels, "channels": channels, "radix": radix, "hidden": hidden}
        return Setting(arguments, reference, [x, 1.5 * x[:1, :, :2] - 0.2, x.relu().movedim(2, 4)],
                       _split_mistakes(reference))  # fmt: skip

    return judge_module(
        block,
        [setting(12, 6, 2, 5), setting(12, 4, 3, 7), setting(8, 3, 4, 5)],
        call_text='check("04-split", SplitAttention3d)',
        look=_look_at_layers,
        errors={
            "greater than actual input size|smaller than kernel size": (
                "Your 3×3×3 convolution makes the volume smaller, until nothing is left.",
                "`padding=1` keeps the size."),
            "must match the size of tensor": (
                "Shares and splits do not fit: (B, R, C, 1, 1, 1) should meet (B, R, C, D, H, W).",
                "`unflatten(1, (radix, -1))` for both; `keepdim=True` keeps axes of length 1."),
        },
        what="what your block returns",
        praise="As many versions as you like, shares from all, one mixture; for volumes too.",
        hint="Convolution, ReLU, unflatten; sum over the splits, mean over space; two layers; softmax; mix.",
        layers="Three convolutions: 3×3×3 without bias, then two of size 1 with biases.",
    )  # fmt: skip


def _look_at_layers(mine: nn.Module, setting: Setting, answer: Tensor | None) -> None:
    """Mistakes that the list of parameters and the shape of the answer give away."""
    sizes = [tuple(parameter.shape) for parameter in mine.parameters()]
    wanted, radix = setting.reference.get_parameter("conv.weight").shape, setting.arguments["radix"]
    no_linear_layers(mine)
    if (wanted[0], radix * wanted[1], *wanted[2:]) in sizes:
        raise NotYet("Every split reads all channels, and the convolution is R times as large as it should be.",
                     "Pass `groups=radix`: split r then reads the r-th part of the channels.")
    if (wanted[0] // radix, *wanted[1:]) in sizes or (wanted[0] // radix, radix * wanted[1], *wanted[2:]) in sizes:
        raise NotYet("Your convolution gives C channels; R versions of C channels are needed.",
                     "`nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, bias=False)`")
    if sizes.count((wanted[0],)) > 1:
        raise NotYet("Your 3×3×3 convolution has a bias; in the published block a batch norm stands there instead.",
                     "Pass `bias=False` to it. The two layers of size 1 keep theirs.")
    if answer is not None and answer.ndim == 5 and answer.shape[2:] != setting.inputs[0].shape[2:]:
        raise NotYet(f"Space went from {tuple(setting.inputs[0].shape[2:])} to {tuple(answer.shape[2:])}: the padding "
                     "is missing.", "`padding=1` for a kernel of 3.")


def _split_mistakes(reference: SplitAttention) -> list[Mistake]:
    """The usual ways to get it wrong, computed with the same weights."""
    radix = reference.radix
    w1, b1, w2, b2 = (parameter.detach().flatten(1) if parameter.ndim > 1 else parameter.detach()
                      for layer in (reference.fc1, reference.fc2) for parameter in layer.parameters())  # fmt: skip

    def parts(x: Tensor, *, relu: bool = True, layout: str = "blocks") -> Tensor:
        u = reference.conv(x)
        u = u.relu() if relu else u
        return u.unflatten(1, (radix, -1)) if layout == "blocks" else u.unflatten(1, (-1, radix)).transpose(1, 2)

    def logits(u: Tensor, *, pool: str = "sum", over: str = "mean", relu: bool = True) -> Tensor:
        described = {"sum": u.sum(1), "mean": u.mean(1), "first": u[:, 0], "last": u[:, -1], "max": u.amax(1)}[pool]
        described = described.flatten(2)
        z = {"mean": described.mean(2), "max": described.amax(2), "sum": described.sum(2)}[over]
        hidden = z @ w1.T + b1
        return (hidden.relu() if relu else hidden) @ w2.T + b2

    def mix(shares: Tensor, u: Tensor) -> Tensor:
        return (shares[:, :, :, None, None, None] * u).sum(1)

    def right(u: Tensor, t: Tensor) -> Tensor:
        return mix(_shares(t, radix), u)

    def table(x: Tensor) -> Tensor:
        return _shares(logits(parts(x)), radix)

    return [
        Mistake(lambda x: mix(_table(logits(parts(x)), radix).softmax(2), parts(x)),
                "the softmax runs over the channels: the splits no longer share one whole", WHOLE_HINT),
        Mistake(lambda x: mix(_table(logits(parts(x)), radix).softmax(0), parts(x)),
                "the softmax runs over the batch: one patient's shares depend on who else is in it", WHOLE_HINT),
        Mistake(lambda x: mix(_table(logits(parts(x)), radix).sigmoid(), parts(x)),
                "a sigmoid makes R gates; split attention has shares of one whole", "A softmax over the splits."),
        Mistake(lambda x: mix(_table(logits(parts(x)), radix), parts(x)),
                "the softmax is missing: you mix with the logits", WHOLE_HINT),
        Mistake(lambda x: mix(_interleaved(logits(parts(x)), radix).softmax(1), parts(x)),
                "the logits come in turn; they come as R blocks of C", LAYOUT_HINT),
        Mistake(lambda x: right(parts(x, layout="in turn"), logits(parts(x, layout="in turn"))),
                "the convolution's channels come in turn; they come as R blocks of C", LAYOUT_HINT),
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
        Mistake(lambda x: right(parts(x), logits(parts(x), pool="last")),
                "you described the last split alone: the others have no say in the shares", "`u.sum(dim=1)`"),
        Mistake(lambda x: right(parts(x, relu=False), logits(parts(x))),
                "the splits that you mix have not passed the ReLU", "(04.1): u = δ(…), for description and mixture."),
        Mistake(lambda x: mix(table(x).flip(1), parts(x)), "each split gets another one's share",
                "Share r belongs to split r."),
        Mistake(lambda x: mix(_table(logits(parts(x)), radix).log_softmax(1), parts(x)),
                "you mix with the logarithms of the shares", "`softmax(dim=1)`"),
        Mistake(lambda x: right(parts(x), logits(parts(x))).relu() + parts(x).sum(1),
                "you added the splits again; the mixture is all", "`(shares * u).sum(dim=1)`"),
        Mistake(lambda x: (table(x)[:, :, :, None, None, None] * parts(x)).amax(1),
                "you took the largest of the weighted splits; (04.4) adds them up", "`.sum(dim=1)`"),
        Mistake(lambda x: parts(x).mean(1), "that is the plain mean of the splits; the shares are not used",
                "Multiply by the shares, then add up the splits."),
        Mistake(lambda x: parts(x).sum(1), "that is the plain sum of the splits; the shares are not used",
                "Multiply by the shares, then add up the splits."),
        Mistake(lambda x: right(parts(x), logits(parts(x))) / radix,
                "you took the mean of the weighted splits; their shares sum to 1 already", "`.sum(dim=1)`"),
        Mistake(lambda x: (table(x)[:, :, :, None, None, None] * parts(x)).flatten(1, 2),
                "you laid the weighted splits side by side; (04.4) adds them up", "`.sum(dim=1)`"),
        Mistake(lambda x: table(x)[:, :, :, None, None, None] * parts(x),
                "the weighted splits are right, but not added up", "`.sum(dim=1)`"),
        Mistake(table, "you returned the shares; mix the splits with them", "Multiply, then add up the splits."),
    ]


__all__ = ["check_folds", "check_shares", "check_split", "folds_by_patient"]
