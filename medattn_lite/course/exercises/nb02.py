"""Checks of notebook 02: a squeeze inside the head, the block as convolutions, gates frozen at their mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from medattn_lite.attention import SqueezeExcitation
from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.modules import Setting, judge_module, no_linear_layers

COUNT_HINT = "Divide by the sum of `inside` over space; it differs from image to image."
SPACE_HINT = "The squeeze keeps one number per channel: axis 1 stays, the axes from 2 on go."


@exercise("02-squeeze", title="Exercise 02.1, squeeze only the head")
def check_squeeze(squeeze: Callable[..., Tensor]) -> Result:
    """(B, C, …) and (B, 1, …) to (B, C): the mean over the pixels inside."""
    generator = torch.Generator().manual_seed(2)

    def case(*shape: int) -> tuple[Tensor, Tensor]:
        # Positive, negative and exactly 0, as after a ReLU: a 0 inside the head is a pixel like any other.
        u = torch.randn(shape, generator=generator) + torch.arange(shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))
        u = torch.where(torch.rand(shape, generator=generator) < 0.3, 0.0, u - 1)
        inside = (torch.rand((shape[0], 1, *shape[2:]), generator=generator) < 0.6).float()
        return u, inside

    return compare_function(
        squeeze,
        reference=_squeeze_inside,
        cases=[case(2, 3, 5, 4), case(3, 4, 2, 5, 4), case(1, 2, 3, 3), case(2, 6, 3, 2, 7)],
        mistakes=[
            Mistake(lambda u, inside: u.flatten(2).mean(dim=2), "you averaged over the air too: `inside` is not used",
                    "Multiply by `inside` first."),
            Mistake(lambda u, inside: (u * inside).flatten(2).mean(dim=2),
                    "you divided by all pixels, not by those inside", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(dim=2),
                    "that is the sum, not the mean: a larger head would count for more", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(dim=2) / inside.sum(),
                    "you divided by the pixels inside all heads together", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(2) / (u * inside != 0).flatten(2).sum(2),
                    "you divided by the pixels that are not 0: a pixel inside the head may well be 0", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(2) / inside.flatten(2).sum(2) / u.shape[1],
                    "you divided by the number of channels as well", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(2) / inside[0].sum(),
                    "every image is divided by the count of the first one", COUNT_HINT),
            Mistake(lambda u, inside: u.flatten(2).sum(2) / inside.flatten(2).sum(2),
                    "the sum runs over the air too; only the count is taken inside", "Multiply by `inside` first."),
            Mistake(lambda u, inside: _squeeze_inside(u, inside).mean(0), "you averaged over the images as well",
                    "One row per image: (B, C)."),
            Mistake(lambda u, inside: _squeeze_inside(u, inside).T, "rows and columns have changed places",
                    "One row per image, one column per channel: (B, C)."),
            Mistake(lambda u, inside: (u * inside).mean(dim=1),
                    "you averaged over the channels, and kept space", SPACE_HINT),
            Mistake(lambda u, inside: u.mean(dim=1), "you averaged over the channels, and kept space", SPACE_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).amax(dim=2),
                    "that is the largest value inside, not the mean", "CBAM, in the next notebook, uses both."),
            Mistake(lambda u, inside: _squeeze_inside(u, 1 - inside), "that is the mean of the air",
                    "`inside` is 1 in the head: multiply by it, not by 1 - inside."),
            Mistake(lambda u, inside: _squeeze_inside(u, inside).reshape(*u.shape[:2], *[1] * (u.ndim - 2)),
                    "the numbers are right, but axes of length 1 are left over", "Return the shape (B, C)."),
            Mistake(_squeeze_two_axes, "a volume keeps an axis: you summed over (2, 3) only",
                    "`flatten(2)` lays all axes of space in one row, for slices and for volumes."),
        ],
        what="your squeeze",
        praise="Only the head counts now, however much air is in the picture.",
        hint="A mean is a sum divided by a count; here both are taken inside the head.",
    )


def _squeeze_inside(u: Tensor, inside: Tensor) -> Tensor:
    return (u * inside).flatten(2).sum(dim=2) / inside.flatten(2).sum(dim=2)


def _squeeze_two_axes(u: Tensor, inside: Tensor) -> Tensor:
    return (u * inside).sum(dim=(2, 3)) / inside.sum(dim=(2, 3))


@exercise("02-se-conv", title="Exercise 02.2, the block with convolutions")
def check_se_conv(block: type[nn.Module]) -> Result:
    """The class with two convolutions of size 1, given a reference's weights, equals the reference."""

    def setting(channels: int, reduction: int) -> Setting:
        reference = SqueezeExcitation(channels, reduction=reduction, spatial_dims=3).eval()
        with torch.no_grad():  # gates away from one half, so that mistakes show
            for parameter in reference.parameters():
                parameter.mul_(2.5)
        u = torch.randn(2, channels, 3, 5, 4) + 0.3
        mistakes = _block_mistakes(*(parameter.detach() for parameter in reference.parameters()))
        return Setting({"channels": channels, "reduction": reduction}, reference,
                       [u, u[:1, :, :2] * 3, (u - 0.5).relu().movedim(2, 4)], mistakes)  # fmt: skip

    return judge_module(
        block,
        [setting(32, 4), setting(10, 2), setting(48, 16)],
        call_text='check("02-se-conv", SEConv3d)',
        look=_look_at_layers,
        what="what your block returns",
        praise="The same block, with convolutions. This is how most published code writes it.",
        hint="Mean over space, convolution, ReLU, convolution, sigmoid; then multiply.",
        layers="Two convolutions: C → C/r, then C/r → C, each with its bias.",
    )


def _look_at_layers(mine: nn.Module, setting: Setting, answer: Tensor | None) -> None:
    """Mistakes that the list of parameters gives away."""
    no_linear_layers(mine)
    if any(max(parameter.shape[2:], default=1) > 1 for parameter in mine.parameters()):
        raise NotYet("After the squeeze there is one voxel, and your kernel is larger.", "Pass `kernel_size=1`.")
    norms = [name for name, module in mine.named_modules() if isinstance(module, _NORMS)]
    if norms:
        raise NotYet(f"`{norms[0]}` is a normalisation; the block has none.", "Two convolutions, and nothing else.")


_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def _block_mistakes(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> list[Mistake]:
    """The usual ways to get it wrong, computed with the same weights."""

    def gate(u: Tensor, *, squeeze: str = "mean", relu: bool = True, last: str = "sigmoid",
             middle: str = "relu") -> Tensor:
        flat = u.flatten(2)
        z = {"mean": flat.mean(2), "sum": flat.sum(2), "max": flat.amax(2), "batch": flat.mean((0, 2))[None]}[squeeze]
        hidden = z @ w1.T + b1
        hidden = {"sigmoid": hidden.sigmoid, "tanh": hidden.tanh, "gelu": lambda: nn.functional.gelu(hidden),
                  "leaky": lambda: nn.functional.leaky_relu(hidden), "relu": hidden.relu}[middle]() if relu else hidden
        logits = hidden @ w2.T + b2
        s = {
            "sigmoid": logits.sigmoid(),
            "twice": logits.sigmoid().sigmoid(),
            "minus": 1 - logits.sigmoid(),
            "relu first": logits.relu().sigmoid(),
            "none": logits,
            "relu": logits.relu(),
            "tanh": logits.tanh(),
            "softmax": logits.softmax(1),
            "softmax0": logits.softmax(0),
        }[last]
        return s[:, :, None, None, None]

    return [
        Mistake(lambda u: u * gate(u, last="none"), "the sigmoid is missing: your gate leaves the range from 0 to 1",
                "It is the last step before the product."),
        Mistake(lambda u: u * gate(u, last="relu"), "the last step should be a sigmoid, not a second ReLU",
                "A ReLU has no upper end; a gate lies between 0 and 1."),
        Mistake(lambda u: u * gate(u, last="tanh"), "the last step is a tanh, which reaches down to −1",
                "A gate lies between 0 and 1: sigmoid."),
        Mistake(lambda u: u * gate(u, middle="sigmoid"), "between the two convolutions stands a sigmoid",
                "ReLU after the first convolution, sigmoid after the second."),
        Mistake(lambda u: u * gate(u, last="twice"), "there are two sigmoids, one after the other: every gate lies "
                "above one half", "One sigmoid, as the last step."),
        Mistake(lambda u: u * gate(u, last="relu first"), "a ReLU stands before the sigmoid: no gate can close below "
                "one half", "ReLU after the first convolution only."),
        Mistake(lambda u: u * gate(u, last="minus"), "the gate is turned: 1 minus the sigmoid", "Multiply by it."),
        Mistake(lambda u: u * gate(u, middle="tanh"), "between the two convolutions stands a tanh", "A ReLU."),
        Mistake(lambda u: u * gate(u, middle="gelu"), "between the two convolutions stands a GELU", "A ReLU."),
        Mistake(lambda u: u * gate(u, middle="leaky"), "between the two convolutions stands a leaky ReLU", "A ReLU."),
        Mistake(lambda u: u * gate(u, squeeze="batch"), "the squeeze runs over the batch too: one patient's gate "
                "depends on the others", "Mean over (2, 3, 4) only."),
        Mistake(lambda u: u * gate(u).mean(1, keepdim=True), "one gate for all channels: each channel has its own",
                "Multiply by the gates as they are."),
        Mistake(lambda u: u / gate(u), "you divided by the gate; it should multiply", "`u * s`"),
        Mistake(lambda u: _pooled_in_slices(u, w1, b1, w2, b2),
                "you pooled over axes 3 and 4 only: every slice has its own gate", "Mean over (2, 3, 4)."),
        Mistake(lambda u: u * gate(u, relu=False), "the ReLU between the two convolutions is missing",
                "Without it the two layers are one: a product of two matrices is a matrix."),
        Mistake(lambda u: u * gate(u, relu=False, last="none"), "the ReLU and the sigmoid are both missing",
                "ReLU after the first convolution, sigmoid after the second."),
        Mistake(lambda u: u * gate(u, last="softmax"),
                "a softmax over the channels makes them compete for one whole; squeeze-and-excitation uses a sigmoid",
                "Each channel decides for itself: use a sigmoid."),
        Mistake(lambda u: u * gate(u, last="softmax0"),
                "that softmax runs over the batch: one patient's gate depends on who else is in it",
                "Use a sigmoid; no image should know of another."),
        Mistake(lambda u: u + gate(u), "you added the gate; it should multiply",
                "A gate of 0 must silence the channel."),
        Mistake(lambda u: u + u * gate(u), "you added the input again; that is the residual block's task",
                "Return the product alone."),
        Mistake(lambda u: gate(u), "you returned the gate; multiply the input by it", "Return `u * s`."),
        Mistake(lambda u: gate(u).expand_as(u), "you returned the gate; multiply the input by it", "Return `u * s`."),
        Mistake(lambda u: u * gate(u, squeeze="sum"), "the squeeze is a sum; it should be a mean",
                "With a sum, a larger volume drives the sigmoid to its ends."),
        Mistake(lambda u: u * gate(u, squeeze="max"), "the squeeze takes the largest value; it should be the mean",
                "The maximum comes with CBAM, in notebook 03."),
        Mistake(lambda u: _without_squeeze(u, w1, b1, w2, b2),
                "the squeeze is missing: your convolutions run at every voxel, and every voxel gets its own gate",
                "Take the mean over (2, 3, 4) first, with keepdim=True."),
    ]


def _without_squeeze(u: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    each = u.movedim(1, -1)
    return u * ((each @ w1.T + b1).relu() @ w2.T + b2).sigmoid().movedim(-1, 1)


def _pooled_in_slices(u: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> Tensor:
    z = u.mean(dim=(3, 4)).movedim(1, -1)
    return u * ((z @ w1.T + b1).relu() @ w2.T + b2).sigmoid().movedim(-1, 1)[..., None, None]


@exercise("02-frozen-gates", title="Exercise 02.3, freeze the gates")
def check_frozen_gates(freeze: Callable[[Tensor], Tensor]) -> Result:
    """(B, C) to (B, C): each image gets the mean gate of all images."""
    gates = torch.rand(5, 3, generator=torch.Generator().manual_seed(2))
    return compare_function(
        freeze,
        reference=frozen,
        cases=[(gates,), (gates[:2, :1],), (gates.T.contiguous(),), (torch.where(gates > 0.5, gates, 0.0),)],
        mistakes=[
            Mistake(lambda g: g.mean(dim=1, keepdim=True).expand_as(g),
                    "you averaged over the channels: now every channel of an image has the same gate",
                    "The channels should keep their differences; the images should lose theirs. Average over axis 0."),
            Mistake(lambda g: g.mean(dim=1), "you averaged over the channels, and lost an axis",
                    "Average over axis 0, the images."),
            Mistake(lambda g: g.mean(dim=0), "the mean is right, but there is one row; every image needs one",
                    "`expand_as(gates)` repeats a row for all images."),
            Mistake(lambda g: g.mean(dim=0, keepdim=True),
                    "the mean is right, but there is one row; every image needs one",
                    "`expand_as(gates)` repeats a row for all images."),
            Mistake(lambda g: g.mean().expand_as(g),
                    "you averaged over everything: channels and images both lost their differences",
                    "Average over axis 0 only."),
            Mistake(lambda g: g[:1].expand_as(g), "every image has the first image's gates",
                    "Which image is first is chance; take the mean over all, axis 0."),
            Mistake(lambda g: g.amax(dim=0, keepdim=True).expand_as(g), "that is the largest gate, not the mean",
                    "`mean`, over axis 0."),
            Mistake(lambda g: torch.ones_like(g), "all ones take the gates away; the question is about a fixed gate",
                    "Keep each channel's mean gate."),
            Mistake(lambda g: g.sum(dim=0, keepdim=True).expand_as(g), "that is a sum over the images, not a mean",
                    "A gate stays between 0 and 1."),
            Mistake(lambda g: g.median(dim=0, keepdim=True).values.expand_as(g), "that is the median, not the mean",
                    "`mean`, over axis 0."),
            Mistake(lambda g: torch.full_like(g, 0.5), "one half for everybody takes the channels' differences too",
                    "Keep each channel's mean gate."),
            Mistake(lambda g: g[torch.arange(len(g)).flip(0)], "the images have changed places; the rows still differ",
                    "Average over axis 0."),
            Mistake(lambda g: g, "these are the gates as they were", "Average over axis 0, the images."),
        ],
        what="your table of gates",
        praise="Now the cell below asks whether the network misses what you took away.",
        hint="The mean over the images is one row (1, C); every image gets that row.",
    )


def frozen(gates: Tensor) -> Tensor:
    """(B, C) to (B, C): the mean over the images, for every image."""
    return gates.mean(dim=0, keepdim=True).expand_as(gates)
