"""Checks of notebook 03: a description of places, channel attention for volumes, the sentence an interval allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from medattn_lite.attention import ChannelAttention
from medattn_lite.course.checks import NotYet, Result, exercise
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.modules import Setting, judge_module, no_linear_layers
from medattn_lite.evaluation import Interval

PLACES_HINT = "A map of places keeps the axes from 2 on; only axis 1, the channels, goes."


@exercise("03-describe", title="Exercise 03.1, a third description")
def check_describe(describe: Callable[[Tensor], Tensor]) -> Result:
    """(B, C, …) to (B, 3, …): max, mean and standard deviation over the channels."""
    generator = torch.Generator().manual_seed(3)
    shapes = ((2, 5, 4, 3), (2, 4, 3, 5, 2), (1, 3, 2, 6), (3, 2, 4, 4))
    cases = [(torch.randn(shape, generator=generator) + 0.5,) for shape in shapes]
    cases.append((cases[0][0].relu() - 2,))  # all below 0, many of them equal
    return compare_function(
        describe,
        reference=_described,
        cases=cases,
        mistakes=[
            Mistake(lambda x: _described(x)[:, [1, 0, 2]], "mean and maximum have changed places",
                    "The order is max, mean, standard deviation: weights trained in one order are wrong in another."),
            Mistake(lambda x: _stacked(x, 1, unbiased=True),
                    "the standard deviation divides by C - 1", "Pass `unbiased=False`."),
            Mistake(lambda x: torch.cat([x.amax(1, True), x.mean(1, True), x.var(1, unbiased=False, keepdim=True)], 1),
                    "that is the variance, the square of the standard deviation", "Use `x.std`."),
            Mistake(lambda x: torch.cat([x.amax(1, True), x.sum(1, True), x.std(1, unbiased=False, keepdim=True)], 1),
                    "you have a sum where the mean should be", "With more channels a sum grows; a mean does not."),
            Mistake(lambda x: torch.cat([x.amin(1, True), _described(x)[:, 1:]], 1),
                    "the first is the smallest value, not the largest", "`x.amax`."),
            Mistake(lambda x: torch.stack([x.flatten(2).amax(2), x.flatten(2).mean(2),
                                           x.flatten(2).std(2, unbiased=False)], 1),
                    "you pooled over space: these are three numbers per channel", PLACES_HINT),
            Mistake(lambda x: torch.cat([x.amax((2, 3), True), x.mean((2, 3), True),
                                         x.std((2, 3), unbiased=False, keepdim=True)], 1),
                    "you pooled over space: these are three numbers per channel", PLACES_HINT),
            Mistake(lambda x: _stacked(x, 0), "you pooled over the batch: one patient's map depends on the others",
                    "Pool over axis 1, the channels."),
            Mistake(lambda x: torch.cat(_described(x).split(1, dim=1), dim=0),
                    "the three are joined along the batch; they should lie side by side as channels",
                    "`torch.cat([…], dim=1)`"),
            Mistake(lambda x: torch.stack(_described(x).split(1, dim=1), dim=1),
                    "there is an axis too many: `stack` makes a new one where `keepdim` has kept one",
                    "`torch.cat` with `keepdim=True`, or `torch.stack` without."),
            Mistake(lambda x: _pooled(x, middle=x.median(1, keepdim=True).values), "you have the median, not the mean",
                    "`x.mean`."),
            Mistake(lambda x: _pooled(x, largest=x.abs().amax(1, True)), "the first is the largest absolute value; a "
                    "large negative number is not a maximum", "`x.amax`."),
            Mistake(lambda x: _pooled(x, spread=x.amax(1, True) - x.amin(1, True)), "the third is the range, largest "
                    "minus smallest, not the standard deviation", "`x.std(…, unbiased=False)`."),
            Mistake(lambda x: _pooled(x, spread=(x - x.mean(1, True)).abs().mean(1, True)),
                    "the third is the mean distance from the mean, not the standard deviation",
                    "The root of the mean of the squares."),
            Mistake(lambda x: _pooled(x, spread=x.std((0, 1), unbiased=False, keepdim=True).expand_as(x[:, :1])),
                    "the standard deviation runs over the batch too", "Over axis 1 only."),
            Mistake(lambda x: _described(x).flip(1), "the order is turned round: standard deviation first",
                    "Max, mean, standard deviation."),
            Mistake(lambda x: _described(x)[:, [0, 2, 1]], "mean and standard deviation have changed places",
                    "The order is max, mean, standard deviation."),
            Mistake(lambda x: _described(x).softmax(1), "there is a softmax too many: the three describe, they share "
                    "nothing", "Leave it out."),
            Mistake(lambda x: _described(x)[:, :2], "the standard deviation is missing: two channels, not three"),
        ],
        what="your description",
        praise="Each place is now described by three numbers, in slices and in volumes.",
        hint="Three poolings over axis 1 with keepdim=True, joined along axis 1.",
    )


def _stacked(x: Tensor, axis: int, *, unbiased: bool = False) -> Tensor:
    """Max, mean and standard deviation over an axis, side by side as channels."""
    pools = (x.amax(axis, True), x.mean(axis, True), x.std(axis, unbiased=unbiased, keepdim=True))
    return torch.cat(pools, dim=1)


def _pooled(x: Tensor, *, largest: Tensor | None = None, middle: Tensor | None = None, spread: Tensor | None = None
            ) -> Tensor:  # fmt: skip
    """The right description with one part replaced."""
    parts = zip((largest, middle, spread), _described(x).split(1, dim=1), strict=True)
    return torch.cat([right if other is None else other for other, right in parts], dim=1)


def _described(x: Tensor) -> Tensor:
    return _stacked(x, 1)


@exercise("03-channel", title="Exercise 03.2, channel attention for volumes")
def check_channel(block: type[nn.Module]) -> Result:
    """The class with two convolutions of size 1, given a reference's weights, equals the reference."""
    def setting(channels: int, reduction: int) -> Setting:
        reference = ChannelAttention(channels, reduction=reduction, spatial_dims=3, mlp_bias=False).eval()
        with torch.no_grad():  # gates away from one half, so that mistakes show
            for parameter in reference.parameters():
                parameter.mul_(2.0)
        x = torch.randn(2, channels, 3, 5, 4) * torch.linspace(0.3, 2.0, channels).reshape(1, -1, 1, 1, 1) + 0.2
        mistakes = _channel_mistakes(*(parameter.detach() for parameter in reference.parameters()))
        return Setting({"channels": channels, "reduction": reduction}, reference,
                       [x, x[:1, :, :2] * 1.5 - 0.4, -x.relu().movedim(2, 4)], mistakes)  # fmt: skip

    return judge_module(
        block,
        [setting(32, 4), setting(10, 2), setting(48, 16)],
        call_text='check("03-channel", ChannelAttention3d)',
        look=_look_at_layers,
        what="your map",
        praise="Mean and maximum through one network, one sigmoid around the sum.",
        hint="Pool twice over space, send both through the same two convolutions, add, then one sigmoid.",
        layers="Two convolutions without biases: C → C/r, then C/r → C.",
    )


def _look_at_layers(mine: nn.Module, setting: Setting, answer: Tensor | None) -> None:
    """Mistakes that the list of parameters gives away."""
    sizes = [parameter.numel() for parameter in mine.parameters()]
    wanted = [parameter.numel() for parameter in setting.reference.parameters()]
    no_linear_layers(mine)
    if any(max(parameter.shape[2:], default=1) > 1 for parameter in mine.parameters()):
        raise NotYet("After the pooling there is one voxel, and your kernel is larger.", "Pass `kernel_size=1`.")
    if sorted(sizes) == sorted(wanted * 2):
        raise NotYet("The MLP is not shared: you have one for the mean and one for the maximum.",
                     "Make two convolutions in all, and send both descriptions through them.")
    if any(parameter.ndim == 1 for parameter in mine.parameters()):
        raise NotYet("Your convolutions have biases; the survival study's code has none.",
                     "Pass `bias=False` to both `nn.Conv3d`.")


def _channel_mistakes(w0: Tensor, w1: Tensor) -> list[Mistake]:
    """The usual ways to get it wrong, computed with the same weights."""

    def mlp(z: Tensor, *, relu: bool = True) -> Tensor:
        hidden = z @ w0.T
        return (hidden.relu() if relu else hidden) @ w1.T

    def mean(x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)

    def largest(x: Tensor) -> Tensor:
        return x.flatten(2).amax(2)

    def both(x: Tensor, *, relu: bool = True) -> Tensor:
        return mlp(mean(x), relu=relu) + mlp(largest(x), relu=relu)

    def shaped(gate: Tensor) -> Tensor:
        return gate[:, :, None, None, None]

    return [
        Mistake(lambda x: shaped(both(x)), "the sigmoid is missing: your map leaves the range from 0 to 1",
                "It is the last step, around the sum."),
        Mistake(lambda x: shaped(mlp(mean(x)).sigmoid() + mlp(largest(x)).sigmoid()),
                "there are two sigmoids, and their sum reaches up to 2", "One sigmoid, around the sum."),
        Mistake(lambda x: shaped(both(x, relu=False).sigmoid()), "the ReLU between the two convolutions is missing",
                "Without it the two layers are one."),
        Mistake(lambda x: shaped(both(x).tanh()), "a tanh reaches down to −1; a gate lies between 0 and 1",
                "One sigmoid, around the sum."),
        Mistake(lambda x: shaped(mlp(mean(x)).sigmoid() * mlp(largest(x)).sigmoid()),
                "there are two sigmoids, multiplied", "Add first, then one sigmoid around the sum."),
        Mistake(lambda x: shaped(torch.maximum(mlp(mean(x)), mlp(largest(x))).sigmoid()),
                "you took the larger of the two; (03.1) has their sum"),
        Mistake(lambda x: shaped((mlp(mean(x)).relu() + mlp(largest(x)).relu()).sigmoid()),
                "there is a ReLU after the second convolution too: no gate can close below one half",
                "One ReLU, between the two convolutions."),
        Mistake(lambda x: shaped(both(x).softmax(1)),
                "a softmax over the channels makes them compete; CBAM uses a sigmoid",
                "Each channel decides for itself."),
        Mistake(lambda x: shaped(both(x).softmax(0)),
                "that softmax runs over the batch: one patient's map depends on the others", "Use a sigmoid."),
        Mistake(lambda x: shaped(mlp(mean(x)).sigmoid()),
                "the maximum is missing: this is squeeze-and-excitation", "Send both descriptions through the MLP."),
        Mistake(lambda x: shaped(mlp(largest(x)).sigmoid()), "the mean is missing",
                "Send both descriptions through the MLP."),
        Mistake(lambda x: shaped(mlp(mean(x) + largest(x)).sigmoid()),
                "you added mean and maximum before the MLP; the ReLU then sees only their sum",
                "The MLP first, for each; then the sum."),
        Mistake(lambda x: shaped((both(x) / 2).sigmoid()), "you took the mean of the two; (03.1) has their sum"),
        Mistake(lambda x: shaped((mlp(mean(x)) * mlp(largest(x))).sigmoid()),
                "you multiplied the two; (03.1) adds them"),
        Mistake(lambda x: shaped((mlp(x.flatten(2).sum(2)) + mlp(largest(x))).sigmoid()),
                "you have a sum over space where the mean should be", "A larger volume must not mean a larger gate."),
        Mistake(lambda x: both(x).sigmoid(), "the numbers are right, but the map has the shape (B, C)",
                "It should multiply a volume: keep three axes of length 1."),
        Mistake(lambda x: x * shaped(both(x).sigmoid()),
                "you returned the scaled features; the exercise asks for the map", "Return what you multiply by."),
        Mistake(lambda x: shaped(both(x).sigmoid().sigmoid()), "there are two sigmoids, one after the other",
                "One sigmoid, around the sum."),
        Mistake(lambda x: shaped(both(x).relu().sigmoid()), "a ReLU stands before the sigmoid: no gate can close below "
                "one half", "One ReLU, between the two convolutions."),
        Mistake(lambda x: shaped(1 - both(x).sigmoid()), "the map is turned: 1 minus the sigmoid"),
        Mistake(lambda x: shaped((mlp(mean(x)) - mlp(largest(x))).sigmoid()), "you took the difference of the two; "
                "(03.1) has their sum"),
        Mistake(lambda x: shaped((mlp(mean(x)) + mlp(-largest(-x))).sigmoid()), "you pooled the smallest value where "
                "the largest belongs", "`x.amax`."),
        Mistake(lambda x: shaped((2 * mlp(mean(x))).sigmoid()), "the mean goes in twice, the maximum not at all",
                "Send both descriptions through the MLP."),
        Mistake(lambda x: shaped((2 * mlp(largest(x))).sigmoid()), "the maximum goes in twice, the mean not at all",
                "Send both descriptions through the MLP."),
        Mistake(lambda x: shaped((mlp(mean(x)).sigmoid() + mlp(largest(x)).sigmoid()) / 2),
                "there are two sigmoids, and you took their mean", "One sigmoid, around the sum."),
        Mistake(lambda x: x + shaped(both(x).sigmoid()), "you added the map to the features; return the map alone"),
    ]


SENTENCES = ("needed", "not needed", "better without", "open")


@exercise("03-verdict", title="Exercise 03.3, the sentence that an interval allows")
def check_verdict(verdict: Callable[[float, float, float], str]) -> Result:
    """An interval of a difference and the margin that would matter, to one of four sentences."""
    nan = float("nan")
    cases = [(-0.5, -0.25, 0.125), (-0.5, 0.5, 0.125), (-0.0625, 0.0625, 0.125), (0.25, 0.5, 0.125), (nan, nan, 0.125),
             (-0.125, -0.0625, 0.25), (-0.5, -0.0625, 0.125), (-0.25, 0.25, 0.25), (-0.5, -0.25, 0.25),
             (0.25, 0.5, 0.25), (-0.5, nan, 0.125), (nan, 0.5, 0.125), (-0.5, 0.0625, 0.125), (0.0625, 0.5, 0.125),
             (-0.25, -0.125, 0.0), (0.0, 0.0, 0.0), (-0.01, 0.02, 0.03), (-0.04, -0.01, 0.03), (-0.9, -0.1, 0.05),
             (-0.06, 0.01, 0.07), (-0.03, 0.9, 0.02), (0.01, 0.02, 0.005)]  # fmt: skip
    outside = "a change smaller than the margin does not matter, so compare with the margin and not with 0"
    return compare_function(
        verdict,
        reference=sentence_for,
        cases=cases,
        mistakes=[
            Mistake(lambda low, high, margin: _by(low, high, margin, holds_zero="not needed"),
                    "you take an interval that holds 0 for \"not needed\"; a wide one holds 0 and a large loss as well",
                    "Not shown is not the same as not there: the whole interval must lie within the margin."),
            Mistake(lambda low, high, margin: "needed" if high < 0 else "better without" if low > 0 else "not needed",
                    "you read an interval that holds 0 as \"not needed\", and do not use the margin", outside),
            Mistake(lambda low, high, margin: sentence_for(low, high, 0.0), "the margin is not used", outside),
            Mistake(lambda low, high, margin: sentence_for(-high, -low, margin), "the sign is turned: a loss is below "
                    "0", "The difference is edited minus unchanged."),
            Mistake(lambda low, high, margin: sentence_for((low + high) / 2, (low + high) / 2, margin),
                    "you judge by the middle of the interval, so that nothing is ever open", "Use both ends."),
            Mistake(lambda low, high, margin: _by(low, high, margin, needed=low < -margin),
                    "you ask one end only: needed means that even the upper end lies below −margin", "high < -margin"),
            Mistake(lambda low, high, margin: _by(low, high, margin, missing="not needed"),
                    "without an interval nothing is shown, not even \"not needed\"", "NaN: \"open\"."),
            Mistake(lambda low, high, margin: _by(low, high, margin, missing="needed"),
                    "without an interval nothing is shown", "NaN: \"open\"."),
            Mistake(lambda low, high, margin: _by(low, high, margin, better="open"),
                    "a whole interval above the margin says something: the network is better without",
                    "low > margin"),
            Mistake(lambda low, high, margin: _by(low, high, margin, better="not needed"),
                    "a whole interval above the margin says more than \"not needed\": the network is better without",
                    "low > margin"),
            Mistake(lambda low, high, margin: _by(low, high, margin, better="needed"),
                    "a gain is taken for a loss: do not take absolute values", "low > margin is \"better without\"."),
            Mistake(lambda low, high, margin: _by(low, high, margin, otherwise="not needed"),
                    "you have no \"open\": an interval that reaches out of the margin rules out neither", ""),
            Mistake(lambda low, high, margin: sentence_for(low, high, 0.05), "the margin is fixed in your function",
                    "Use the argument `margin`."),
            Mistake(lambda low, high, margin: high < -margin, "that is True or False; one of four sentences was asked "
                    "for", "Return the text."),
            Mistake(lambda low, high, margin: sentence_for(low, high, margin).capitalize(), "the words are right, but "
                    "written with a capital letter", "needed, not needed, better without, open"),
            Mistake(lambda low, high, margin: "open" if sentence_for(low, high, margin) == "not needed" else
                    sentence_for(low, high, margin), "an interval within the margin does show something: the loss, if "
                    "any, is too small to matter", "-margin <= low and high <= margin"),
        ],
        what="your sentence",
        praise="Four sentences, and each says no more than the interval does.",
        hint="needed: high < -margin. better without: low > margin. not needed: both ends within. Else open.",
    )  # fmt: skip


def sentence_for(low: float, high: float, margin: float) -> str:
    """Chooses the sentence that the interval of a difference allows; changes up to `margin` do not matter."""
    return _by(low, high, margin)


def print_sentences(apart: Mapping[str, Interval], sentence: Callable[[float, float, float], str], *,
                    margin: float = 0.05) -> None:  # fmt: skip
    """Prints one line for each edit: the change with its interval, and the sentence that it allows.

    Args:
        apart: name of the edit → edited minus unchanged.
        sentence: the learner's `verdict`, or `sentence_for`.
        margin: changes up to this do not matter.
    """
    print(f"changes up to {margin} do not matter:")
    for name, change in apart.items():
        print(f"{name:30} {sentence(change.low, change.high, margin):15} {change.text(2)}")


def _by(low: float, high: float, margin: float, *, holds_zero: str = "", needed: bool | None = None,
        missing: str = "open", better: str = "better without", otherwise: str = "open") -> str:  # fmt: skip
    """The right rule, with one part replaced."""
    if low != low or high != high:
        return missing
    if (high < -margin) if needed is None else needed:
        return "needed"
    if low > margin:
        return better
    if holds_zero and low <= 0 <= high:
        return holds_zero
    return "not needed" if -margin <= low and high <= margin else otherwise
