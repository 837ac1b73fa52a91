"""Judge a module that a learner wrote: its layers are given a reference's weights, found by their shape.

Names and the order of the layers are free, and so is the way they are held (`nn.Sequential`, lazy layers, bare
`nn.Parameter`s with `torch.nn.functional`). The module is made and tried for several settings, so that each argument
of its `__init__` must be used.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.course.checks import NotAttempted, NotYet, Result
from medattn_lite.course.diagnose import Mistake, compare_function
from medattn_lite.course.error_words import one_line
from medattn_lite.course.stubs import is_stub


@dataclass(frozen=True)
class Setting:
    """One way to make the module, what it must then be equal to, and on which inputs.

    Attributes:
        arguments: of the learner's class.
        reference: the right module; the learner's gets its weights.
        inputs: what both are called with.
        mistakes: usual wrong answers with the reference's weights, in the same order for every setting.
    """

    arguments: Mapping[str, int]
    reference: nn.Module
    inputs: Sequence[Tensor]
    mistakes: Sequence[Mistake]


def judge_module(
    block: Any,
    settings: Sequence[Setting],
    *,
    call_text: str,
    look: Callable[[nn.Module, Setting, Tensor | None], None],
    errors: Mapping[str, tuple[str, str]] | None = None,
    what: str,
    praise: str,
    hint: str,
    layers: str,
) -> Result:
    """Judge a class by what its objects give in every setting.

    Args:
        block: the learner's class.
        settings: the first one decides what is said of usual mistakes; the others differ from it in every argument.
        call_text: how the check is called, for who hands over an object.
        look: raises NotYet for mistakes that the list of parameters gives away.
        errors: message and hint for an exception whose type and text match the key, a regular expression.
        what: how to name what a module returns.
        praise: what a right answer hears.
        hint: what a wrong answer hears that is none of the mistakes.
        layers: which layers are wanted, in words.
    """
    if isinstance(block, nn.Module) or not callable(block):
        raise NotYet("Hand over the class itself, not an object of it.", f"`{call_text}`")
    result = None
    for number, setting in enumerate(settings):
        try:
            mine = _made(block, setting)
            _look_first(mine, setting, look, errors)
            if number == 0:
                _uses_its_arguments(block, settings)
            copy_parameters(setting.reference, mine, hint=layers)
            with torch.no_grad():
                result = compare_function(
                    mine, reference=setting.reference, cases=[(x,) for x in setting.inputs],
                    mistakes=setting.mistakes, errors=errors, what=what, praise=praise, hint=hint,
                )  # fmt: skip
        except NotYet as problem:
            if number == 0:
                raise
            raise NotYet(f"{_only(settings, number)}: {problem.message}", problem.hint) from None
        except (NotAttempted, NameError):
            raise
        except Exception as error:
            if number == 0:
                raise
            raise NotYet(f"{_only(settings, number)} your code raised {one_line(error)}.",
                         "Is a number of the example written where an argument of `__init__` belongs?") from None
    assert result is not None
    return result


def _look_first(mine: nn.Module, setting: Setting, look: Callable[[nn.Module, Setting, Tensor | None], None],
                errors: Mapping[str, tuple[str, str]] | None) -> None:  # fmt: skip
    """What one call and the list of parameters give away; the list also where the call ends in an exception."""
    try:
        answer = first_output(mine, setting.inputs[0], errors=errors)
    except (RuntimeError, ValueError, IndexError):
        if not any(isinstance(each, nn.UninitializedParameter) for each in mine.parameters()):
            look(mine, setting, None)
        raise
    look(mine, setting, answer)


def _made(block: Callable[..., Any], setting: Setting) -> nn.Module:
    try:
        made = block(**setting.arguments)
    except TypeError as error:  # other names for the arguments are no mistake
        if "unexpected keyword" not in str(error):
            raise
        made = block(*setting.arguments.values())
    if is_stub(made):
        raise NotAttempted
    if not isinstance(made, nn.Module):
        raise NotYet(f"Calling it gives `{type(made).__name__}`, not an `nn.Module`.", "`class …(nn.Module):`")
    return made.eval()


def _uses_its_arguments(block: Callable[..., Any], settings: Sequence[Setting]) -> None:
    """Whether each argument of the first setting changes the layers, where it changes the right ones."""
    first = settings[0]
    for name, value in first.arguments.items():
        other = next(s.arguments[name] for s in settings if s.arguments[name] != value)
        if name in ("channels", "in_channels"):
            continue  # a wrong number of channels is told by the shapes
        try:
            changed = _made(block, Setting({**first.arguments, name: other}, first.reference, first.inputs, ()))
            shapes = [_shapes(each, first.inputs[0]) for each in (changed, _made(block, first))]
        except (NotYet, RuntimeError, ValueError, ZeroDivisionError):
            continue  # what goes wrong there is said in its own setting
        if shapes[0] == shapes[1]:
            raise NotYet(f"`{name}` is not used: the layers are the same for {name} = {value} and {name} = {other}.",
                         f"The layers get their sizes in `__init__`: `{name}` belongs there, not a number.")


def _shapes(module: nn.Module, x: Tensor) -> list[tuple[int, ...]]:
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in module.parameters()):
        module(x.clone())
    return [tuple(parameter.shape) for parameter in module.parameters()]


def _only(settings: Sequence[Setting], number: int) -> str:
    now = ", ".join(f"{name} = {value}" for name, value in settings[number].arguments.items())
    return f"Right for the first setting, but with {now}"


def first_output(module: nn.Module, x: Tensor, *, errors: Mapping[str, tuple[str, str]] | None = None) -> Tensor | None:
    """What the learner's module gives, or None for a stub.

    Raises:
        NotYet: it refuses what it is given for a reason that has a name, or holds no layers.
    """
    try:
        answer = module(x.clone())
    except RuntimeError as error:
        text = f"{type(error).__name__}: {error}"
        for part, (message, hint) in {**(errors or {}), **_REFUSALS}.items():
            if re.search(part, text):
                raise NotYet(message, hint) from None
        raise
    if not list(module.parameters()) and is_stub(answer):
        raise NotAttempted
    hidden = [name for name, value in vars(module).items() if _holds_strangers(value, module)]
    if hidden:
        raise NotYet(f"`self.{hidden[0]}` is a plain {type(vars(module)[hidden[0]]).__name__}: torch does not find "
                     "the layers in it, and they would never be trained.", "`nn.ModuleList([…])` or "
                     "`nn.Sequential(…)`, or one attribute for each layer.")  # fmt: skip
    if not list(module.parameters()):
        if "nn." in _text_of_forward(module):
            raise NotYet("Your layers are made anew in every call of `forward`, and learn nothing.",
                         "Make them in `__init__`, as `self.…`.")
        raise NotYet("Your module has no layers to learn.", "Make them in `__init__`, as `self.…`.")
    return None if is_stub(answer) else answer


_REFUSALS = {
    r"Expected 3D \(unbatched\) or 4D": ("`nn.Conv2d` is for slices; this is a volume.", "Use `nn.Conv3d`."),
    r"input of size: \[\d+, \d+(, \d+)?\]": (
        "Axes of space are gone, and a convolution wants them, if only with length 1.",
        "Pool with `keepdim=True`: axes of length 1 stay."),
    r"Kernel size can't be greater": (
        "The kernel is larger than what it is given.", "Is `padding` missing, or should it be `kernel_size=1`?"),
    r"but got 1 channels": ("You pooled over the channels: one is left, and the convolution wants all of them.",
                            "Pool over space, axes (2, 3, 4), with keepdim=True."),
    r"expected weight to be at least 1 at dimension 0": (
        "A convolution of yours has no output channels: a division came out as 0.",
        "Is a number of another example written there? `channels // reduction`, with the argument `reduction`."),
}  # fmt: skip


def _holds_strangers(value: Any, module: nn.Module) -> bool:
    """Whether a list, tuple or dictionary holds layers that the module does not know."""
    values = value.values() if isinstance(value, dict) else value
    known = set(module.modules())
    return isinstance(value, (list, tuple, dict)) and any(isinstance(v, nn.Module) and v not in known for v in values)


def _text_of_forward(module: nn.Module) -> str:
    try:
        return inspect.getsource(type(module).forward)
    except (OSError, TypeError):
        return ""


def copy_parameters(source: nn.Module, target: nn.Module, *, hint: str = "") -> None:
    """Give the learner's module the reference's weights, by their shape; names and order are free.

    A convolution of size 1 and a linear layer have the same numbers, so axes of length 1 at the end do not count.

    Raises:
        NotYet: another number of parameters, or another shape.
    """
    theirs, ours = list(target.named_parameters()), list(source.named_parameters())
    if len(theirs) != len(ours):
        raise NotYet(f"Your module has {len(theirs)} parameters ({', '.join(n for n, _ in theirs) or 'none'}); "
                     f"it should have {len(ours)}.", hint or "Which layers are in the formula, and which have a bias?")
    left = [parameter for _, parameter in ours]
    strangers, pairs = [], []
    for name, mine in theirs:
        place = next((i for i, right in enumerate(left) if _core(right) == _core(mine)), None)
        if place is None:
            strangers.append((name, mine))
        else:
            pairs.append((mine, left.pop(place)))
    if strangers:
        name, mine = strangers[0]
        right = min(left, key=lambda each: (abs(len(_core(each)) - len(_core(mine))), abs(each.numel() - mine.numel())))
        wanted = (*_core(right), *[1] * (mine.ndim - len(_core(right))))
        raise NotYet(f"The parameter `{name}` has shape {tuple(mine.shape)}; {wanted} was expected.", hint)
    with torch.no_grad():
        for mine, right in pairs:
            mine.copy_(right.reshape(mine.shape))


def _core(parameter: Tensor) -> tuple[int, ...]:
    """The shape without axes of length 1 in or behind the kernel."""
    shape = tuple(parameter.shape)
    return shape[:2] + tuple(length for length in shape[2:] if length > 1)


def no_linear_layers(module: nn.Module) -> None:
    """Raise NotYet where a linear layer stands in for the convolution that was asked for."""
    flat = [name for name, parameter in module.named_parameters() if parameter.ndim == 2]
    if flat:
        raise NotYet(f"`{flat[0]}` belongs to a linear layer; the exercise asks for convolutions.",
                     "`nn.Conv3d(…, kernel_size=1)` does the same at every voxel, and keeps the axes.")
