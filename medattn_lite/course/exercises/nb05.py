"""Checks of notebook 05: what pseudo-3-D saves, a gate for each channel of each slice, a test of one's own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from medattn_lite.attention import InterSliceChannelAttention
from medattn_lite.course.checks import NotAttempted, NotYet, Result, exercise, passed
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.modules import Setting, judge_module, no_linear_layers
from medattn_lite.course.stubs import is_stub

SECOND_HINT = "The second convolution reads what the first one gives: c_out channels in, c_out channels out."


@exercise("05-count", title="Exercise 05.1, what pseudo-3-D saves")
def check_count(weights: Callable[[int, int], tuple[int, int]]) -> Result:
    """Channels in and out to the weights of 3×3×3, and of 1×3×3 with 3×1×1 behind it; no biases."""
    return compare_function(
        weights,
        reference=lambda i, o: (27 * i * o, 9 * i * o + 3 * o * o),
        cases=[(3, 8), (64, 128), (128, 64), (16, 16), (1, 5), (7, 1)],
        mistakes=[
            Mistake(lambda i, o: (27 * i * o, 12 * i * o),
                    "your second convolution reads the input again, not what the first one gives", SECOND_HINT),
            Mistake(lambda i, o: (27 * i * o, 9 * i * o + 3 * i * i),
                    "your second convolution gives c_in channels; it should give c_out", SECOND_HINT),
            Mistake(lambda i, o: (27 * i * o, 9 * i * i + 3 * i * o),
                    "your first convolution gives c_in channels; (05.1) gives c_out at once",
                    "1×3×3 goes from c_in to c_out, 3×1×1 from c_out to c_out."),
            Mistake(lambda i, o: (27 * i * o, 27 * i * o), "that is one and the same number twice",
                    "9 weights in the slice and 3 across slices, for each pair of channels."),
            Mistake(lambda i, o: (27 * i * o, 27 * i * o * o),
                    "the two convolutions run one after the other: their weights add up, they do not multiply",
                    SECOND_HINT),
            Mistake(lambda i, o: (27, 12), "that is for one channel in and one out",
                    "There is a kernel for each pair of channels."),
            Mistake(lambda i, o: (27 * i * o + o, 9 * i * o + 3 * o * o + 2 * o),
                    "these convolutions have no biases; a batch norm follows each", "Leave the biases out."),
            Mistake(lambda i, o: (9 * i * o + 3 * o * o, 27 * i * o), "the two have changed places",
                    "The full convolution comes first."),
            Mistake(lambda i, o: 27 * i / (9 * i + 3 * o), "that is their ratio; both numbers were asked for",
                    "`return full, pseudo`"),
            Mistake(lambda i, o: (27 * i * o, 9 * i * o), "the convolution across slices is missing",
                    "Add 3 weights for each pair of its channels."),
            Mistake(lambda i, o: (27 * i * o, 9 * i * o + 9 * o * o), "the second kernel is 3×1×1: three weights, not "
                    "nine", SECOND_HINT),
            Mistake(lambda i, o: (27 * i * o, 3 * i * o + 9 * o * o), "the two kernels have changed places: 1×3×3 "
                    "comes first", "9 weights for each pair in the slice, then 3 across."),
            Mistake(lambda i, o: (9 * i * o, 9 * i * o + 3 * o * o), "a 3×3×3 kernel has 27 weights: 3 times 3 times 3",
                    "27 for each pair of channels."),
            Mistake(lambda i, o: (27 * (i + o), 9 * (i + o) + 3 * 2 * o), "channels in and out multiply: there is a "
                    "kernel for each pair", "c_in · c_out kernels."),
            Mistake(lambda i, o: (27 * o, 9 * o + 3 * o), "the input's channels are missing: a kernel reads all",
                    "c_in · c_out kernels."),
            Mistake(lambda i, o: (27 * i * o, 9 * i * o + 3 * o), "the second convolution reads c_out channels as well",
                    SECOND_HINT),
            Mistake(lambda i, o: (27 * i * o, 9 * i * o + 3 * o * o + 2 * o), "these convolutions have no biases; a "
                    "batch norm follows each", "Leave the biases out."),
            Mistake(lambda i, o: (27 * i * o, 6 * i * o + 3 * o * o), "a 1×3×3 kernel has nine weights: 3 times 3"),
        ],
        what="your pair of numbers",
        praise="With as many channels in as out: 27 against 12, a factor of 2.25.",
        hint="27 for each pair of channels, against 9 for each pair of the first and 3 of the second convolution.",
    )


@exercise("05-channel", title="Exercise 05.2, a gate for each channel of each slice")
def check_channel(block: type[nn.Module]) -> Result:
    """The class with two convolutions along the slices, given a reference's weights, equals the reference."""
    def setting(channels: int, reduction: int) -> Setting:
        reference = InterSliceChannelAttention(channels, reduction=reduction).eval()
        with torch.no_grad():  # gates away from one half, so that mistakes show
            for parameter in reference.parameters():
                parameter.mul_(3.0)
        x = torch.randn(2, channels, 6, 5, 4) * torch.linspace(0.3, 2.0, 6).reshape(1, 1, -1, 1, 1) + 0.3
        mistakes = _gate_mistakes(*(parameter.detach() for parameter in reference.parameters()))
        return Setting({"channels": channels, "reduction": reduction}, reference,
                       [x, 1.5 * x[:1, :, :4] - 0.2, x.relu()[:, :, :1], x.movedim(2, 4)], mistakes)  # fmt: skip

    return judge_module(
        block,
        [setting(32, 4), setting(10, 2), setting(48, 16)],
        call_text='check("05-channel", InterSliceGate)',
        look=_look_at_kernels,
        errors={"greater than actual input size|smaller than kernel size": (
            "The padding is missing: each convolution loses two slices, until none is left.", "`padding=(1, 0, 0)`")},
        what="your gate",
        praise="One gate for each channel of each slice, and each slice has looked at its neighbours.",
        hint="Mean over H and W, convolution, ReLU, convolution, sigmoid.",
        layers="Two convolutions with biases: C → C/r, then C/r → C.",
    )  # fmt: skip


def _look_at_kernels(mine: nn.Module, setting: Setting, answer: Tensor | None) -> None:
    """Mistakes that the shapes of the weights and of the answer give away."""
    depth = setting.inputs[0].shape[2]
    no_linear_layers(mine)
    kernels = [tuple(parameter.shape[2:]) for parameter in mine.parameters() if parameter.ndim == 5]
    if any(kernel == (3, 3, 3) for kernel in kernels):
        raise NotYet("Your kernels are 3×3×3; after the mean over H and W there is one voxel per slice.",
                     "`kernel_size=(3, 1, 1)`")
    if any(kernel in ((1, 3, 1), (1, 1, 3)) for kernel in kernels):
        raise NotYet("Your kernels run along the height or the width; slices are along the first axis of space.",
                     "`kernel_size=(3, 1, 1)`: (D, H, W).")
    narrow = [kernel for kernel in kernels if kernel == (1, 1, 1)]
    if narrow and len(narrow) == len(kernels):
        raise NotYet("Your kernels see one slice only: no slice knows of its neighbours.", "`kernel_size=(3, 1, 1)`")
    if narrow:
        raise NotYet("One of your kernels is 1×1×1; both are 3×1×1 here, so that a slice hears of two on each side.",
                     "`kernel_size=(3, 1, 1)`, `padding=(1, 0, 0)`, twice.")
    wide = [kernel for kernel in kernels if kernel[0] > 3]
    if wide:
        raise NotYet(f"A kernel of yours reaches over {wide[0][0]} slices; (05.2) has 3.", "`kernel_size=(3, 1, 1)`")
    if answer is not None and answer.ndim == 5 and 1 < answer.shape[2] < depth:
        raise NotYet(f"Of {depth} slices, {answer.shape[2]} are left: the padding is missing.", "`padding=(1, 0, 0)`")
    if all(parameter.ndim > 1 for parameter in mine.parameters()):
        raise NotYet("Your convolutions have no biases; here they have.", "Leave `bias` as it is.")


def _gate_mistakes(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor) -> list[Mistake]:
    """The usual ways to get it wrong, computed with the same weights."""

    def along(z: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return nn.functional.conv3d(z, weight, bias, padding=(1, 0, 0))

    def logits(x: Tensor, *, pool: str = "mean", relu: bool = True) -> Tensor:
        z = {"mean": lambda: x.mean((3, 4), True), "max": lambda: x.amax((3, 4), True),
             "sum": lambda: x.sum((3, 4), True), "slices": lambda: x.mean((2, 3, 4), True)}[pool]()  # fmt: skip
        hidden = along(z, w1, b1)
        return along(hidden.relu() if relu else hidden, w2, b2)

    def shut(x: Tensor, middle: Callable[[Tensor], Tensor]) -> Tensor:
        return along(middle(along(x.mean((3, 4), True), w1, b1)), w2, b2).sigmoid()

    return [
        Mistake(logits, "the sigmoid is missing: your gate leaves the range from 0 to 1", "It is the last step."),
        Mistake(lambda x: logits(x, relu=False).sigmoid(), "the ReLU between the two convolutions is missing",
                "Without it the two layers are one."),
        Mistake(lambda x: logits(x, pool="slices").sigmoid(),
                "you averaged over the slices too: one gate per channel is squeeze-and-excitation",
                "Mean over axes 3 and 4; the slices, axis 2, stay."),
        Mistake(lambda x: logits(x, pool="slices").sigmoid().expand(-1, -1, x.shape[2], -1, -1),
                "you averaged over the slices too: every slice has the same gate", "Mean over axes 3 and 4 only."),
        Mistake(lambda x: logits(x, pool="max").sigmoid(), "you took the largest value; (05.2) has the mean",
                "`x.mean(dim=(3, 4), keepdim=True)`"),
        Mistake(lambda x: logits(x, pool="sum").sigmoid(), "you have a sum where the mean should be",
                "A larger slice must not mean a larger gate."),
        Mistake(lambda x: logits(x).softmax(2), "a softmax over the slices makes them compete; here each gate is free",
                "A sigmoid."),
        Mistake(lambda x: logits(x).softmax(1), "a softmax over the channels makes them compete", "A sigmoid."),
        Mistake(lambda x: logits(x).softmax(0), "that softmax runs over the batch: one patient's gate depends on the "
                "others", "A sigmoid."),
        Mistake(lambda x: logits(x).tanh(), "a tanh reaches down to −1; a gate lies between 0 and 1", "A sigmoid."),
        Mistake(lambda x: logits(x).sigmoid().sigmoid(), "there are two sigmoids, one after the other: every gate lies "
                "above one half", "One sigmoid, as the last step."),
        Mistake(lambda x: logits(x).relu().sigmoid(), "a ReLU stands before the sigmoid: no gate can close below one "
                "half", "ReLU after the first convolution only."),
        Mistake(lambda x: logits(x).relu(), "the last step should be a sigmoid, not a second ReLU", "A sigmoid."),
        Mistake(lambda x: shut(x, torch.sigmoid), "between the two convolutions stands a sigmoid", "A ReLU."),
        Mistake(lambda x: shut(x, torch.tanh), "between the two convolutions stands a tanh", "A ReLU."),
        Mistake(lambda x: 1 - logits(x).sigmoid(), "the gate is turned: 1 minus the sigmoid"),
        Mistake(lambda x: logits(x).sigmoid().mean(2, keepdim=True).expand(-1, -1, x.shape[2], -1, -1),
                "every slice has the mean gate; each slice has its own", "No mean over axis 2."),
        Mistake(lambda x: logits(x).sigmoid().mean(1, keepdim=True), "one gate per slice: each channel has its own",
                "No mean over axis 1."),
        Mistake(lambda x: logits(x).sigmoid().expand_as(x), "the numbers are right, but they are given to every voxel; "
                "the gate is (B, C, D, 1, 1)", "Leave out the `expand`."),
        Mistake(lambda x: x * logits(x).sigmoid(), "you returned the scaled features; the exercise asks for the gate",
                "Return what you multiply by."),
        Mistake(lambda x: logits(x).sigmoid().flatten(2), "the numbers are right, but the shape is (B, C, D)",
                "It should multiply a volume: keep two axes of length 1."),
    ]


@exercise("05-test", title="Exercise 05.3, a test of your own")
def check_test(edit: Callable[[Tensor], Tensor]) -> Result:
    """(B, C, D, 1, 1) to the same shape: every channel keeps its gates, and no slice the one it had."""
    if not callable(edit):
        raise NotYet("You handed over a table, not the function itself.", "Leave out the call: no brackets.")
    if is_stub(edit):
        raise NotAttempted
    generator = torch.Generator().manual_seed(5)
    for shape in ((1, 1, 3, 1, 1), (3, 4, 5, 1, 1), (2, 3, 2, 1, 1), (1, 6, 7, 1, 1), (2, 5, 8, 1, 1), (4, 2, 4, 1, 1)):
        gates = torch.rand(shape, generator=generator)
        argument = gates.clone()
        moved = torch.as_tensor(edit(argument))
        if not torch.equal(argument, gates):
            raise NotYet("Your function changes the table that it is given.", "Work on a copy: gates.clone().")
        _judge_edit(gates, moved)
    return passed("Only the place of each gate has changed: what is lost now is lost with the slices.")


def _judge_edit(gates: Tensor, moved: Tensor) -> None:
    """Raises `NotYet` with what an edit changed beside the order of the slices, or did not change."""
    depth = gates.shape[2]
    setting = f"for gates of shape {tuple(gates.shape)}"
    if moved.shape != gates.shape:
        raise NotYet(f"Your table has the shape {tuple(moved.shape)}, {setting}; it must keep its own.",
                     "Every slice needs a gate again.")
    moved = moved.to(gates.dtype)
    before, now = gates.flatten(2), moved.flatten(2)  # (B, C, D)
    if torch.equal(now, before):
        raise NotYet("Nothing has moved.", "Slices are axis 2.")
    if depth > 1 and (now - now[..., :1]).abs().max() < 1e-6:
        raise NotYet("Every slice has the same gate now, so single gates are gone as well: a loss may come from the "
                     "amount that passes, not from the place.", "Keep every number; change only where it stands.")
    if not torch.allclose(now.sort(dim=2).values, before.sort(dim=2).values, rtol=1e-4, atol=1e-6):
        if torch.allclose(now.flatten(1).sort(1).values, before.flatten(1).sort(1).values, rtol=1e-4, atol=1e-6):
            raise NotYet("A channel has got the gates of another channel: which channel is open has changed as well.",
                         "Move along axis 2 only.")
        if torch.allclose(now.flatten().sort().values, before.flatten().sort().values, rtol=1e-4, atol=1e-6):
            raise NotYet("A volume has got the gates of another volume, which may have other amounts.",
                         "Move along axis 2 only.")
        raise NotYet(f"The gates are not the same numbers as before, {setting}: how much passes has changed as well.",
                     "Keep every number; change only where it stands.")
    kept = (now == before).any(0).any(0).nonzero()[:, 0].tolist()
    if kept:
        raise NotYet(f"In some channel, slice {kept[0]} of {depth} keeps its own gate: a part of the order is left.",
                     "Move every slice by the same number of places, round the end.")


def another_place(gates: Tensor) -> Tensor:
    """Moves gates (B, C, D, 1, 1) so that each slice gets those of the slice half the volume away."""
    return gates.roll(max(1, gates.shape[2] // 2), dims=2)
