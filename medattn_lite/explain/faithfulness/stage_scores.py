"""Finer maps without a new training, and what the border does: scores by method, stage, fusion and padding.

One row for each subject, method, stage (or fusion) and padding of the convolutions: localisation within the head, the
share of the map's positive values in the air, and whether its highest value lies there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.mean_intervals import paired_mean_interval
from medattn_lite.explain.faithfulness.localisation import chance, localise
from medattn_lite.explain.faithfulness.phantom_cases import PhantomCase
from medattn_lite.explain.methods import (
    FUSIONS,
    LayerMap,
    Weigh,
    class_activation_maps,
    default_layer,
    fuse,
    layers_to_fuse,
    mean_gradient,
    on_image,
    outside_head,
    padded_with,
    plain_gradient,
    positive_gradient,
)
from medattn_lite.explain.model import RegionSum, forward_eval

CAMS: dict[str, Weigh] = {"Grad-CAM": mean_gradient, "LayerCAM": positive_gradient, "HiResCAM": plain_gradient}
GAINS = ("pointing game", "mass ÷ chance", "AUC")
STAGE_PADDINGS = ("zeros", "replicate")
Row = dict[str, Any]


def score_stages(network: nn.Module, case: PhantomCase) -> list[Row]:
    """All rows of one subject.

    Args:
        network: the trained network, left as it was.
        case: of `held_out`.

    Returns:
        rows with `subject`, `method` ("LayerCAM at layer1", "LayerCAM fused, geometric", with ", replicate" behind it
        for the other padding) and the scores by name; none where the network finds nothing to explain.
    """
    rows: list[Row] = []
    if isinstance(case.target, RegionSum) and not bool(case.target.voxels(forward_eval(network, case.image)).any()):
        return rows  # the network finds nothing here that could be explained
    layers = layers_to_fuse(network, case.image)
    default = default_layer(network, case.image)
    layers = layers if default in layers else [*layers, default]
    for padding in STAGE_PADDINGS:
        behind = "" if padding == "zeros" else f", {padding}"
        with padded_with(network, padding):
            by_method = class_activation_maps(
                network, case.image, list(CAMS.values()), layers=layers, target=case.target
            )
            for method, maps in zip(CAMS, by_method, strict=True):
                for name, values in _variants(network, case.image, method, maps):
                    rows.append({"subject": case.subject, "method": name + behind, **_scores(values, case)})
    return rows


def gains(rows: Iterable[Row]) -> dict[str, dict[str, Interval]]:
    """What finer maps win over Grad-CAM at its default layer, subject by subject.

    Args:
        rows: of the benchmark, of one network: methods, "chance" and stages.

    Returns:
        "LayerCAM at …" of the first stage, and the fused one → score → mean difference with its interval.
    """
    by_method: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_method.setdefault(row["method"], {}).setdefault(row["subject"], row)
    finer = [name for name in by_method if name.startswith("LayerCAM at ")][:1] + ["LayerCAM fused, geometric"]
    intervals: dict[str, dict[str, Interval]] = {}
    for name in (name for name in finer if name in by_method):
        shared = [subject for subject in by_method[name] if subject in by_method.get("Grad-CAM", {})]
        old = [_comparable(by_method["Grad-CAM"][case], by_method["chance"][case]) for case in shared]
        new = [by_method[name][case] for case in shared]
        for score in GAINS:
            pairs = np.array(
                [[after[score], before[score]] for after, before in zip(new, old, strict=True)], dtype=float
            )
            pairs = pairs[np.isfinite(pairs).all(axis=1)] if len(pairs) else pairs
            if len(pairs):
                intervals.setdefault(name, {})[score] = paired_mean_interval(pairs[:, 0], pairs[:, 1])
    return intervals


def _comparable(row: Row, by_chance: Row) -> Row:
    return {**row, "mass ÷ chance": row["relevance mass"] / by_chance["relevance mass"]}


def _variants(
    network: nn.Module, image: Tensor, method: str, maps: Iterable[LayerMap]
) -> Iterator[tuple[str, Tensor]]:
    """Each stage's map on the image's grid, and the fused ones; (D, H, W)."""
    fine = []
    for layer_map in maps:
        fine.append(on_image(layer_map, network, image))
        yield f"{method} at {layer_map.layer}", fine[-1][0]
    if len(fine) > 1 and method == "LayerCAM":
        for fusion in FUSIONS:
            yield f"LayerCAM fused, {fusion}", fuse(fine, fusion=fusion)[0]


def _scores(values: Tensor, case: PhantomCase) -> Row:
    located = localise(values, case.signal, within=case.counted)
    by_chance = chance(case.signal, within=case.counted).relevance_mass
    inside = case.counted
    return {
        "pointing game": located.pointing_game, "mass ÷ chance": located.relevance_mass / by_chance, "AUC": located.auc,
        "mass in the air": float(outside_head(values[None], inside[None])[0]),
        "peak in the air": float(not inside.flatten()[int(torch.argmax(values))]),
    }  # fmt: skip
