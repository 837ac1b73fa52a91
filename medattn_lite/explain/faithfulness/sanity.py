"""Sanity checks: a map that stays the same when the network is re-initialised explains the image, not the network.

    cascade               weights are re-initialised layer by layer, from the output to the input; the map must change
    reinitialised_copy    all weights at once: the same architecture, untrained
    similarity            Spearman's rank correlation of two maps' absolute values, over the voxels that count

Paper: Adebayo et al. 2018, "Sanity checks for saliency maps" (model and data randomisation). The other check of that
paper, shuffled labels, needs a training: the recipe `mechanisms` has such a variant.

Reading: weights are drawn as each layer's own `reset_parameters` draws them, and batch norms lose their statistics.
A batch norm without statistics would let activations grow from layer to layer, so `reinitialised_copy` fits them to the
images it is given, which tell it nothing of the task.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from medattn_lite.errors import UserError


def reinitialised_copy(model: nn.Module, *, seed: int = 0, images: Tensor | None = None) -> nn.Module:
    """Copies a network and re-initialises all weights of the copy; the model itself is left alone.

    Args:
        model: any network.
        seed: of the new weights.
        images: (B, C, …) to which batch norms fit their statistics, one alone with its mirror image; None leaves
            means at 0 and variances at 1.

    Example:
        >>> model = nn.Linear(4, 2)
        >>> torch.equal(reinitialised_copy(model).weight, model.weight)
        False
    """
    *_, (_, last) = cascade(model, seed=seed)
    return _with_statistics(last, images)


def cascade(model: nn.Module, *, seed: int = 0, parts: int | None = None) -> Iterator[tuple[str, nn.Module]]:
    """Copies of a network with more and more layers re-initialised, from the output towards the input.

    Args:
        model: any network.
        seed: of the new weights.
        parts: how many copies; None gives one for each layer with weights.

    Yields:
        the name of the layer reached, and the copy, in eval mode.

    Raises:
        UserError: a network without weights.

    Example:
        >>> [name for name, _ in cascade(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))]
        ['2', '0']
    """
    copied = copy.deepcopy(model).eval()
    names = [name for name, module in copied.named_modules() if _has_own_weights(module)][::-1]
    if not names:
        raise UserError(f"{type(model).__name__} has no weights to re-initialise")
    stops = set(range(len(names))) if parts is None else {math.ceil((k + 1) * len(names) / parts) - 1
                                                          for k in range(parts)}  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for number, name in enumerate(names):
            _reinitialise(copied.get_submodule(name))
            if number in stops:
                yield name, copy.deepcopy(copied)


def similarity(first: Tensor, second: Tensor, *, within: Tensor | None = None) -> float:
    """Computes Spearman's rank correlation of absolute values; NaN where one map is the same everywhere.

    Args:
        first: map of any shape.
        second: of the same shape.
        within: bool of the same shape, the voxels that count.

    Raises:
        UserError: other shapes.

    Example:
        >>> round(similarity(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([-1.0, -2.0, -9.0])), 6)
        1.0
    """
    if first.shape != second.shape or (within is not None and within.shape != first.shape):
        raise UserError(f"maps of {tuple(first.shape)} and {tuple(second.shape)} cannot be compared: one grid for both")
    from scipy.stats import rankdata

    pair = [np.asarray(values.abs() if within is None else values.abs()[within.bool()]).ravel()
            for values in (first, second)]  # fmt: skip
    ranks = [rankdata(values) for values in pair]
    if any(rank.std() == 0 for rank in ranks):
        return math.nan
    return float(np.corrcoef(*ranks)[0, 1])


def _has_own_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))


def _reinitialise(module: nn.Module) -> None:
    """Draws a layer's own parameters again: as the layer does it, else with the spread that they have."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    with torch.no_grad():
        for parameter in module.parameters(recurse=False):
            spread = float(parameter.std()) if parameter.numel() > 1 else float(parameter.abs().mean())
            parameter.normal_(float(parameter.mean()), max(spread, 1e-3))


def _with_statistics(model: nn.Module, images: Tensor | None) -> nn.Module:
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if images is None or not norms:
        return model.eval()
    for norm in norms:
        norm.train()
        norm.momentum = None  # the mean over all batches
    with torch.no_grad():
        model(images if len(images) > 1 else torch.cat([images, images.flip(-1)]))
    return model.eval()
