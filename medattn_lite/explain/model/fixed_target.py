"""What a user asks for, as a target: one of `targets`, the number of a class, any function of the output, or the
default of the network.

    explain_image(model, image, target=1)
    explain_image(model, image, target=lambda output: output["grade"][:, 1])
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.model.targets import ClassLogit, OfAnyImage, Target, default_target
from medattn_lite.explain.model.wrapped import unwrapped_network

TargetLike = Target | Callable[[Any], Tensor] | int  # what a user may give as a target


@dataclass(frozen=True)
class OutputNumber(OfAnyImage):
    """Any function of the network's output, as the network gives it: a tuple or a dict stays one.

    Attributes:
        function: from the output to one number for each image, (B,).
        name: for titles.
    """

    function: Callable[[Any], Tensor]
    name: str = ""

    def __call__(self, output: Any) -> Tensor:
        """The function's numbers, checked."""
        scores = self.function(output)
        if not isinstance(scores, Tensor) or scores.dim() != 1:
            shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise UserError(f"a target gives one number for each image, shape (B,), and this one gives {shape}: as in "
                            "target=lambda output: output[:, 1]")  # fmt: skip
        return scores

    @property
    def words(self) -> str:
        return self.name or getattr(self.function, "__name__", "target").replace("<lambda>", "the function given")


class FixedTarget:
    """A target for one batch of images, fixed to the first output that it sees.

    What is asked may depend on the prediction, so it is decided in the same pass that is explained.

    Args:
        model: the network.
        target: a target, the number of a class from 0, a function of the network's output, or None for
            `default_target`.
        image: (B, C, …), the image to explain.
        extra_inputs: what the network takes besides the image.

    Raises:
        UserError: the target is none of these.
    """

    def __init__(self, model: nn.Module, target: TargetLike | None, image: Tensor,
                 extra_inputs: Sequence[Tensor] = ()) -> None:  # fmt: skip
        self._chosen_target = None if target is None else _as_target(target)
        self._network = unwrapped_network(model, image, extra_inputs=extra_inputs) if target is None else model
        self._fixed: Target | None = None

    def __call__(self, output: Any) -> Tensor:
        """The scores (B,) of an output."""
        return self.fix(output)(output)

    @property
    def target(self) -> Target:
        """The target, once an output has been seen."""
        if self._fixed is None:
            raise RuntimeError("the target is fixed by the first output: call this with one")
        return self._fixed

    def fix(self, output: Any) -> Target:
        """The target, fixed to the first output."""
        if self._fixed is None:
            target = default_target(self._network, output) if self._chosen_target is None else self._chosen_target
            self._fixed = target.fixed(output)
        return self._fixed


def _as_target(target: Any) -> Target:
    if hasattr(target, "fixed"):
        return target
    if not isinstance(target, bool) and getattr(target, "dtype", None) not in (torch.bool, np.bool_):
        with suppress(TypeError):
            return ClassLogit(operator.index(target))  # numbers of NumPy and torch, too
    if callable(target):
        return OutputNumber(target)
    raise UserError(f"target={target!r}: give the number of a class, as target=1, or a function of the network's "
                    "output, as target=lambda output: output[:, 1]")  # fmt: skip
