"""What does this slice, this voxel look at? Slice×slice and voxel×voxel attention, brought to the image.

    looks_at(model, image, (d, h, w))        the row of one voxel: where it takes its context from
    received_attention(model, image)         the mean of many rows: whom they all look at
    slice_matrices(model, image)             which slice looks at which, direction by direction

Blocks: `RecurrentSliceAttention`, `SliceAttention`, `NonLocal`, and the `GlobalFusion` of dual fusion. A layer is named
as its block: "attention.center". What the weights are, and how they reach the image's grid, stands in
`slice_affinities.py` and `voxel_affinities.py`.

A row says where a voxel's context comes from. It does not say what the network does with it: with β = 0, or the last
norm of a non-local block at 0, a block looks around and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medattn_lite.attention import GlobalFusion, NonLocal, RecurrentSliceAttention, SliceAttention
from medattn_lite.attention.voxel_affinity import VoxelAffinity
from medattn_lite.errors import UserError
from medattn_lite.explain.attention.capture import CapturedMap, capture_attention
from medattn_lite.explain.attention.slice_affinities import PlanePath, SliceAffinities, path_strengths
from medattn_lite.explain.attention.voxel_affinities import VoxelAffinities
from medattn_lite.explain.grids import layer_box
from medattn_lite.explain.model import forward_eval

Affinities = SliceAffinities | VoxelAffinities
SLICE_BLOCKS = (SliceAttention, RecurrentSliceAttention)
BLOCKS = (*SLICE_BLOCKS, NonLocal, GlobalFusion)


def affinity_layers(model: nn.Module) -> dict[str, str]:
    """Lists the name of every block with an affinity → what the block is, such as "RecurrentSliceAttention".

    Example:
        >>> from medattn_lite.attention import NonLocal
        >>> affinity_layers(nn.Sequential(nn.ReLU(), NonLocal(4)))
        {'1': 'NonLocal'}
    """
    return {name or type(m).__name__: type(m).__name__ for name, m in model.named_modules() if isinstance(m, BLOCKS)}


def read_affinities(model: nn.Module, image: Tensor) -> dict[str, Affinities]:
    """Runs one pass and keeps who looked at whom in each block; ask the result as often as you like.

    Args:
        model: a network with such blocks; left in the mode it was in, without hooks.
        image: (B, C, D, H, W) or (B, C, H, W).

    Returns:
        layer → its affinities, in the order of the pass; of a block used twice, the last use. A block that the
        pass did not reach is left out.

    Raises:
        UserError: no such block, or an image that is not a batch.
    """
    blocks = {name or type(m).__name__: m for name, m in model.named_modules() if isinstance(m, BLOCKS)}
    if not blocks:
        raise UserError(
            f"{type(model).__name__} has no affinity: give a network with recurrent slice attention, non-local or "
            "dual fusion attention"
        )
    if image.dim() not in (4, 5):
        raise UserError(f"affinities are read of a batch (B, C, D, H, W) or (B, C, H, W), not of {tuple(image.shape)}")
    seen: dict[str, tuple[Tensor, ...]] = {}
    with ExitStack() as stack:
        maps = {}
        for name, block in blocks.items():
            if isinstance(block, SLICE_BLOCKS):
                maps[name] = stack.enter_context(capture_attention(block))
            # Of the fusion the block itself: if its affinity were watched, it would build a matrix that may be huge.
            heard = block.affinity if isinstance(block, NonLocal) else block
            handle = heard.register_forward_pre_hook(lambda module, inputs, name=name: seen.update({name: inputs}))
            stack.callback(handle.remove)
        forward_eval(model, image)
    return {name: _read(name, blocks[name], inputs, maps.get(name, {}), model, image) for name, inputs in seen.items()}


def slice_matrices(model: nn.Module, image: Tensor) -> dict[str, dict[str, Tensor]]:
    """Reads which slice looks at which, on the image's slices, in every block and direction.

    Of slice attention these are its maps. Of blocks that look voxel by voxel, row i is the mean row of the voxels of
    slice i, added up over the voxels of slice j: what such a map would say if it could only tell slices apart.

    Row k is image slice k: the row of the layer's slice that holds its centre, not a mixture of rows. Along a row, the
    weights of the layer's slices are brought to the image's by `to_image_grid`, to where the layer looks (`layer_box`),
    and divided by their sum, so that every row sums to 1. Where the layer is as fine as the image, nothing changes.
    `read_affinities(…)[layer].matrices` has slice attention's own.

    Args:
        model: a network with slice, non-local or dual fusion attention; left as it was.
        image: (B, C, D, H, W) or (B, C, H, W).

    Returns:
        layer → plane → (B, S, S), S slices of the image; of slice attention, planes in the order of its steps.

    Raises:
        UserError: a network without such a block.
    """
    return {name: affinities.on_image_slices() for name, affinities in read_affinities(model, image).items()}


def looks_at(
    model: nn.Module,
    image: Tensor,
    voxel: Sequence[int],
    *,
    layer: str | None = None,
    path: str | PlanePath | None = None,
) -> Tensor:
    """Reads what one voxel looks at: where in the image its context comes from.

    Args:
        model: a network with non-local, slice or dual fusion attention; left as it was.
        image: (B, C, D, H, W) or (B, C, H, W).
        voxel: indices in the image, (d, h, w) or (h, w); the same for every image of the batch.
        layer: name of the block, see `affinity_layers`; the first if None.
        path: for slice attention: None for all its paths, each by its share; a plane, or several, for the path that
            takes just these steps.

    Returns:
        (B, D, H, W) on the CPU, on the image's grid. From a softmax it sums to 1; it is 0 everywhere where the β of
        slice attention are all 0 (the block passes its input on), and of "dot_product" it is signed.

    Raises:
        UserError: a layer, voxel or path that is not there.
    """
    return _one(read_affinities(model, image), layer).looks_at(voxel, path=path)


def received_attention(
    model: nn.Module,
    image: Tensor,
    *,
    layer: str | None = None,
    voxels: Tensor | None = None,
    path: str | PlanePath | None = None,
) -> Tensor:
    """Averages the attention that each voxel receives, over all that ask or over the chosen ones.

    Args:
        model: see `looks_at`.
        image: (B, C, D, H, W) or (B, C, H, W).
        layer: see `looks_at`.
        voxels: mask of the asking voxels (B, D, H, W) or (B, 1, D, H, W), such as a predicted lesion; None for all.
        path: see `looks_at`.

    Returns:
        (B, D, H, W) on the CPU, the mean of the rows; sums to 1, or is 0 everywhere for an image without a chosen
        voxel.

    Raises:
        UserError: a layer or path that is not there, or a mask of another shape.
    """
    return _one(read_affinities(model, image), layer).received(voxels, path=path)


@dataclass(frozen=True)
class Whereabouts:
    """Attention on an image, in four numbers.

    Attributes:
        peak: the voxel with the most, (d, h, w).
        peak_over_uniform: what it gets, in multiples of a uniform weight.
        half_mass_share: the smallest share of the image's voxels that together receive half of it, 0 to 0.5.
        in_mask: share of it that falls into the mask; NaN without one.
        mask_share: share of the image's voxels that lie in the mask; NaN without one.
    """

    peak: tuple[int, ...]
    peak_over_uniform: float
    half_mass_share: float
    in_mask: float = float("nan")
    mask_share: float = float("nan")


def whereabouts(weights: Tensor, mask: Tensor | None = None) -> Whereabouts:
    """Says where attention on one image lies.

    Args:
        weights: (D, H, W) or (H, W), as `looks_at` gives them for one image; none below 0.
        mask: the same shape, above 0 inside; None for none.

    Raises:
        UserError: weights that are 0 everywhere, or below it.

    Example:
        >>> whereabouts(torch.tensor([[3.0, 1.0], [0.0, 0.0]]), torch.tensor([[True, False], [False, False]]))
        Whereabouts(peak=(0, 0), peak_over_uniform=3.0, half_mass_share=0.25, in_mask=0.75, mask_share=0.25)
    """
    if not weights.sum() > 0 or weights.min() < 0:
        raise UserError("these weights are 0 everywhere, or below 0: nothing can be said of where they lie")
    share = weights.double() / weights.double().sum()
    ordered = share.flatten().sort(descending=True).values.cumsum(0)
    half = int((ordered < 0.5).sum()) + 1
    peak = torch.unravel_index(share.argmax(), share.shape)
    facts = {}
    if mask is not None:
        inside = mask > 0
        facts = {"in_mask": float(share[inside].sum()), "mask_share": float(inside.float().mean())}
    return Whereabouts(
        peak=tuple(int(index) for index in peak),
        peak_over_uniform=float(share.max() * share.numel()),
        half_mass_share=half / share.numel(),
        **facts,
    )


def _read(
    name: str, block: nn.Module, inputs: tuple[Tensor, ...], maps: Mapping[str, CapturedMap], model: nn.Module,
    image: Tensor,
) -> Affinities:  # fmt: skip
    size, grid = tuple(image.shape[2:]), tuple(inputs[0].shape[2:])
    box = layer_box(model, image, grid)
    if isinstance(block, SLICE_BLOCKS):
        matrices = {str(block.get_submodule(taken.layer).plane): taken.values.float().cpu() for taken in maps.values()}
        return SliceAffinities(name, matrices, path_strengths(block), grid, size, box)
    if isinstance(block, GlobalFusion):  # its tokens are means over parts of the same box
        inputs = tuple(block.to_tokens(features) for features in inputs[:2])
    query, key = (features.detach() for features in inputs[:2])
    # The keys of a non-local block may be pooled: their weights go back to the grid of its queries.
    affinity = block.get_submodule("affinity")
    assert isinstance(affinity, VoxelAffinity)
    return VoxelAffinities(name, affinity, query, key, tuple(query.shape[2:]), size, box)


def _one(by_layer: dict[str, Affinities], layer: str | None) -> Affinities:
    if layer is None:
        return next(iter(by_layer.values()))
    if layer not in by_layer:
        raise UserError(f"there is no affinity called {layer!r}; choose one of {', '.join(by_layer)}")
    return by_layer[layer]
