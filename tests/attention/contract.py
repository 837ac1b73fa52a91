"""What every attention mechanism keeps to, as functions: the tests run them over the registry, the checklist over one.

    CONTRACT["keeps the shape"](lambda: create("eca", 32, spatial_dims=3), spatial_dims=3)

Each takes what builds the block and its dimensions, and raises an `AssertionError` with the reason where the block
breaks it. Inputs have odd sizes; weights are moved away from their start, so that no gate is zero and no gain is one.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from medattn_lite import attention
from medattn_lite.attention.maps import KINDS, AttentionMap
from tests.attention.support import features, stirred

Build = Callable[[], nn.Module]
CHANNELS = 32
STEP = 1e-6  # to either side, for a slope in float64


def prepare(build: Build, spatial_dims: int, *, channels: int = CHANNELS, batch: int = 2) -> tuple[nn.Module, Tensor]:
    """A block away from its start, in eval mode, and an input of odd sizes."""
    torch.manual_seed(0)
    return stirred(build()).eval(), features(spatial_dims, batch=batch, channels=channels)


def keeps_the_shape(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """(B, C, …) to the same shape, for odd sizes and axes of length one, and something happens to the values."""
    block, x = prepare(build, spatial_dims, channels=channels)
    assert block(x).shape == x.shape, f"{tuple(x.shape)} became {tuple(block(x).shape)}"
    thin = x[..., :1]
    assert block(thin).shape == thin.shape, f"{tuple(thin.shape)} became {tuple(block(thin).shape)}"
    assert (block(x) - x).abs().max() > 1e-3, "the output is the input"


def treats_images_apart(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """In eval mode a batch of one gives the same as within a batch."""
    block, x = prepare(build, spatial_dims, channels=channels)
    torch.testing.assert_close(block(x[:1]), block(x)[:1], rtol=1e-3, atol=1e-4)


def has_the_right_gradient(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """The gradient of the input and of every parameter is the slope, along random directions, in float64."""
    block, x = prepare(build, spatial_dims, channels=channels, batch=1)
    block, generator = block.double(), torch.Generator().manual_seed(1)
    leaves = [(0.3 * x[..., :4, :3]).double().requires_grad_(), *block.parameters()]
    weights = torch.randn(block(leaves[0]).shape, dtype=torch.float64, generator=generator)

    def loss() -> Tensor:
        return (block(leaves[0]) * weights).sum()

    gradients = torch.autograd.grad(loss(), leaves)
    size = torch.cat([one.flatten() for one in gradients]).norm()
    for _ in range(3):
        direction = [torch.randn(leaf.shape, dtype=torch.float64, generator=generator) for leaf in leaves]
        sides = []
        for step in (STEP, -2 * STEP, STEP):  # there, to the other side, and back
            with torch.no_grad():
                for leaf, towards in zip(leaves, direction, strict=True):
                    leaf.add_(towards, alpha=step)
                sides.append(loss())
        slope = (sides[0] - sides[1]) / (2 * STEP)
        expected = sum((one * towards).sum() for one, towards in zip(gradients, direction, strict=True))
        assert abs(slope - expected) < 1e-5 * size, f"a slope of {slope:.6g}, and the gradient says {expected:.6g}"


def reaches_every_parameter(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """Every parameter gets a gradient that is not zero."""
    block, x = prepare(build, spatial_dims, channels=channels)
    block(x).square().sum().backward()
    gradients = {key: parameter.grad for key, parameter in block.named_parameters()}
    # A bias of the keys adds the same to every score of a query, which a softmax does not see.
    idle = [key for key, grad in gradients.items() if grad is None or not (grad.any() or key.endswith("key.bias"))]
    assert idle == [], f"no gradient reaches {', '.join(idle)}"


def trains_in_both_modes(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """A step in training mode runs and leaves finite weights, also below 32 bits."""
    torch.manual_seed(0)
    block, x = build().train(), features(spatial_dims, channels=channels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = block(x)
    assert output.shape == x.shape
    output.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in block.parameters() if p.grad is not None), "not finite"


def shows_its_maps(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """A hook on each `AttentionMap` sees a map of its named axes, neither empty nor flat."""
    block, x = prepare(build, spatial_dims, channels=channels)
    seen: list[tuple[AttentionMap, Tensor]] = []
    maps = list(_maps(block))
    handles = [one.register_forward_hook(lambda module, inputs, output: seen.append((module, output))) for one in maps]
    block(x)
    for handle in handles:
        handle.remove()
    assert len(seen) == len(maps) >= 1, f"{len(seen)} of {len(maps)} maps were seen"
    for module, values in seen:
        assert module.kind in KINDS
        assert values.dim() == len(module.axes), f"{values.dim()} dimensions and {len(module.axes)} names of axes"
        assert torch.isfinite(values).all()
        assert values.std() > 1e-4, "the map is flat"


def obeys_its_maps(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """A map that a hook replaces is the one that is used."""
    block, x = prepare(build, spatial_dims, channels=channels)
    before = block(x)
    for module in _maps(block):
        module.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    assert (block(x) - before).abs().max() > 1e-3, "maps of zeros change nothing"


def is_the_same_when_watched(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """Output and gradients do not depend on whether somebody looks at the maps, up to rounding (float64)."""
    block, x = prepare(build, spatial_dims, channels=channels)
    block, x = block.double(), 0.3 * x.double()
    results = []
    for watched in (False, True):
        watched_block, leaf = copy.deepcopy(block), x.clone().requires_grad_()
        for module in _maps(watched_block) if watched else ():
            module.register_forward_hook(lambda module, inputs, output: None)
        output = watched_block(leaf)
        output.square().sum().backward()
        results.append([output.detach(), leaf.grad, *(parameter.grad for parameter in watched_block.parameters())])
    for unwatched, seen in zip(*results, strict=True):
        scale = seen.abs().max().clamp(min=1.0)
        assert (unwatched - seen).abs().max() / scale < 1e-10, "watching changes the result"


def keeps_nothing(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """Nothing of a pass stays in the block."""
    block, x = prepare(build, spatial_dims, channels=channels)
    before = {key: set(vars(module)) for key, module in block.named_modules()}
    block(x)
    assert {key: set(vars(module)) for key, module in block.named_modules()} == before


def refuses_another_map(build: Build, *, spatial_dims: int, channels: int = CHANNELS) -> None:
    """Other channels or dimensions end in one line that names both numbers; an empty batch comes out empty."""
    block, x = prepare(build, spatial_dims, channels=channels)
    other = x[:, :, 0] if spatial_dims == 3 else x.unsqueeze(2)
    cases = ((x[:, 1:], f"{channels} channels and got {channels - 1}"), (other, f"is {spatial_dims}-D and"))
    for wrong, words in cases:
        try:
            block(wrong)
        except ValueError as error:
            assert words in str(error) and "\n" not in str(error), f"{error} does not say what is wrong"
        else:
            raise AssertionError(f"a map of shape {tuple(wrong.shape)} is taken")
    assert block(x[:0]).shape == x[:0].shape, "an empty batch changes its shape"


CONTRACT: dict[str, Callable[..., None]] = {
    "keeps the shape, for odd sizes and axes of length one": keeps_the_shape,
    "treats the images of a batch apart in eval mode": treats_images_apart,
    "has the right gradient, against numbers in float64": has_the_right_gradient,
    "reaches every parameter with a gradient": reaches_every_parameter,
    "trains, also in bfloat16": trains_in_both_modes,
    "shows its maps to hooks, with a name for each axis": shows_its_maps,
    "uses the map that a hook puts in its place": obeys_its_maps,
    "gives the same whether or not its maps are watched": is_the_same_when_watched,
    "keeps nothing of a pass": keeps_nothing,
    "refuses a map of other channels or dimensions in one line": refuses_another_map,
}


def keeps_the_signature(name: str) -> None:
    """Channels first; everything else, with `spatial_dims`, by keyword and with a default."""
    first, *others = inspect.signature(attention.MECHANISMS[name].load()).parameters.values()
    assert first.name in ("channels", "in_channels"), f"the first argument is {first.name}, not channels"
    by_keyword = {one.name for one in others if one.kind is inspect.Parameter.KEYWORD_ONLY}
    assert "spatial_dims" in by_keyword, "spatial_dims is not a keyword"
    assert {one.name for one in others} - by_keyword <= {"channels"}, "options are taken by position"
    needed = [key for key, value in attention.options(name).items() if value is inspect.Parameter.empty]
    assert needed == [], f"{', '.join(needed)} have no default"


def _maps(block: nn.Module) -> Iterator[AttentionMap]:
    return (module for module in block.modules() if isinstance(module, AttentionMap))
