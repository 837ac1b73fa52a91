"""What a trained control's attention maps are for, and what they show.

    edited_accuracy(run, "mean")     every map replaced by its mean over the test images
    edited_accuracy(run, "other")    every map replaced by that of the next test image
    map_score(run)                   what the map shows, as one number beside its chance level
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from medattn_lite.attention import maps as kinds
from medattn_lite.attention.maps import AttentionMap
from medattn_lite.attention.slice_attention import PLANES
from medattn_lite.errors import UserError
from medattn_lite.evaluation.metrics import auc
from medattn_lite.explain import CapturedMap, capture_attention, edited_maps
from medattn_lite.positive_controls.train import TESTED_AT_ONCE, ControlRun, object_hits, object_labels, object_logits

EDITS = ("mean", "other")
GATES = (kinds.CHANNEL, kinds.CHANNEL_SLICE, kinds.SPLIT)


@dataclass(frozen=True)
class MapScore:
    """What a map shows.

    Attributes:
        value: the number.
        chance: what a map that knows nothing has.
        text: what the number is, in words.
        layer: whose map it is.
    """

    value: float
    chance: float
    text: str
    layer: str


def edited_hits(run: ControlRun, edit: str) -> Tensor:
    """Tells whether each candidate is classified right, (n, K) bool, while every attention map is replaced.

    Args:
        run: a trained control.
        edit: "mean" over the test images, or "other": that of the next test image.

    Raises:
        UserError: another edit, or a network without attention maps.
    """
    if edit not in EDITS:
        raise UserError(f"edit={edit!r}: choose from {', '.join(EDITS)}")
    layers = [name for name, module in run.network.named_modules() if isinstance(module, AttentionMap)]
    if not layers:
        raise UserError(f"the network with {run.attention!r} has no attention maps to edit")
    means = _mean_maps(run) if edit == "mean" else {}
    with ExitStack() as stack:
        for layer in layers:
            change = (lambda values: values.roll(1, dims=0)) if edit == "other" else _constant(means[layer])
            stack.enter_context(edited_maps(run.network, change, layer=layer))
        return object_hits(run.network, run.test)


def edited_accuracy(run: ControlRun, edit: str) -> float:
    """Computes the share of candidates classified right while every attention map is replaced; see `edited_hits`."""
    return float(edited_hits(run, edit).float().mean())


def map_score(run: ControlRun) -> MapScore | None:
    """Scores what the control's own map shows; None where the network has no map that could.

    - a gate: AUC with which its best channel tells the state of the image or slice; the channel is chosen on one half
      of the images and scored on the other;
    - a map of places: AUC with which it tells lesions from look-alikes at their pixels, in the direction that one half
      of the images has, scored on the other;
    - weights over places: the share that candidates give to their cue, beside that of even weights;
    - weights over slices: AUC with which the weight of a candidate's slices on themselves tells lesions from
      look-alikes, in the direction that one half of the images has, scored on the other.
    """
    scores = [score for score in (_score(run, captured) for captured in run.maps.values()) if score is not None]
    return max(scores, key=lambda score: score.value - score.chance) if scores else None


def _score(run: ControlRun, captured: CapturedMap) -> MapScore | None:
    if captured.kind in GATES and run.test.state is not None:
        return _gate_score(captured, run.test.state)
    if captured.kind == kinds.SPATIAL:
        return _place_score(run, captured)
    if captured.kind in (kinds.VOXEL_VOXEL, kinds.QUERY_KEY):
        return _weight_score(run, captured)
    if captured.kind == kinds.SLICE_SLICE:
        return _slice_score(run, captured)
    return None


def _gate_score(captured: CapturedMap, state: Tensor) -> MapScore:
    values = captured.values.flatten(1) if captured.kind != kinds.CHANNEL_SLICE else captured.values[..., 0, 0]
    state = state[: len(values)]
    if state.dim() == 2:  # the first slice has none above it
        per_slice = captured.kind == kinds.CHANNEL_SLICE
        values = values.transpose(1, 2) if per_slice else values[:, None].expand(-1, state.shape[1], -1)
        values, state = values[:, 1:], state[:, 1:]
    text = "AUC of the best channel's gate for the state, on the other half"
    return _best_unit(values, state, text, captured.layer)


def _place_score(run: ControlRun, captured: CapturedMap) -> MapScore:
    means = object_logits(captured.values[:, :1], run.test.numbers[: len(captured.values)])  # (B, K)
    labels = object_labels(run.test)[: len(means)]
    text = "AUC of the gate at a candidate for lesion or look-alike, either way round, on the other half"
    return _best_unit(means.unsqueeze(-1), labels, text, captured.layer)


def _weight_score(run: ControlRun, captured: CapturedMap) -> MapScore:
    weights = captured.values
    numbers, cue = run.test.numbers[: len(weights)], run.test.cue[: len(weights)]
    belongs = run.test.cue_numbers[: len(weights)]
    if captured.kind == kinds.VOXEL_VOXEL:
        weights = weights.flatten(1, numbers.dim() - 1).flatten(2)  # (B, N, M)
    shares, even = [], []
    for number in range(1, int(numbers.max()) + 1):
        query = _tokens(numbers == number, captured, keys=False)  # (B, N)
        key = _tokens(cue & ((belongs == number) | (belongs == 0)), captured, keys=True)  # (B, M)
        on_cue = (weights * key[:, None]).sum(dim=2)  # (B, N)
        shares.append(((on_cue * query).sum(dim=1) / query.sum(dim=1)).mean())
        even.append(key.float().mean(dim=1).mean())
    text = "share of a candidate's weight that lies on its cue"
    return MapScore(float(torch.stack(shares).mean()), float(torch.stack(even).mean()), text, captured.layer)


def _slice_score(run: ControlRun, captured: CapturedMap) -> MapScore:
    weights = captured.values  # (B, S, S)
    numbers, labels = run.test.numbers[: len(weights)], object_labels(run.test)[: len(weights)]
    rows = []
    for number in range(1, labels.shape[1] + 1):
        slices = _tokens(numbers == number, captured, keys=False).float()  # (B, S)
        mean = (weights * slices[:, :, None]).sum(dim=1) / slices.sum(dim=1, keepdim=True)  # (B, S)
        rows.append(torch.cat([mean, (mean * slices).sum(dim=1, keepdim=True)], dim=1))  # and on its own slices
    text = "AUC of the weight of a candidate's slices on the best slice for lesion or look-alike, on the other half"
    return _best_unit(torch.stack(rows, dim=1), labels, text, captured.layer)


def _best_unit(values: Tensor, state: Tensor, text: str, layer: str) -> MapScore:
    """(B, …, U) units and (B, …) states: the unit is chosen on the first half of the images, scored on the second."""
    half = len(values) // 2
    first, second = ((values[part].flatten(0, -2).numpy(), state[part].flatten().int().numpy())
                     for part in (slice(0, half), slice(half, None)))  # fmt: skip
    tells = [auc(first[1], first[0][:, unit]) for unit in range(values.shape[-1])]
    best = max(range(len(tells)), key=lambda unit: abs(tells[unit] - 0.5))
    value = auc(second[1], second[0][:, best])
    return MapScore(value if tells[best] >= 0.5 else 1 - value, 0.5, text, layer)


def _tokens(where: Tensor, captured: CapturedMap, *, keys: bool) -> Tensor:
    """(B, *S) bool as (B, tokens) bool of a map's queries or keys: slices, cells of a row, or places of a grid."""
    if captured.kind == kinds.SLICE_SLICE:
        plane = captured.axes[1].split()[1]
        dim = PLANES[where.dim() - 1][plane] - 1
        return where.any(dim=tuple(axis for axis in range(1, where.dim()) if axis != dim))
    if captured.kind == kinds.QUERY_KEY:
        cell = where.shape[2] // captured.values.shape[-1]
        return where.any(dim=1).unfold(1, cell, cell).any(dim=-1)
    axes = where.dim() - 1
    grid = tuple(captured.values.shape[1 + axes :] if keys else captured.values.shape[1 : 1 + axes])
    return _pooled(where, grid).flatten(1)


def _pooled(where: Tensor, grid: tuple[int, ...]) -> Tensor:
    if tuple(where.shape[1:]) == tuple(grid):
        return where
    pool = torch.nn.functional.adaptive_max_pool2d if where.dim() == 3 else torch.nn.functional.adaptive_max_pool3d
    return pool(where.float().unsqueeze(1), grid).squeeze(1) > 0


def _mean_maps(run: ControlRun) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}
    for part in run.test.images.split(TESTED_AT_ONCE):
        with capture_attention(run.network, empty_ok=True) as maps, torch.no_grad():
            run.network(part)
        for captured in maps.values():
            summed = captured.values.sum(dim=0, keepdim=True)
            sums[captured.layer] = sums.get(captured.layer, 0) + summed
    return {layer: total / len(run.test) for layer, total in sums.items()}


def _constant(mean: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda values: mean.expand_as(values)
