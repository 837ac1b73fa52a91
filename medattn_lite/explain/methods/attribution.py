"""Integrated gradients and occlusion, by captum: what each voxel adds to the output, for volumes within little memory.

    integrated gradients   a_i = (x_i − b_i) · ∫₀¹ ∂y/∂x_i at b + t (x − b) dt            Σ a_i = y(x) − y(b)
    occlusion              a_i = mean over windows w that hold i of y(x) − y(x with b in w)

b is the baseline: each channel's darkest value, which is what normalising writes where there is no head. The values of
the channels are added up. Both keep their sign: what is above 0 speaks for the target.

Papers: Sundararajan, Taly, Yan 2017; Zeiler, Fergus 2014.
Deviations: the baseline is a choice, and integrated gradients are blind to what is as dark as it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.model import Target, forward, to_model, uncompiled
from medattn_lite.training.inference import evaluating

AT_ONCE = 2**22  # numbers in the images of one batch: two volumes of 4 × 80³, or 250 slices of 4 × 64²
PARTS = 8  # windows along an axis, by default


def darkest(image: Tensor) -> Tensor:
    """Fills an image (B, C, …) with each channel's lowest value, the background of a normalised image."""
    return image.flatten(2).amin(dim=2).reshape(*image.shape[:2], *[1] * (image.dim() - 2)).expand_as(image)


def integrated_gradients(
    model: nn.Module,
    image: Tensor,
    *,
    target: Target,
    steps: int = 32,
    baseline: Tensor | None = None,
    extra_inputs: Sequence[Tensor] = (),
) -> tuple[Tensor, Tensor]:
    """Computes what each voxel adds on the straight way from the baseline to the image.

    Args:
        model: the network; its mode, gradients and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        target: fixed to the images, see `targets`.
        steps: points on the way (Gauss–Legendre).
        baseline: an image, or one for all; None for `darkest`.
        extra_inputs: what the network takes besides the image.

    Returns:
        (B, D, H, W) or (B, H, W), summed over channels, and (B,): by how much their sum misses y(x) − y(b).

    Raises:
        UserError: less than one step.
    """
    from captum.attr import IntegratedGradients

    if steps < 1:
        raise UserError(f"integrated gradients need at least one step, not {steps}")
    values, missed = [], []
    with torch.inference_mode(False), evaluating(model), uncompiled():
        image = to_model(model, image)
        start = darkest(image) if baseline is None else to_model(model, baseline).expand_as(image)
        for number in range(len(image)):
            method = IntegratedGradients(_scored(model, target.in_image(number), extra_inputs, number))
            attributed, delta = method.attribute(
                image[number : number + 1].clone().requires_grad_(), start[number : number + 1], n_steps=steps,
                internal_batch_size=_images_at_once(image), return_convergence_delta=True,
            )  # fmt: skip
            values.append(attributed.detach().sum(dim=1))
            missed.append(delta.detach())
    return torch.cat(values), torch.cat(missed)


def occlusion(
    model: nn.Module,
    image: Tensor,
    *,
    target: Target,
    window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    baseline: Tensor | None = None,
    extra_inputs: Sequence[Tensor] = (),
    progress: bool = False,
) -> Tensor:
    """Computes what the output loses when a window of the image is hidden, all channels at once.

    Args:
        model: the network; its mode and hooks stay as they are.
        image: (B, C, D, H, W) or (B, C, H, W).
        target: fixed to the images, see `targets`.
        window: voxels along D, H and W, or one number for all; None for an eighth of each side.
        stride: voxels from one window to the next, at most the window's; None for the window's own, without overlap.
        baseline: what is put into the window, an image or one for all; None for `darkest`.
        extra_inputs: what the network takes besides the image.
        progress: show a bar.

    Returns:
        (B, D, H, W) or (B, H, W).

    Raises:
        UserError: a window or a stride that does not fit.
    """
    from captum.attr import Occlusion

    image = to_model(model, image)
    channels, size = image.shape[1], tuple(image.shape[2:])
    default = tuple(math.ceil(side / PARTS) for side in size)
    window = _sides("window", window, size, default, most=size)
    stride = _sides("stride", stride, size, window, most=window)
    start = darkest(image) if baseline is None else to_model(model, baseline).expand_as(image)
    values = []
    with torch.inference_mode(False), torch.no_grad(), evaluating(model), uncompiled():
        for number in range(len(image)):
            method = Occlusion(_scored(model, target.in_image(number), extra_inputs, number))
            attributed = method.attribute(
                image[number : number + 1], sliding_window_shapes=(channels, *window), strides=(channels, *stride),
                baselines=start[number : number + 1], perturbations_per_eval=_images_at_once(image),
                show_progress=progress,
            )  # fmt: skip
            values.append(attributed[:, 0])  # the same in every channel
    return torch.cat(values)


def _scored(
    model: nn.Module, target: Target, extra_inputs: Sequence[Tensor], number: int
) -> Callable[[Tensor], Tensor]:
    """From copies of one image, changed, to their scores."""
    extras = [to_model(model, extra)[number : number + 1] for extra in extra_inputs]

    def scores(images: Tensor) -> Tensor:
        return target(forward(model, images, [extra.expand(len(images), *extra.shape[1:]) for extra in extras]))

    return scores


def _images_at_once(image: Tensor) -> int:
    return max(1, AT_ONCE // image[0].numel())


def _sides(
    name: str, value: int | Sequence[int] | None, size: Sequence[int], default: Sequence[int], *, most: Sequence[int]
) -> tuple[int, ...]:
    """A length along each axis, checked."""
    if value is None:
        return tuple(default)
    if isinstance(value, int) and value > 0:
        return tuple(min(value, top) for top in most)
    sides = tuple(value) if isinstance(value, Sequence) else ()
    if len(sides) != len(size) or not all(1 <= side <= top for side, top in zip(sides, most, strict=True)):
        raise UserError(f"{name} is {value}: give 1 to {tuple(most)} voxels along the {len(size)} axes, or one number")
    return tuple(int(side) for side in sides)
