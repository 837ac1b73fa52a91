"""Checks of notebook 02: a squeeze inside the head, the block as convolutions, gates frozen at their mean."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import torch
from torch import Tensor, nn

from medattn_lite.attention import SqueezeExcitation
from medattn_lite.course.checks import NotAttempted, NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function, copy_parameters
from medattn_lite.course.stubs import is_stub

COUNT_HINT = "Divide by the sum of `inside` over space; it differs from image to image."
SPACE_HINT = "The squeeze keeps one number a channel: axis 1 stays, the axes from 2 on go."


@exercise("02-squeeze", title="Exercise 02.1, squeeze only the head")
def check_squeeze(squeeze: Callable[..., Tensor]) -> Result:
    """(B, C, …) and (B, 1, …) to (B, C): the mean over the pixels inside."""
    generator = torch.Generator().manual_seed(2)

    def case(*shape: int) -> tuple[Tensor, Tensor]:
        u = torch.rand(shape, generator=generator) + torch.arange(shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))
        inside = (torch.rand((shape[0], 1, *shape[2:]), generator=generator) < 0.6).float()
        return u, inside

    return compare_function(
        squeeze,
        reference=_squeeze_inside,
        cases=[case(2, 3, 5, 4), case(3, 4, 2, 5, 4)],
        mistakes=[
            Mistake(lambda u, inside: u.flatten(2).mean(dim=2), "you averaged over the air too: `inside` is not used",
                    "Multiply by `inside` first."),
            Mistake(lambda u, inside: (u * inside).flatten(2).mean(dim=2),
                    "you divided by all pixels, not by those inside", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(dim=2),
                    "that is the sum, not the mean: a larger head would count for more", COUNT_HINT),
            Mistake(lambda u, inside: (u * inside).flatten(2).sum(dim=2) / inside.sum(),
                    "you divided by the pixels inside all heads together", COUNT_HINT),
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
    if not inspect.isclass(block):
        raise NotYet("Hand over the class itself, not an object of it.", "`check(\"02-se-conv\", SEConv3d)`")
    channels, reduction = 12, 4
    torch.manual_seed(2)
    reference = SqueezeExcitation(channels, reduction=reduction, spatial_dims=3).eval()
    with torch.no_grad():  # gates away from one half, so that mistakes show
        for parameter in reference.parameters():
            parameter.mul_(2.5)
    mine = block(channels, reduction=reduction).eval()
    u = torch.randn(2, channels, 3, 5, 4) + 0.3
    answer = first_output(mine, u)
    if not list(mine.parameters()):
        if answer is None:
            raise NotAttempted
        raise NotYet("Your module has no layers to learn.", "Make two `nn.Conv3d` in `__init__`, as `self.…`.")
    copy_parameters(reference, mine, hint="Two convolutions: C → C/r, then C/r → C, each with its bias.")
    weights = [parameter.detach() for parameter in reference.parameters()]
    with torch.no_grad():
        return compare_function(
            mine,
            reference=reference,
            cases=[(u,), (u[:1, :, :2] * 3,)],
            mistakes=_block_mistakes(*weights),
            what="what your block returns",
            praise="The same block, with convolutions. This is how most published code writes it.",
            hint="Mean over space, convolution, ReLU, convolution, sigmoid; then multiply.",
        )


def first_output(module: nn.Module, x: Tensor) -> Tensor | None:
    """What the learner's module gives, or None for a stub.

    Raises:
        NotYet: its own convolution refuses what it is given, for a reason that has a name.
    """
    try:
        answer = module(x.clone())
    except RuntimeError as error:
        text = str(error)
        if "Expected 3D (unbatched) or 4D" in text:
            raise NotYet("`nn.Conv2d` is for slices; this is a volume.", "Use `nn.Conv3d`.") from None
        if re.search(r"input of size: \[\d+, \d+(, \d+)?\]", text):
            raise NotYet("Axes of space are gone, and a convolution wants them, if only with length 1.",
                         "Pool with `keepdim=True`: axes of length 1 stay.") from None
        if "Kernel size can't be greater" in text:
            raise NotYet("The kernel is larger than what is left after the squeeze, a single voxel.",
                         "Pass `kernel_size=1`.") from None
        if "but got 1 channels" not in text:
            raise
        raise NotYet("You pooled over the channels: one is left, and the convolution wants all of them.",
                     "Pool over space, axes (2, 3, 4), with keepdim=True.") from None
    return None if is_stub(answer) else answer


def _block_mistakes(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> list[Mistake]:
    """The usual ways to get it wrong, computed with the same weights."""

    def gate(u: Tensor, *, squeeze: str = "mean", relu: bool = True, last: str = "sigmoid",
             middle: str = "relu") -> Tensor:
        flat = u.flatten(2)
        z = {"mean": flat.mean(2), "sum": flat.sum(2), "max": flat.amax(2)}[squeeze]
        hidden = z @ w1.T + b1
        hidden = (hidden.sigmoid() if middle == "sigmoid" else hidden.relu()) if relu else hidden
        logits = hidden @ w2.T + b2
        s = {
            "sigmoid": logits.sigmoid(),
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


@exercise("02-frozen-gates", title="Exercise 02.3, freeze the gates")
def check_frozen_gates(freeze: Callable[[Tensor], Tensor]) -> Result:
    """(B, C) to (B, C): each image gets the mean gate of all images."""
    gates = torch.rand(5, 3, generator=torch.Generator().manual_seed(2))
    return compare_function(
        freeze,
        reference=frozen,
        cases=[(gates,), (gates[:2, :1],)],
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
            Mistake(lambda g: g, "these are the gates as they were", "Average over axis 0, the images."),
        ],
        what="your table of gates",
        praise="Now the cell below asks whether the network misses what you took away.",
        hint="The mean over the images is one row (1, C); every image gets that row.",
    )


def frozen(gates: Tensor) -> Tensor:
    """(B, C) to (B, C): the mean over the images, for every image."""
    return gates.mean(dim=0, keepdim=True).expand_as(gates)
